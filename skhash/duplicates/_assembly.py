"""Groups and pairs of pictures from those of their distinct codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from skhash.duplicates._grouping import complete_groups, connected_groups, explain_choice
from skhash.duplicates._result import Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.duplicates._distinct import DistinctCodes
    from skhash.duplicates._encoding import Picture
    from skhash.perceptual import ImageItems


def group_rows(codes: DistinctCodes, ranks: NDArray[np.int64], linkage: str) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the groups of two or more pictures.

    Parameters
    ----------
    codes : DistinctCodes
        The codes of the pictures.
    ranks : ndarray of int64 of shape (n_pictures,)
        0 for the picture that is kept before all others.
    linkage : {"connected", "complete"}
        The kind of groups.

    Yields
    ------
    rows : list of int
        The pictures of a group, by rank. Groups come in the order of their first pictures.
    distances : list of int
        Number of bits in which each differs from the first of the list.
    """
    if linkage == "connected":
        of_code = connected_groups(len(codes), codes.later, codes.earlier)
    else:
        best = np.array([ranks[rows].min() for rows in codes.members()], np.int64)
        of_code = complete_groups(best, codes.later, codes.earlier, codes.distances)
    rows_of: dict[int, list[int]] = {}
    for row, code in enumerate(codes.of_picture):
        rows_of.setdefault(int(of_code[code]), []).append(row)
    packed, code_of = codes.packed, np.array(codes.of_picture, np.int64)
    for rows in rows_of.values():
        if len(rows) > 1:
            rows.sort(key=lambda row: ranks[row])
            differing = packed[code_of[rows]] ^ packed[code_of[rows[0]]]
            yield rows, np.bitwise_count(differing).sum(axis=1, dtype=np.int64).tolist()


def make_group(pictures: list[Picture], sources: list[tuple[ImageItems, int]], distances: list[int]) -> Group:
    """Make a group of its pictures, the one to keep first.

    Parameters
    ----------
    pictures : list of Picture
        The pictures.
    sources : list of (ImageItems, int)
        Where to read each of them again.
    distances : list of int
        Number of bits in which each differs from the first.

    Returns
    -------
    group : Group
        The group.
    """
    return Group(pictures, distances, explain_choice(pictures[0], pictures[1]), sources)


def list_pairs(
    codes: DistinctCodes, names: list[str | int], sides: list[int], across: bool
) -> Callable[[], Iterator[tuple[str | int, str | int, int]]]:
    """Return a function that yields every two duplicates with their distance: there may be very many.

    Parameters
    ----------
    codes : DistinctCodes
        The codes of the pictures.
    names : list of str or int
        Names of the pictures.
    sides : list of int
        Where pictures came from.
    across : bool
        Whether only pairs count whose pictures came from different sides.

    Returns
    -------
    pairs : callable
        Returns an iterator over (name, name, distance), the earlier picture first.
    """
    members, edges = codes.members(), (codes.later, codes.earlier, codes.distances)

    def near() -> Iterator[tuple[int, int, int]]:
        for rows in members:
            for place, row in enumerate(rows):
                yield from ((row, other, 0) for other in rows[place + 1 :])
        for later, earlier, distance in zip(*(part.tolist() for part in edges), strict=True):
            yield from ((a, b, distance) for a in members[earlier] for b in members[later])

    def pairs() -> Iterator[tuple[str | int, str | int, int]]:
        for a, b, distance in near():
            if not across or sides[a] != sides[b]:
                yield names[min(a, b)], names[max(a, b)], distance

    return pairs
