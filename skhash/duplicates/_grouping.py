"""Groups of nearly equal codes, and the picture of each that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skhash.duplicates._encoding import Picture


def rank_pictures(pictures: Sequence[Picture]) -> NDArray[np.int64]:
    """Order pictures by which of them to keep.

    Parameters
    ----------
    pictures : sequence of Picture
        The pictures.

    Returns
    -------
    ranks : ndarray of int64 of shape (n_pictures,)
        0 for the first to keep: more pixels, then a larger file, then an older one, then the earlier position.
    """
    order = sorted(range(len(pictures)), key=lambda number: (*_preference(pictures[number]), number))
    ranks = np.empty(len(pictures), np.int64)
    ranks[order] = np.arange(len(pictures))
    return ranks


def explain_choice(kept: Picture, second: Picture) -> str:
    """Return why the first of two pictures is kept.

    Parameters
    ----------
    kept, second : Picture
        The best picture of a group and the next best.

    Returns
    -------
    reason : {"most pixels", "largest file", "oldest file", "first in order"}
        The first criterion in which they differ.
    """
    reasons = ("most pixels", "largest file", "oldest file")
    for reason, ours, theirs in zip(reasons, _preference(kept), _preference(second), strict=True):
        if ours != theirs:
            return reason
    return "first in order"


def _preference(picture: Picture) -> tuple[float, float, float]:
    """Return a key that sorts the best picture first."""
    modified = np.inf if picture.modified is None else picture.modified
    return -picture.n_pixels, -(picture.n_bytes or 0), modified


def connected_groups(n_codes: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the connected components of a graph.

    Parameters
    ----------
    n_codes : int
        Number of nodes.
    first, second : ndarray of int64 of shape (n_edges,)
        The nodes that each edge connects.

    Returns
    -------
    groups : ndarray of int64 of shape (n_codes,)
        The component of each node.
    """
    if n_codes == 0:
        return np.empty(0, np.int64)
    graph = csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(n_codes, n_codes))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def complete_groups(
    ranks: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64], distances: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number groups in which every two nodes are connected by an edge.

    The best node that is in no group begins one. Its neighbors that are in no group join in the order of (distance,
    rank) if they are connected with all members so far.

    Parameters
    ----------
    ranks : ndarray of int64 of shape (n_codes,)
        0 for the best node.
    first, second : ndarray of int64 of shape (n_edges,)
        The nodes that each edge connects.
    distances : ndarray of int64 of shape (n_edges,)
        The length of each edge.

    Returns
    -------
    groups : ndarray of int64 of shape (n_codes,)
        The group of each node.
    """
    from_, to = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((ranks[to], np.concatenate([distances, distances]), from_))
    to = to[order]
    starts = np.searchsorted(from_[order], np.arange(len(ranks) + 1))
    groups = np.full(len(ranks), -1, np.int64)
    for number, head in enumerate(np.argsort(ranks)):
        if groups[head] >= 0:
            continue
        groups[head] = number
        neighbors = to[starts[head] : starts[head + 1]]
        candidates = neighbors[groups[neighbors] < 0]
        while len(candidates):
            joined = candidates[0]
            groups[joined] = number
            candidates = candidates[1:]
            candidates = candidates[np.isin(candidates, to[starts[joined] : starts[joined + 1]])]
    return groups
