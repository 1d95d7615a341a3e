"""The search kernels over slices of queries, in threads."""

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skhash.index import _kernels

__all__ = ["nearest", "within"]

# A few dozen queries share each pass over the codes; more of them gain nothing and need larger buffers.
_MAX_QUERIES = 64
_MAX_CANDIDATES = 2**21


def nearest(codes, queries, k, n_jobs=None):
    """Find the `k` nearest codes of each query.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        Packed codes, C-contiguous; `n >= k`.
    k : int
        Number of neighbours.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    distances, ids : ndarray of int32 and of int64 of shape (n_queries, k)
        Ordered by (distance, id).
    """
    codes, queries, width = _kernel_arguments(codes, queries)
    distances = np.empty((len(queries), k), np.int32)
    ids = np.empty((len(queries), k), np.int64)
    # Rows from all over the codes: the first ones alone may all be far from a query.
    sample = np.ascontiguousarray(codes[:: max(1, len(codes) // max(2048, 16 * k))])
    sample.flags.writeable = False

    max_queries = max(1, min(_MAX_QUERIES, _MAX_CANDIDATES // (2 * k + _kernels.BLOCK)))

    def search(part):
        _kernels.nearest(codes, sample, queries[part], distances[part], ids[part], width)

    _in_threads(search, len(queries), n_jobs, max_queries)
    return distances, ids


def within(codes, queries, radius, n_jobs=None):
    """Find all codes at distance `<= radius` from each query.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        Packed codes, C-contiguous.
    radius : int
        Largest distance.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbours of each query.
    distances, ids : ndarray of int32 and of int64 of shape (counts.sum(),)
        Query after query, each ordered by (distance, id).
    """
    codes, queries, width = _kernel_arguments(codes, queries)
    radius = min(radius, 64 * len(width))

    def search(part):
        counts = np.zeros((part.stop - part.start, radius + 1), np.int64)
        distances, ids = np.empty(0, np.int32), np.empty(0, np.int64)
        _kernels.within(codes, queries[part], counts, distances, ids, width)
        ends = np.cumsum(counts).reshape(counts.shape)
        distances, ids = np.empty(ends[-1, -1], np.int32), np.empty(ends[-1, -1], np.int64)
        _kernels.within(codes, queries[part], ends - counts, distances, ids, width)
        return counts.sum(axis=1), distances, ids

    found = _in_threads(search, len(queries), n_jobs, _MAX_QUERIES)
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def _kernel_arguments(codes, queries):
    """Read-only views, so that memory-mapped and ordinary arrays run the same machine code, and the kernels' width."""
    codes, queries = codes.view(), queries.view()
    codes.flags.writeable = queries.flags.writeable = False
    return codes, queries, (0,) * codes.shape[1]


def _in_threads(search, n_queries, n_jobs, max_queries):
    """Call `search` with slices of the queries; the answers in order."""
    share = -(-n_queries // effective_n_jobs(n_jobs))
    parts = gen_batches(n_queries, min(share, max_queries))
    return Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(search)(part) for part in parts)
