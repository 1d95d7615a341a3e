"""The nearest codes with a limit to the work, and how many of them are certain to be the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.index.engine._segment import Segment
from skhash.index.mih._kernels import FAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.engine._engine import NearestRequest, SearchEngine

    Met = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]

__all__ = ["search_limited"]


def search_limited(
    engine: SearchEngine, queries: NDArray[np.uint64], request: NearestRequest, max_probes: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Find the nearest codes among those in the first buckets of the tables, which are built if they do not exist.

    A query that would cost more than a scan is scanned, so that its answer is exact. So are the codes that were
    appended after the tables were built.

    Parameters
    ----------
    engine : SearchEngine
        The engine.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed codes, C-contiguous.
    request : NearestRequest
        What to find.
    max_probes : int
        Largest number of buckets to look up for each query.

    Returns
    -------
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Ordered by (distance, row); -1 where fewer codes were met.
    n_certain : ndarray of int64 of shape (n_queries,)
        How many of the first neighbors are those of an exact search.

    Raises
    ------
    ValueError
        If there can be no tables.
    """
    segment = engine._state[0]
    n, n_all = len(segment.codes), len(engine.codes)
    head, tail = (request, None) if n == n_all else (request.restrict(0, n), request.restrict(n, n_all))
    if head.is_empty:
        distances, rows = head.scan(segment, queries)
        reached = np.full(len(queries), FAR)
    else:
        distances, rows, reached = _probe(segment, queries, head, max_probes)
    if tail is not None and not tail.is_empty:
        answer = tail.scan(Segment(engine.codes[n:], engine.bits), queries)
        distances, rows = request.merge_tail((distances, rows), answer, n)
    # All codes that are not farther than the distance reached were met.
    n_certain = np.count_nonzero(distances <= np.minimum(reached, FAR - 1)[:, None], axis=1)
    missing = distances == FAR
    distances[missing] = rows[missing] = -1
    engine.last_search = {"algorithm": "mih", "n_queries": len(queries), "n_probed": len(queries)}
    return distances, rows, n_certain


def _probe(segment: Segment, queries: NDArray[np.uint64], request: NearestRequest, max_probes: int) -> Met:
    """Return the nearest codes that were met, `FAR` and -1 where there are fewer, and the distance reached."""
    if not segment.can_build:
        raise ValueError(f"max_probes needs tables, which cannot hold so many or so long codes: {segment.codes.shape}.")
    if segment.tables is None:
        segment.build()
    assert segment.tables is not None
    distances, rows, reached, bounds = segment.tables.nearest_met(
        *(queries, request.k, request.n_jobs),
        **{"max_probes": max_probes, "allowed": request.allowed, "budget": segment.scan_ns},
    )
    left = np.flatnonzero(bounds >= 0)
    if len(left):
        distances[left], rows[left] = request.scan(segment, queries[left], bounds[left])
        reached[left] = FAR
    return distances, rows, reached
