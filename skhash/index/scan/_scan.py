"""The search kernels in threads: over slices of many queries, or over slices of the codes for a few."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from joblib import effective_n_jobs

from skhash.bitops import BLOCK
from skhash.index.scan import _kernels
from skhash.index.scan._few import are_few, nearest_of_few
from skhash.index.scan._filter import Space, find_code, make_patterns, new_space
from skhash.utils import map_threads, read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scan", "map_parts", "most_queries", "n_candidates", "nearest", "prepare", "query_slices", "within"]

_MAX_QUERIES = 256  # that share each pass over the codes; more of them gain nothing and need larger buffers
_MAX_CANDIDATES = 2**17  # of all the queries of a slice
_FEW_QUERIES = 8  # per thread: below that the codes are divided among the threads rather than the queries
_MIN_WORK = 2**21  # words compared by each thread: fewer take less time than starting it
_SAMPLE = (
    (128, 1, 1024),
    (1024, 8, 8192),
)  # codes from which limits are guessed: least, times k, and most; for few queries and many
_WORD, _LOOK, _PICK = 0.08, 0.03, 2.0  # ns to compare a word, to look at a mask, and to pick an allowed code
_FAR = np.iinfo(np.int32).max
_SPARE = 32  # candidates beyond 1.5 k that a query may have before they are cut back to k
_NONE = read_only(np.empty(0, bool))
_NO_ROWS = np.empty(0, np.int64)
_NO_SAMPLE = read_only(np.empty((0, 1), np.uint64))

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    n_queries, n_words = queries.shape
    scan, n_jobs = prepare(codes, allowed, n_queries, n_jobs)
    limits = None
    if bound is not None:
        limits = np.minimum(np.asarray(bound).astype(np.uint64), np.uint64(64 * n_words)) + np.uint64(1)
    distances = np.empty((n_queries, k), np.int32)
    rows = np.empty((n_queries, k), np.int64)
    max_queries = 1 if n_queries == 1 else most_queries(n_candidates(k, len(codes)) + BLOCK)
    if n_jobs == 1 and n_queries <= max_queries:
        scan.by_candidates(queries, limits, distances, rows)
        return distances, rows

    def search(part: slice) -> None:
        some = None if limits is None else limits[part]
        scan.by_candidates(queries[part], some, distances[part], rows[part])

    map_parts(search, query_slices(n_queries, n_jobs, max_queries), n_jobs)
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
    scan, n_jobs = prepare(codes, allowed, len(queries), n_jobs)
    limits = np.empty(len(queries), np.uint64)
    limits.fill(min(radius, 64 * codes.shape[1]) + 1)
    parts = query_slices(len(queries), n_jobs, _MAX_QUERIES)
    return scan.within(queries, limits, parts, n_jobs)


@dataclass(slots=True)
class Scan:
    """Codes to search in `n_jobs` slices at the same time."""

    codes: NDArray[np.uint64]
    allowed: NDArray[np.bool_]
    n_allowed: int
    gathers: bool
    n_jobs: int

    def by_candidates(
        self,
        queries: NDArray[np.uint64],
        bounds: NDArray[np.uint64] | None,
        distances: NDArray[np.int32],
        rows: NDArray[np.int64],
    ) -> None:
        """Find the k nearest codes of each query, from the nearest ones of each slice; fill `distances` and `rows`."""
        if self.n_jobs == 1:
            self._search_slice(slice(0, len(self.codes)), queries, bounds, distances, rows)
            return
        parts, k = _slices(len(self.codes), self.n_jobs), rows.shape[1]
        # One contiguous array for each slice, as without threads: kernels would be compiled again for views.
        near = np.full((len(parts), len(queries), k), _FAR, np.int32)
        near_rows = np.empty((len(parts), len(queries), k), np.int64)

        def search(i: int) -> None:
            self._search_slice(parts[i], queries, bounds, near[i], near_rows[i])

        map_parts(search, range(len(parts)), self.n_jobs)
        near, near_rows = np.hstack(list(near)), np.hstack(list(near_rows))
        order = np.argsort(near, axis=1, kind="stable")[:, :k]  # stable: equal distances stay by rising row
        distances[:] = np.take_along_axis(near, order, axis=1)
        rows[:] = np.take_along_axis(near_rows, order, axis=1)

    def _search_slice(
        self,
        part: slice,
        queries: NDArray[np.uint64],
        bounds: NDArray[np.uint64] | None,
        distances: NDArray[np.int32],
        rows: NDArray[np.int64],
    ) -> None:
        """Find the k nearest codes in a slice: with guessed limits first, and again where these were too low."""
        n_queries, k = rows.shape
        scan, sample, rank = self._part(part), _NO_SAMPLE, 0
        n = len(scan.codes)
        if bounds is None and not len(self.allowed) and are_few(n, queries, k):
            nearest_of_few(scan.codes, part.start, queries, distances, rows)
            return
        least, times, most = _SAMPLE[n_queries >= _FEW_QUERIES]
        n_sample = min(max(least, min(times * k, most)), n // 8) // BLOCK * BLOCK
        if n_sample:
            sample = scan.sample(n_sample)
            rank = _rank_in_sample(len(sample) * k * len(self.codes) / (self.n_allowed * n))
            if rank > len(sample):
                sample = _NO_SAMPLE
        n_failed, counts = scan.search(part.start, queries, bounds, sample, rank, distances, rows)
        if n_failed:
            again = np.flatnonzero(counts < k)
            few = np.full((len(again), k), _FAR, np.int32), np.empty((len(again), k), np.int64)
            bounds = None if bounds is None else bounds[again]
            scan.search(part.start, queries[again], bounds, _NO_SAMPLE, 0, *few)
            distances[again], rows[again] = few

    def search(
        self,
        first: int,
        queries: NDArray[np.uint64],
        bounds: NDArray[np.uint64] | None,
        sample: NDArray[np.uint64],
        rank: int,
        distances: NDArray[np.int32],
        rows: NDArray[np.int64],
    ) -> tuple[int, NDArray[np.int64]]:
        """Call the kernel `nearest`, see there; return its result and the numbers of codes that were found."""
        code, space, n_codes, counts, farthest = _space(queries, self.gathers)
        found = np.empty((len(rows), n_candidates(rows.shape[1], len(self.codes)) + BLOCK), np.int64)
        if bounds is None:
            bounds = farthest
        call: Callable[..., int] = _kernels.nearest
        n_failed = call(
            *(code, self.codes, self.allowed, self.gathers, first, make_patterns(queries), bounds, sample, rank),
            *(*space, n_codes, found, distances, rows, counts),
        )
        return n_failed, counts

    def sample(self, size: int) -> NDArray[np.uint64]:
        """Draw `size` codes, whole blocks, or fewer where not all are allowed.

        At equal intervals, for the first rows may all be far from a query.
        """
        step = len(self.codes) // size
        if len(self.allowed):
            sample = self.codes[::step][self.allowed[::step]]
            sample = sample[: min(size, len(sample)) // BLOCK * BLOCK]
        else:
            sample = self.codes[: step * size : step].copy()
        sample.setflags(write=False)
        return sample

    def _part(self, part: slice) -> Scan:
        """Return a scan of a slice of the codes."""
        if part.stop - part.start == len(self.codes):
            return self
        allowed = self.allowed[part] if len(self.allowed) else self.allowed
        return replace(self, codes=self.codes[part], allowed=allowed)

    def within(
        self,
        queries: NDArray[np.uint64],
        limits: NDArray[np.uint64],
        query_parts: Sequence[slice],
        n_jobs: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Find all codes below each query's limit: count them, then write each to its final position."""
        parts = _slices(len(self.codes), self.n_jobs)
        counts = np.zeros((len(parts), len(queries), int(limits.max(initial=1))), np.int64)
        work = [(i, some) for some in query_parts for i in range(len(parts))]

        def collect(item: tuple[int, slice], slots: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
            i, some = item
            self._part(parts[i]).collect(parts[i].start, queries[some], limits[some], slots[i, some], rows)

        map_parts(lambda item: collect(item, counts, _NO_ROWS), work, n_jobs * self.n_jobs)
        if len(parts) == 1:
            n_at = counts[0]
            slots = (n_at.cumsum() - n_at.ravel()).reshape(counts.shape)
        else:
            # A query's codes are ordered by distance, and at one distance by slice: the first slot of each (query,
            # distance, slice) is the number of codes before it.
            n_at = counts.sum(axis=0)
            in_order = counts.transpose(1, 2, 0).ravel()
            before = (in_order.cumsum() - in_order).reshape(*counts.shape[1:], len(parts))
            slots = np.ascontiguousarray(before.transpose(2, 0, 1))
        # Distances and rows are all the memory that grows with the number of codes found.
        distances = np.arange(n_at.shape[1], dtype=np.int32)
        distances = (distances if len(queries) == 1 else np.tile(distances, len(queries))).repeat(n_at.ravel())
        rows = np.empty(len(distances), np.int64)
        if len(rows):
            map_parts(lambda item: collect(item, slots, rows), work, n_jobs * self.n_jobs)
        return n_at.sum(axis=1), distances, rows

    def collect(
        self,
        first: int,
        queries: NDArray[np.uint64],
        limits: NDArray[np.uint64],
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        """Call the kernel `collect_below`, see there."""
        code, space, n_codes, _, _ = _space(queries, self.gathers)
        call: Callable[..., None] = _kernels.collect_below
        call(
            *(code, self.codes, self.allowed, self.gathers, make_patterns(queries), limits, *space),
            *(n_codes, np.empty(2 * BLOCK, np.int64), first, slots, rows),
        )


def prepare(
    codes: NDArray[np.uint64], allowed: NDArray[np.bool_] | None, n_queries: int, n_jobs: int | None
) -> tuple[Scan, int]:
    """Divide the threads: one scan that uses them all, or one thread per scan and many scans."""
    n_threads = codes.size * n_queries // _MIN_WORK
    if n_threads > 1:
        n_threads = min(n_threads, effective_n_jobs(n_jobs))  # pyright: ignore[reportArgumentType]  # joblib takes None
    n_threads = max(1, n_threads)
    per_scan = n_threads if n_queries < _FEW_QUERIES * n_threads else 1
    n_allowed, gathers = len(codes), False
    if allowed is not None:
        n_allowed = int(np.count_nonzero(allowed))
        gathers = _gathers(codes, n_allowed, n_queries)
    scan = Scan(read_only(codes), _NONE if allowed is None else read_only(allowed), n_allowed, gathers, per_scan)
    return scan, n_threads // per_scan


def n_candidates(k: int, n: int) -> int:
    """Return for how many candidates of `n` codes a query has room: more than k, for they are cut back at once."""
    return min(n, k + k // 2 + _SPARE)


def most_queries(n_candidates: int) -> int:
    """Return the number of queries that share each pass, if each of them may have so many candidates."""
    return max(1, min(_MAX_QUERIES, _MAX_CANDIDATES // n_candidates))


class _ScanSpace(NamedTuple):
    """Memory that a scan needs beside codes and queries; its contents do not outlive the call of a kernel.

    Parameters
    ----------
    code : tuple of int
        The innermost loops: a plain tuple, for numba takes longer to recognize a named one.
    arrays : Space
        Memory for them.
    n_codes : int
        Number of codes in a tile.
    counts : ndarray of int64 of shape (n_queries,)
        Memory for numbers of codes.
    farthest : ndarray of uint64 of shape (n_queries,)
        Bounds that no distance reaches.
    """

    code: tuple[int, ...]
    arrays: Space
    n_codes: int
    counts: NDArray[np.int64]
    farthest: NDArray[np.uint64]


class _LastSpace(threading.local):
    """Memory of the last scan of a few queries in this thread, which a scan of the same shape uses again."""

    shape: tuple[int, int] = -1, -1
    space: _ScanSpace


_last = _LastSpace()


def _space(queries: NDArray[np.uint64], gathers: bool) -> _ScanSpace:
    """Return memory for a scan: that of the last one for a few queries, whose scan may be short."""
    if queries.shape == _last.shape and not gathers:
        return _last.space
    n_queries, n_words = queries.shape
    code = find_code(n_queries, n_words)
    space = _ScanSpace(
        tuple(code),
        *new_space(code, n_queries, n_words, gathers),
        np.empty(n_queries, np.int64),
        np.full(n_queries, 64 * n_words + 1, np.uint64),
    )
    if not gathers and not code.fill_tile:
        _last.shape, _last.space = (-1, -1), space
        _last.shape = n_queries, n_words
    return space


def _gathers(codes: NDArray[np.uint64], n_allowed: int, n_queries: int) -> bool:
    """Check whether it takes less time to gather the allowed codes than to compare the others, too."""
    n, n_words = codes.shape
    gathering = n * _LOOK + n_allowed * (_PICK + n_words)
    return gathering + n_queries * n_allowed * n_words * _WORD < n_queries * n * n_words * _WORD


def _rank_in_sample(expected: float) -> int:
    """Return the rank in a sample below which as many codes as `expected` should be.

    The number of the k nearest codes that are in a sample is nearly Poisson distributed: it exceeds the rank in less
    than one of a thousand cases, and then the search is repeated.
    """
    return int(expected + 4 * expected**0.5 + 3)


def _slices(n: int, n_slices: int) -> list[slice]:
    """Return slices of `n` rows of nearly equal sizes; one even if it is empty."""
    n_slices = max(1, min(n, n_slices))
    return [slice(n * i // n_slices, n * (i + 1) // n_slices) for i in range(n_slices)]


def query_slices(n_queries: int, n_jobs: int, max_queries: int) -> list[slice]:
    """Return slices of the queries, the same number for each thread."""
    return _slices(n_queries, -(-n_queries // (max_queries * n_jobs)) * n_jobs)


def map_parts(function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int) -> list[Result]:
    """Call a function with each item in threads; a single item needs none."""
    return [function(items[0])] if len(items) == 1 else map_threads(function, items, n_jobs)
