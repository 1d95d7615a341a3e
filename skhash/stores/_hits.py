"""Results of an engine, completed at ties and ordered by (distance, id)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.stores._hooks import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cut", "limit_radii", "split", "with_ties"]


def cut(hits: Hits, n_queries: int, k: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return distances and ids of the first `k` hits of each query, of shape (n_queries, k), -1 where there are fewer.

    Parameters
    ----------
    hits : Hits
        In any order; more than `k` for a query if there were ties.
    n_queries : int
        Number of queries.
    k : int
        Number of neighbors.
    """
    query, distance, ids = _in_order(hits)
    counts = np.bincount(query, minlength=n_queries)
    rank = np.arange(len(query)) - np.repeat(counts.cumsum() - counts, counts)
    kept = rank < k
    distances, found = np.full((n_queries, k), -1, np.int32), np.full((n_queries, k), -1, np.int64)
    distances[query[kept], rank[kept]] = distance[kept]
    found[query[kept], rank[kept]] = ids[kept]
    return distances, found


def split(hits: Hits, n_queries: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return distances and ids of all hits, an array for each query."""
    query, distance, ids = _in_order(hits)
    bounds = np.bincount(query, minlength=n_queries).cumsum()
    distances, found = np.empty(n_queries, dtype=object), np.empty(n_queries, dtype=object)
    start = 0
    for i, end in enumerate(bounds.tolist()):
        distances[i], found[i], start = distance[start:end], ids[start:end], end
    return distances, found


def with_ties(
    hits: Hits, words: NDArray[np.uint64], k: int, within: Callable[[NDArray[Any], NDArray[np.int32]], Hits]
) -> Hits:
    """Return hits with all codes at the distance of the last neighbor, for queries that have `k` neighbors.

    Parameters
    ----------
    hits : Hits
        The `k` nearest codes of each query, any of those at the last distance.
    words : ndarray of uint64 of shape (n_queries, n_words)
        The queries.
    k : int
        Number of neighbors.
    within : callable
        Takes queries and a radius for each, and returns all hits within these.
    """
    counts = np.bincount(hits.query, minlength=len(words))
    full = np.flatnonzero(counts >= k)  # other queries have all codes that there are
    if not len(full):
        return hits
    last = np.zeros(len(words), np.int32)
    np.maximum.at(last, hits.query, hits.distance)
    more = within(words[full], last[full])
    rest = ~np.isin(hits.query, full)
    return Hits(
        np.concatenate([hits.query[rest], full[more.query]]),
        np.concatenate([hits.distance[rest], more.distance]),
        np.concatenate([hits.id[rest], more.id]),
    )


def limit_radii(
    sample: NDArray[np.uint64], words: NDArray[np.uint64], k: int, share: float, most: int
) -> NDArray[np.int32] | None:
    """Return for each query a radius within which at least `k` codes are: the k-th distance of some of the codes.

    Parameters
    ----------
    sample : ndarray of uint64 of shape (n_sampled, n_words)
        A random part of the codes.
    words : ndarray of uint64 of shape (n_queries, n_words)
        The queries.
    k : int
        Number of neighbors.
    share : float
        Share of the codes that are in the sample.
    most : int
        The largest number of codes that may be expected within the radii, over all queries.

    Returns
    -------
    radii : ndarray of int32 of shape (n_queries,) or None
        None if there are too few codes in the sample, or too many within the radii.
    """
    if len(sample) < k:
        return None
    distances = np.zeros((len(words), len(sample)), np.uint16)
    for column in range(words.shape[1]):
        distances += np.bitwise_count(words[:, column, None] ^ sample[:, column])
    radii = np.partition(distances, k - 1, axis=1)[:, k - 1]
    expected = np.count_nonzero(distances <= radii[:, None]) / share
    return radii.astype(np.int32) if expected <= most else None


def _in_order(hits: Hits) -> Hits:
    order = np.lexsort((hits.id, hits.distance, hits.query))
    return Hits(hits.query[order], hits.distance[order].astype(np.int32), hits.id[order].astype(np.int64))
