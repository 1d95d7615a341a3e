"""Multi-index hashing over slices of queries, in threads."""

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from skhash.index.mih import _kernels as kernels
from skhash.index.mih._tables import build_tables
from skhash.index.scan._candidates import ROW, SHIFT

__all__ = ["MultiIndex"]

_MAX_QUERIES = 256  # of a slice, whose answers are gathered before they are joined


class MultiIndex:
    """Tables of substrings, and exact searches in them.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes, fewer than 2**32.
    bits : int
        Code length.
    ends, rows : ndarray of int64 of shape (n + 1,) and of uint32 of shape (n_rows,), default=None
        The rows of code i: `rows[ends[i]:ends[i + 1]]`, rising.

    Attributes
    ----------
    nbytes : int
        Memory of the tables.
    """

    def __init__(self, codes, bits, *, ends=None, rows=None):
        self._tables = build_tables(codes, bits, ends=ends, rows=rows)
        self._n_rows = len(codes) if rows is None else len(rows)
        self._width = (0,) * codes.shape[1]
        self.nbytes = sum(getattr(self._tables, name).nbytes for name in ("offsets", "members", "codes"))

    def nearest(self, queries, k, n_jobs=None, *, allowed=None, budget=np.inf):
        """Find the `k` nearest codes of each query, unless that would cost more than `budget`.

        Returns
        -------
        distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
            Ordered by (distance, row); undefined where the search was given up.
        bounds : ndarray of int64 of shape (n_queries,)
            -1, or an upper bound of the k-th distance where the search was given up.
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query, in the units of the kernels.
        """
        n, arguments = len(queries), self._arguments(queries, allowed)
        distances, rows = np.empty((n, k), np.int32), np.empty((n, k), np.int64)
        bounds, spent = np.empty(n, np.int64), np.empty(n)

        def search(part):
            tables, queries, allowed, width = arguments
            kernels.nearest(
                *(*tables, queries[part], k, float(budget), allowed),
                *(distances[part], rows[part], bounds[part], spent[part], width),
            )

        _in_threads(search, n, n_jobs)
        return distances, rows, bounds, spent

    def within(self, queries, radius, n_jobs=None, *, allowed=None, budget=np.inf):
        """Find all codes within `radius` of each query, unless that would cost more than `budget`.

        Returns
        -------
        counts : ndarray of int64 of shape (n_queries,)
            Number of neighbours; -1 where the search was given up.
        distances, rows : ndarray of int32 and of int64 of shape (n_found,)
            Query after query, each ordered by (distance, row).
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query, in the units of the kernels.
        """
        n, arguments = len(queries), self._arguments(queries, allowed)
        counts, spent = np.empty(n, np.int64), np.empty(n)

        def search(part):
            tables, queries, allowed, width = arguments
            return kernels.within(
                *(*tables, queries[part], radius, float(budget), allowed, self._n_rows),
                *(counts[part], spent[part], width),
            )

        found = np.concatenate(_in_threads(search, n, n_jobs))
        distances = (found >> SHIFT).astype(np.int32)
        found &= ROW
        return counts, distances, found, spent

    def _arguments(self, queries, allowed):
        """Read-only views, so that all kinds of arrays run the same machine code."""
        queries = queries.view(np.ndarray)
        allowed = np.empty(0, bool) if allowed is None else allowed.view(np.ndarray)
        queries.flags.writeable = allowed.flags.writeable = False
        return self._tables, queries, allowed, self._width


def _in_threads(search, n_queries, n_jobs):
    """Call `search` with slices of the queries; the answers in order."""
    n_jobs = effective_n_jobs(n_jobs)
    size = max(1, min(-(-n_queries // n_jobs), _MAX_QUERIES))
    parts = [slice(start, min(start + size, n_queries)) for start in range(0, max(n_queries, 1), size)]
    if n_jobs == 1 or len(parts) == 1:
        return [search(part) for part in parts]
    return Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(search)(part) for part in parts)
