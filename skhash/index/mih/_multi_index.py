"""Multi-index hashing over slices of queries, in threads."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from joblib import effective_n_jobs

from skhash.bitops import LANES, member_code
from skhash.index.mih._kernels import FAR, UNLIMITED, search
from skhash.index.mih._probe import BLOCK, BUCKETS
from skhash.index.mih._tables import Tables, build_tables
from skhash.index.scan._candidates import ROW, SHIFT
from skhash.index.scan._filter import make_patterns
from skhash.utils import map_threads, read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MultiIndex"]

_SPARE = 128  # candidates beyond 2 k
_ROOM = 2**14  # neighbors within a radius, at first
_NO_DISTANCES, _NO_ROWS = np.empty((0, 0), np.int32), np.empty((0, 0), np.int64)
_MAX_QUERIES = 256  # of a slice, whose answers are gathered before they are joined

Result = TypeVar("Result")


class MultiIndex:
    """Tables of substrings, and exact searches in them.

    Parameters
    ----------
    tables : Tables
        The tables.
    bits : int
        Code length.

    Attributes
    ----------
    nbytes : int
        Memory of the tables.
    """

    nbytes: int

    def __init__(self, tables: Tables, bits: int) -> None:
        self._tables = tables
        self._bits = bits
        n_copies, n, n_words = tables.codes.shape
        self._n_rows = len(tables.rows) if len(tables.ends) else n
        codes, members = tables.codes.reshape(n_copies * n, n_words), tables.members.ravel()
        self._arrays = *tables[:3], members, codes, tables.ends, tables.rows
        self.nbytes = tables.offsets.nbytes + tables.members.nbytes + tables.codes.nbytes
        if n_copies < len(tables.members):  # the rows are in the order of the copy
            self.nbytes += tables.ends.nbytes + tables.rows.nbytes

    @classmethod
    def in_steps(
        cls,
        codes: NDArray[np.uint64],
        bits: int,
        *,
        ends: NDArray[np.int64] | None = None,
        rows: NDArray[np.uint32] | None = None,
    ) -> Generator[None, None, MultiIndex]:
        """Build the tables of some codes, and pause after each table.

        Parameters
        ----------
        codes : ndarray of uint64 of shape (n, n_words)
            Packed codes, fewer than 2**32.
        bits : int
            Code length.
        ends, rows : ndarray of int64 of shape (n + 1,) and of uint32 of shape (n_rows,), default=None
            The rows of code i: `rows[ends[i]:ends[i + 1]]`, ascending. None means row i.

        Returns
        -------
        steps : generator
            Returns the `MultiIndex`.
        """
        return cls((yield from build_tables(codes, bits, ends, rows)), bits)

    def nearest(
        self,
        queries: NDArray[np.uint64],
        k: int,
        n_jobs: int | None = None,
        *,
        allowed: NDArray[np.bool_] | None = None,
        budget: float = np.inf,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Find the `k` nearest codes of each query, unless that would cost more than `budget`.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        k : int
            Number of neighbors; at most the number of rows that may be found.
        n_jobs : int, default=None
            Number of threads.
        allowed : ndarray of bool of shape (n_rows,), default=None
            Mask of the rows that may be found; None for all.
        budget : float, default=inf
            Largest cost of a query, in ns as counted by the kernels.

        Returns
        -------
        distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
            Ordered by (distance, row); undefined where the search was given up.
        bounds : ndarray of int64 of shape (n_queries,)
            -1, or an upper bound of the k-th distance where the search was given up.
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query in ns.
        """
        distances, rows, counts, spent = self._nearest(queries, k, n_jobs, allowed, budget, UNLIMITED)
        return distances, rows, np.where(counts < 0, -1 - counts, -1), spent

    def nearest_met(
        self,
        queries: NDArray[np.uint64],
        k: int,
        n_jobs: int | None = None,
        *,
        max_probes: int,
        allowed: NDArray[np.bool_] | None = None,
        budget: float = np.inf,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Find the `k` nearest codes of each query among those in the first `max_probes` buckets.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        k : int
            Number of neighbors; at most the number of rows that may be found, at least 1.
        n_jobs : int, default=None
            Number of threads.
        max_probes : int
            Largest number of buckets to look up for each query.
        allowed : ndarray of bool of shape (n_rows,), default=None
            Mask of the rows that may be found; None for all.
        budget : float, default=inf
            Largest cost of a query, in ns as counted by the kernels.

        Returns
        -------
        distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
            Ordered by (distance, row), `FAR` and -1 where fewer codes were met; undefined where the search was given
            up.
        reached : ndarray of int64 of shape (n_queries,)
            The distance up to which all codes were met, -1 for none; `FAR` where the answer is exact.
        bounds : ndarray of int64 of shape (n_queries,)
            -1, or an upper bound of the k-th distance where the search was given up.
        """
        max_probes = min(max_probes, UNLIMITED)
        distances, rows, counts, _ = self._nearest(queries, k, n_jobs, allowed, budget, max_probes)
        return distances, rows, np.minimum(counts - 1, FAR), np.where(counts < 0, -1 - counts, -1)

    def within(
        self,
        queries: NDArray[np.uint64],
        radius: int,
        n_jobs: int | None = None,
        *,
        allowed: NDArray[np.bool_] | None = None,
        budget: float = np.inf,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
        """Find all codes within `radius` of each query, unless that would cost more than `budget`.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        radius : int
            Largest distance.
        n_jobs : int, default=None
            Number of threads.
        allowed : ndarray of bool of shape (n_rows,), default=None
            Mask of the rows that may be found; None for all.
        budget : float, default=inf
            Largest cost of a query, in ns as counted by the kernels.

        Returns
        -------
        counts : ndarray of int64 of shape (n_queries,)
            Number of neighbors; -1 where the search was given up.
        distances, rows : ndarray of int32 and of int64 of shape (n_found,)
            Query after query, each ordered by (distance, row).
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query in ns.
        """
        n, radius = len(queries), min(radius, self._bits)
        counts, spent = np.empty(n, np.int64), np.empty(n)
        request = queries, 0, radius, allowed, budget, UNLIMITED, counts, spent

        def search_part(part: slice) -> NDArray[np.int64]:
            return self._search(part, *request, _ROOM, _NO_DISTANCES, _NO_ROWS)

        found = np.concatenate(_map_slices(search_part, n, n_jobs))
        distances = (found >> SHIFT).astype(np.int32)
        found &= ROW
        return np.maximum(counts, -1), distances, found, spent

    def _nearest(
        self,
        queries: NDArray[np.uint64],
        k: int,
        n_jobs: int | None,
        allowed: NDArray[np.bool_] | None,
        budget: float,
        max_probes: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return what the kernel fills: distances, rows, counts and spent."""
        n = len(queries)
        distances, rows = np.empty((n, k), np.int32), np.empty((n, k), np.int64)
        counts, spent = np.empty(n, np.int64), np.empty(n)
        request = queries, k, self._bits, allowed, budget, max_probes, counts, spent

        def search_part(part: slice) -> None:
            self._search(part, *request, 2 * k + _SPARE, distances[part], rows[part])

        _map_slices(search_part, n, n_jobs)
        return distances, rows, counts, spent

    def _search(
        self,
        part: slice,
        queries: NDArray[np.uint64],
        k: int,
        radius: int,
        allowed: NDArray[np.bool_] | None,
        budget: float,
        max_probes: int,
        counts: NDArray[np.int64],
        spent: NDArray[np.float64],
        room: int,
        distances: NDArray[np.int32],
        rows: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Answer a part of the queries, see `search` of the kernels; return what is found within a radius.

        Where the room is not enough, the search goes on with more of it.
        """
        queries = read_only(queries[part])
        n_tables = len(self._tables.bases)
        scratch = (
            *(np.empty(BLOCK + LANES, np.int64), np.empty((2, BUCKETS + 1), np.int64)),
            *(np.empty(n_tables, np.int64), np.empty(n_tables, np.int64), np.empty(n_tables)),
            *(np.empty(64 * queries.shape[1] + 1, np.int64), np.empty(4, np.int64)),
        )
        code, patterns = member_code(queries.shape[1]), make_patterns(queries)
        request = k, radius, float(budget), max_probes, _mask(allowed), self._n_rows
        found = np.empty(room, np.int64)
        q, total = 0, 0
        while True:
            q, total = search(
                *(code, *self._arrays, queries, patterns, q, total, *request, found, np.empty_like(found)),
                *(*scratch, distances, rows, counts[part], spent[part]),
            )
            if q == len(queries):
                return found[:total]
            found = np.concatenate((found[:total], np.empty(4 * len(found), np.int64)))


def _mask(allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return the kernels' form of a mask: an empty one allows all."""
    return read_only(np.empty(0, bool) if allowed is None else allowed)


def _map_slices(search: Callable[[slice], Result], n_queries: int, n_jobs: int | None) -> list[Result]:
    """Call `search` with slices of the queries, in threads; return the answers in order."""
    if n_queries <= 1:  # joblib takes longer to answer than the query
        return [search(slice(0, n_queries))]
    n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  # joblib takes None
    size = max(1, min(-(-n_queries // n_threads), _MAX_QUERIES))
    parts = [slice(start, min(start + size, n_queries)) for start in range(0, max(n_queries, 1), size)]
    return [search(parts[0])] if len(parts) == 1 else map_threads(search, parts, n_threads)
