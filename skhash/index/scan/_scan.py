"""The search kernels in threads: over slices of many queries, or over slices of the codes for a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from joblib import effective_n_jobs

from skhash.index.scan import _kernels
from skhash.index.scan._filter import BLOCK
from skhash.utils import map_threads, read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nearest", "width_of", "within"]

_MAX_QUERIES = 256  # that share each pass over the codes; more of them gain nothing and need larger buffers
_MAX_CANDIDATES = 2**20  # of all the queries of a slice
_FEW_QUERIES = 8  # per thread: below that the codes are divided among the threads rather than the queries
_MIN_WORK = 2**21  # words compared by each thread: fewer take less time than starting it
_COUNTING = 32  # search for more than a 32nd of the codes counts first and then fills, without candidates
_FAR = np.iinfo(np.int32).max

Item = TypeVar("Item")
Result = TypeVar("Result")


def width_of(n_words: int) -> tuple[int, ...] | NDArray[np.int64]:
    """Return the kernels' argument `width`, see `skhash.index.scan._filter`."""
    return (0,) * n_words if n_words in (1, 2, 4, 8) else np.zeros(n_words, np.int64)


def nearest(
    codes: NDArray[np.uint64],
    queries: NDArray[np.uint64],
    k: int,
    n_jobs: int | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
    bound: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the `k` nearest codes of each query.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        Packed codes, C-contiguous; `n >= k`.
    k : int
        Number of neighbors.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found, at least `k`; None for all.
    bound : ndarray of int of shape (n_queries,), default=None
        Upper bounds of the k-th distances, if known: they save time and do not change the result.

    Returns
    -------
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Ordered by (distance, row).
    """
    scan, n_jobs = _prepare(codes, allowed, len(queries), n_jobs)
    queries = read_only(queries)
    limits = np.full(len(queries), 64 * codes.shape[1] + 1, np.uint64)
    if bound is not None:
        limits = np.minimum(limits, np.asarray(bound).astype(np.uint64) + np.uint64(1))
    distances = np.empty((len(queries), k), np.int32)
    rows = np.empty((len(queries), k), np.int64)
    most = len(codes) // _COUNTING
    sample = scan.sample(min(max(16 * k, min(2048, 256 * len(queries))), most))

    def search(part: slice) -> None:
        if k > most:
            found = scan.by_counting(queries[part], limits[part], k)[1:]
        else:
            _kernels.lower_limits(sample, queries[part], k, limits[part], scan.width)
            found = scan.by_candidates(queries[part], limits[part], k)
        distances[part], rows[part] = (array.reshape(-1, k) for array in found)

    max_queries = max(1, min(_MAX_QUERIES, _MAX_CANDIDATES // (2 * k + BLOCK)))
    _map(search, _query_slices(len(queries), n_jobs, max_queries), n_jobs)
    return distances, rows


def within(
    codes: NDArray[np.uint64],
    queries: NDArray[np.uint64],
    radius: int,
    n_jobs: int | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Find all codes at distance `<= radius` from each query.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        Packed codes, C-contiguous.
    radius : int
        Largest distance.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found; None for all.

    Returns
    -------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbors of each query.
    distances, rows : ndarray of int32 and of int64 of shape (counts.sum(),)
        Query after query, each ordered by (distance, row).
    """
    scan, n_jobs = _prepare(codes, allowed, len(queries), n_jobs)
    queries = read_only(queries)
    limits = np.full(len(queries), min(radius, 64 * codes.shape[1]) + 1, np.uint64)

    def search(part: slice) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        return scan.by_counting(queries[part], limits[part], len(codes))

    counts, distances, rows = zip(*_map(search, _query_slices(len(queries), n_jobs, _MAX_QUERIES), n_jobs), strict=True)
    return np.concatenate(counts), np.concatenate(distances), np.concatenate(rows)


@dataclass(frozen=True)
class _Scan:
    """Codes to search in `n_jobs` slices at the same time."""

    codes: NDArray[np.uint64]
    allowed: NDArray[np.bool_]
    width: tuple[int, ...] | NDArray[np.int64]
    n_jobs: int

    def sample(self, size: int) -> NDArray[np.uint64]:
        """Draw a strided sample of about `size` allowed rows: the first rows may all be far from a query."""
        step = max(1, len(self.codes) // max(1, size))
        sample = self.codes[::step]
        return read_only(sample[self.allowed[::step]] if len(self.allowed) else np.ascontiguousarray(sample))

    def by_candidates(
        self, queries: NDArray[np.uint64], limits: NDArray[np.uint64], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Find the `k` nearest codes of each query, from the nearest ones of each slice."""
        parts = _slices(len(self.codes), self.n_jobs)
        distances = np.full((len(queries), len(parts), k), _FAR, np.int32)
        rows = np.empty((len(queries), len(parts), k), np.int64)

        def search(i: int) -> None:
            part = parts[i]
            _kernels.nearest(
                *(self.codes[part], self.allowed[part], part.start, queries, limits.copy()),
                *(distances[:, i], rows[:, i], self.width),
            )

        _map(search, range(len(parts)), self.n_jobs)
        if len(parts) == 1:
            return distances, rows
        distances, rows = distances.reshape(len(queries), -1), rows.reshape(len(queries), -1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: equal distances stay by rising row
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def by_counting(
        self, queries: NDArray[np.uint64], limits: NDArray[np.uint64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Find up to `k` codes below each query's limit: count them, then write each to its final position."""
        parts = _slices(len(self.codes), self.n_jobs)
        counts = np.zeros((len(parts), len(queries), int(limits.max(initial=1))), np.int64)

        def count(i: int) -> None:
            part = parts[i]
            _kernels.count_below(self.codes[part], self.allowed[part], queries, limits, counts[i], self.width)

        _map(count, range(len(parts)), self.n_jobs)
        below = counts.sum(axis=0).cumsum(axis=1)  # codes at most at each distance, over all slices
        sizes = np.minimum(below[:, -1], k)
        # The first distance at which a query has all that it may keep; nothing beyond is looked at again.
        limits = (below < sizes[:, None]).sum(axis=1).astype(np.uint64) + np.uint64(1)
        ends = sizes.cumsum()
        # A query's codes are ordered by distance, and at one distance by slice: the first slot of each (query,
        # distance, slice) is the number of codes before it.
        before = counts.transpose(1, 2, 0).reshape(len(queries), counts.shape[2] * len(parts))
        before = before.cumsum(axis=1) - before + (ends - sizes)[:, None]
        slots = np.ascontiguousarray(before.reshape(*counts.shape[1:], len(parts)).transpose(2, 0, 1))
        distances, rows = np.empty(sizes.sum(), np.int32), np.empty(sizes.sum(), np.int64)

        def fill(i: int) -> None:
            part = parts[i]
            _kernels.fill_below(
                *(self.codes[part], self.allowed[part], part.start, queries, limits),
                *(slots[i], ends, distances, rows, self.width),
            )

        _map(fill, range(len(parts)), self.n_jobs)
        return sizes, distances, rows


def _prepare(
    codes: NDArray[np.uint64], allowed: NDArray[np.bool_] | None, n_queries: int, n_jobs: int | None
) -> tuple[_Scan, int]:
    """Divide the threads: one scan that uses them all, or one thread per scan and many scans."""
    n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  # joblib takes None
    n_threads = max(1, min(n_threads, codes.size * n_queries // _MIN_WORK))
    per_scan = n_threads if n_queries < _FEW_QUERIES * n_threads else 1
    allowed = np.empty(0, bool) if allowed is None else allowed
    scan = _Scan(read_only(codes), read_only(allowed), width_of(codes.shape[1]), per_scan)
    return scan, n_threads // per_scan


def _slices(n: int, n_slices: int) -> list[slice]:
    """Return slices of `n` rows of nearly equal sizes; one even if it is empty."""
    n_slices = max(1, min(n, n_slices))
    return [slice(n * i // n_slices, n * (i + 1) // n_slices) for i in range(n_slices)]


def _query_slices(n_queries: int, n_jobs: int, max_queries: int) -> list[slice]:
    """Return slices of the queries, the same number for each thread."""
    return _slices(n_queries, -(-n_queries // (max_queries * n_jobs)) * n_jobs)


def _map(function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int) -> list[Result]:
    """Call a function with each item in threads; a single item needs none."""
    return [function(items[0])] if len(items) == 1 else map_threads(function, items, n_jobs)
