"""The search kernels in threads: over slices of many queries, or over slices of the codes for a few."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from joblib import effective_n_jobs

from skhash.index.scan import _kernels
from skhash.index.scan._filter import BLOCK, width_of

__all__ = ["nearest", "within"]

_MAX_QUERIES = 256  # that share each pass over the codes; more of them gain nothing and need larger buffers
_MAX_CANDIDATES = 2**20  # of all the queries of a slice
_FEW_QUERIES = 8  # per thread: below that the codes are shared out rather than the queries
_MIN_WORK = 2**21  # words compared by each thread: fewer take less time than starting it
_COUNTING = 32  # search for more than a 32nd of the codes counts first and then fills, without candidates
_FAR = np.iinfo(np.int32).max


def nearest(codes, queries, k, n_jobs=None, *, allowed=None, bound=None):
    """Find the `k` nearest codes of each query.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        Packed codes, C-contiguous; `n >= k`.
    k : int
        Number of neighbours.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Which codes count, at least `k`; None if all do.
    bound : ndarray of int of shape (n_queries,), default=None
        Distances that the k-th neighbours do not exceed, if known: it saves time and changes nothing else.

    Returns
    -------
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Ordered by (distance, row).
    """
    scan, n_jobs = _prepare(codes, allowed, len(queries), n_jobs)
    queries = _read_only(queries)
    limits = np.full(len(queries), 64 * codes.shape[1] + 1, np.uint64)
    if bound is not None:
        limits = np.minimum(limits, np.asarray(bound).astype(np.uint64) + np.uint64(1))
    distances = np.empty((len(queries), k), np.int32)
    rows = np.empty((len(queries), k), np.int64)
    most = len(codes) // _COUNTING
    sample = scan.sample(min(max(16 * k, min(2048, 256 * len(queries))), most))

    def search(part):
        if k > most:
            found = scan.by_counting(queries[part], limits[part], k)[1:]
        else:
            _kernels.lower_limits(sample, queries[part], k, limits[part], scan.width)
            found = scan.by_candidates(queries[part], limits[part], k)
        distances[part], rows[part] = (array.reshape(-1, k) for array in found)

    max_queries = max(1, min(_MAX_QUERIES, _MAX_CANDIDATES // (2 * k + BLOCK)))
    _in_threads(search, _query_slices(len(queries), n_jobs, max_queries), n_jobs)
    return distances, rows


def within(codes, queries, radius, n_jobs=None, *, allowed=None):
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
        Which codes count; None if all do.

    Returns
    -------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbours of each query.
    distances, rows : ndarray of int32 and of int64 of shape (counts.sum(),)
        Query after query, each ordered by (distance, row).
    """
    scan, n_jobs = _prepare(codes, allowed, len(queries), n_jobs)
    queries = _read_only(queries)
    limits = np.full(len(queries), min(radius, 64 * codes.shape[1]) + 1, np.uint64)

    def search(part):
        return scan.by_counting(queries[part], limits[part], len(codes))

    found = _in_threads(search, _query_slices(len(queries), n_jobs, _MAX_QUERIES), n_jobs)
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


@dataclass(frozen=True)
class _Scan:
    """Codes to be searched in `n_jobs` slices at once."""

    codes: np.ndarray
    allowed: np.ndarray
    width: tuple | np.ndarray
    n_jobs: int

    def sample(self, size):
        """About `size` rows, but the allowed ones, from all over: the first ones may all be far from a query."""
        step = max(1, len(self.codes) // max(1, size))
        sample = self.codes[::step]
        return _read_only(sample[self.allowed[::step]] if len(self.allowed) else np.ascontiguousarray(sample))

    def by_candidates(self, queries, limits, k):
        """Find the `k` nearest codes of each query, from the nearest ones of each slice."""
        parts = _slices(len(self.codes), self.n_jobs)
        distances = np.full((len(queries), len(parts), k), _FAR, np.int32)
        rows = np.empty((len(queries), len(parts), k), np.int64)

        def search(i):
            part = parts[i]
            _kernels.nearest(
                *(self.codes[part], self.allowed[part], part.start, queries, limits.copy()),
                *(distances[:, i], rows[:, i], self.width),
            )

        _in_threads(search, range(len(parts)), self.n_jobs)
        if len(parts) == 1:
            return distances, rows
        distances, rows = distances.reshape(len(queries), -1), rows.reshape(len(queries), -1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: equal distances stay by rising row
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def by_counting(self, queries, limits, k):
        """Find up to `k` codes below each query's limit: count them, and then write each where it belongs."""
        parts = _slices(len(self.codes), self.n_jobs)
        counts = np.zeros((len(parts), len(queries), int(limits.max(initial=1))), np.int64)

        def count(i):
            part = parts[i]
            _kernels.count_below(self.codes[part], self.allowed[part], queries, limits, counts[i], self.width)

        _in_threads(count, range(len(parts)), self.n_jobs)
        below = counts.sum(axis=0).cumsum(axis=1)
        sizes = np.minimum(below[:, -1], k)
        limits = (below < sizes[:, None]).sum(axis=1).astype(np.uint64) + np.uint64(1)
        ends = sizes.cumsum()
        # Within a query by distance, within a distance by slice: the first slot of each is what lies before it.
        before = counts.transpose(1, 2, 0).reshape(len(queries), counts.shape[2] * len(parts))
        before = before.cumsum(axis=1) - before + (ends - sizes)[:, None]
        slots = np.ascontiguousarray(before.reshape(*counts.shape[1:], len(parts)).transpose(2, 0, 1))
        distances, rows = np.empty(sizes.sum(), np.int32), np.empty(sizes.sum(), np.int64)

        def fill(i):
            part = parts[i]
            _kernels.fill_below(
                *(self.codes[part], self.allowed[part], part.start, queries, limits),
                *(slots[i], ends, distances, rows, self.width),
            )

        _in_threads(fill, range(len(parts)), self.n_jobs)
        return sizes, distances, rows


def _prepare(codes, allowed, n_queries, n_jobs):
    """Share threads out: one scan that uses them all, or one thread per scan and many scans."""
    n_jobs = max(1, min(effective_n_jobs(n_jobs), codes.size * n_queries // _MIN_WORK))
    per_scan = n_jobs if n_queries < _FEW_QUERIES * n_jobs else 1
    allowed = np.empty(0, bool) if allowed is None else allowed
    scan = _Scan(_read_only(codes), _read_only(allowed), width_of(codes.shape[1]), per_scan)
    return scan, n_jobs // per_scan


def _read_only(array):
    """A read-only view, so that memory-mapped and ordinary arrays run the same machine code."""
    array = array.view(np.ndarray)
    array.flags.writeable = False
    return array


def _slices(n, n_slices):
    """Slices of `n` rows, as equal as can be; one even if it is empty."""
    n_slices = max(1, min(n, n_slices))
    return [slice(n * i // n_slices, n * (i + 1) // n_slices) for i in range(n_slices)]


def _query_slices(n_queries, n_jobs, max_queries):
    """Slices of the queries, as many for each thread."""
    return _slices(n_queries, -(-n_queries // (max_queries * n_jobs)) * n_jobs)


def _in_threads(function, items, n_jobs):
    """Call a function with each item; the answers in order. Own threads start much faster than joblib's."""
    if n_jobs == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_jobs) as threads:
        return list(threads.map(function, items))
