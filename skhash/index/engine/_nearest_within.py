"""The nearest codes within a radius, at most so many for each query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.index.engine._engine import NearestRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.engine._engine import RadiusRequest, SearchEngine

__all__ = ["nearest_within"]

_AT_ONCE = 2**20  # neighbors that are found before those beyond the radius are dropped


def nearest_within(
    engine: SearchEngine,
    queries: NDArray[np.uint64],
    request: RadiusRequest,
    k: int,
    own: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Find the `k` nearest codes of each query, and keep those within a radius.

    Parameters
    ----------
    engine : SearchEngine
        Searches the codes.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed codes, C-contiguous.
    request : RadiusRequest
        The radius, the codes that may be found, and the number of threads.
    k : int
        Number of neighbors, at most that of the codes that may be found.
    own : ndarray of int64 of shape (n_queries,), default=None
        Rows of the queries themselves: they are left out, and at most `k - 1` neighbors kept.

    Returns
    -------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbors of each query.
    distances, rows : ndarray of int32 and of int64 of shape (counts.sum(),)
        Query after query, each ordered by (distance, row).
    """
    nearest = NearestRequest(k, n_jobs=request.n_jobs, allowed=request.allowed)
    counts = np.empty(len(queries), np.int64)
    parts = []
    step = max(1, _AT_ONCE // k)
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        distances, rows = engine.search(queries[some], nearest)
        kept = distances <= request.radius
        if own is not None:
            # Among many equal codes a code may not be one of its own k nearest: then the last one goes.
            others = rows != own[some, None]
            others[others.all(axis=1), -1] = False
            kept &= others
        counts[some] = np.count_nonzero(kept, axis=1)
        parts.append((distances[kept], rows[kept]))
    if len(parts) == 1:
        return counts, *parts[0]
    distances, rows = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return counts, distances, rows
