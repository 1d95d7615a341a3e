"""Hits of searches within a radius, changed in place: copies would be most of the memory of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.bitops import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["drop_rows", "merge_hits", "prepend"]

_AT_ONCE = 2**16  # hits


def prepend(values: NDArray[Any], first: NDArray[Any]) -> NDArray[Any]:
    """Return `first` and the values behind it, in the memory of the values, to which nobody else may refer."""
    n, shift = len(values), len(first)
    values = _resized(values, n + shift)
    for stop in range(n, 0, -_AT_ONCE):
        start = max(0, stop - _AT_ONCE)
        values[start + shift : stop + shift] = values[start:stop]
    values[:shift] = first
    return values


def merge_hits(
    hits: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]],
    later: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]],
    shift: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Merge the hits of the same queries in codes and in later ones.

    Parameters
    ----------
    hits, later : tuple of ndarray
        Counts, distances and rows of each query's hits, ordered by (distance, row). The memory of `hits` is used for
        the result: nobody else may refer to it.
    shift : int
        Number of codes before the later ones, which is added to their rows.

    Returns
    -------
    merged : tuple of ndarray
        The hits in all codes.
    """
    (counts, distances, rows), (later_counts, later_distances, later_rows) = hits, later
    n_hits = len(rows) + len(later_rows)
    distances, rows = _resized(distances, n_hits), _resized(rows, n_hits)
    merge: Callable[..., None] = _merge_backward
    merge(counts, distances, rows, later_counts, later_distances, later_rows, shift)
    return counts + later_counts, distances, rows


def drop_rows(
    counts: NDArray[np.int64], distances: NDArray[np.int32], rows: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Drop one row of each query, `own`, from its hits, in their memory."""
    ends, counts, n_left = counts.cumsum(), counts.copy(), 0
    for start in range(0, len(rows), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(rows))
        query = ends.searchsorted(np.arange(start, stop), side="right")
        others = rows[start:stop] != own[query]
        n = n_left + int(np.count_nonzero(others))
        distances[n_left:n] = distances[start:stop][others]
        rows[n_left:n] = rows[start:stop][others]
        counts[query[~others]] -= 1
        n_left = n
    return counts, distances[:n_left], rows[:n_left]


def _resized(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the values with room for more, in the same memory where the allocator can extend it."""
    if values.flags.owndata:
        values.resize(size, refcheck=False)
        return values
    longer = np.empty(size, values.dtype)
    longer[: len(values)] = values
    return longer


@kernel
def _merge_backward(counts, distances, rows, later_counts, later_distances, later_rows, shift):
    """Merge from the last hit on, so that none is written over before it is read."""
    i, j = counts.sum() - 1, len(later_rows) - 1
    for q in range(len(counts) - 1, -1, -1):
        end, later_end = i - counts[q], j - later_counts[q]
        while i > end or j > later_end:
            place = i + j + 1
            # Of equal distances the later row is the larger one.
            if j == later_end or (i > end and distances[i] > later_distances[j]):
                distances[place], rows[place] = distances[i], rows[i]
                i -= 1
            else:
                distances[place], rows[place] = later_distances[j], later_rows[j] + shift
                j -= 1
