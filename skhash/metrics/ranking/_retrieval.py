"""Queries, database and relevance of a retrieval, read once and ranked batch by batch for every metric.

A ranking can be known in two ways. In full: the ranks of the relevant items, ties in database order (`ranks`). Or up to
ties: the numbers of items and of relevant items at each distance (`groups`), which is many times faster to compute.
Where only the first ranks count, they come from a search for the nearest items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from threading import local
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skhash.bitops import DistanceCounter
from skhash.codes import as_packed
from skhash.metrics.ranking._nearest import nearest_rows, worth_searching
from skhash.metrics.ranking._ranks import count_listed, rank_relevant
from skhash.metrics.ranking._relevance import ClassRelevance, ListedRelevance, read_relevance
from skhash.metrics.ranking._sliced_ranks import SlicedDatabase
from skhash.utils import local_random_state, read_only, working_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._relevance import Relevance, SharedLabelRelevance
    from skhash.utils import CodesLike, RandomStateLike

    Sides: TypeAlias = tuple[CodesLike, CodesLike, ArrayLike, ArrayLike]
    Batches: TypeAlias = Iterator[tuple[NDArray[np.int64], Any]]

RETRIEVAL_CONSTRAINTS = {"exclude_self": ["boolean"], "n_jobs": [Integral, None]}

_BATCH = 256  # maximal number of queries in a batch
_FEW = 4  # queries for which the database is not sorted by class
_SHARED = 32  # queries per class that make up for a pass of their own over the table
_REPEATED = 8  # at most one of so many codes is counted twice instead
_TABLE_PER_CODE = 4  # memory of a `DistanceCounter` in multiples of that of the codes


def read_retrieval(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Retrieval:
    """Check the codes and labels of both sides and combine them to a retrieval.

    Parameters
    ----------
    query_codes, database_codes, query_labels, database_labels, exclude_self, bits, bitorder, n_jobs
        As in `mean_average_precision`.

    Returns
    -------
    retrieval : Retrieval
        The checked retrieval.
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
    relevance = read_relevance(query_labels, database_labels, len(queries), len(database))
    if exclude_self:
        check_same_sides(queries, database, relevance.sides_agree())
    return Retrieval(queries, database, bits, relevance, own_rows(len(queries), exclude_self), n_jobs)


def read_both_codes(
    query_codes: CodesLike, database_codes: CodesLike, bits: int | None, bitorder: BitOrder
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], int]:
    """Pack the codes of both sides and check that their lengths agree; return them and the code length."""
    queries, query_bits = _pack(query_codes, bits, bitorder, "query_codes")
    database, bits = _pack(database_codes, bits, bitorder, "database_codes")
    if query_bits != bits:
        raise ValueError(
            f"query_codes and database_codes must have the same number of bits, got {query_bits} and {bits}. "
            "(A packed word counts 64 bits unless bits= is passed.)"
        )
    return queries, database, bits


def check_same_sides(queries: NDArray[np.uint64], database: NDArray[np.uint64], labels_agree: bool) -> None:
    """Check that the queries are the database, as required to exclude each query from its own ranking."""
    if not np.array_equal(queries, database):
        raise ValueError("exclude_self=True requires query_codes and database_codes to be equal, row by row.")
    if len(database) == 1:
        raise ValueError("exclude_self=True requires a database of at least two rows, got 1.")
    if not labels_agree:
        raise ValueError("exclude_self=True requires query_labels and database_labels to be equal, row by row.")


def own_rows(n_queries: int, exclude_self: bool) -> NDArray[np.int64]:
    """Return each query's own row in the database; -1 if queries are not part of it."""
    return np.arange(n_queries) if exclude_self else np.full(n_queries, -1)


def _pack(codes: CodesLike, bits: int | None, bitorder: BitOrder, name: str) -> tuple[NDArray[np.uint64], int]:
    """Pack the codes of one side; errors name the argument."""
    try:
        packed, bits = as_packed(codes, bits, bitorder=bitorder)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error
    if len(packed) == 0:
        raise ValueError(f"{name} must have at least one row, got none.")
    return packed, bits


@dataclass(frozen=True)
class Retrieval:
    """Queries, a database and the relevance of its items.

    Parameters
    ----------
    queries, database : ndarray of uint64 of shape (n_queries, n_words) and (n_items, n_words)
        Packed codes.
    bits : int
        Code length.
    relevance : ClassRelevance, SharedLabelRelevance or ListedRelevance
        Relevance of the items to the queries.
    own : ndarray of int64 of shape (n_queries,)
        Each query's own row in the database, which is excluded from its ranking; negative if there is none.
    n_jobs : int or None
        Number of threads.
    """

    queries: NDArray[np.uint64]
    database: NDArray[np.uint64]
    bits: int
    relevance: Relevance
    own: NDArray[np.int64]
    n_jobs: int | None

    @property
    def n_ranked(self) -> int:
        """Number of items in the ranking of a query."""
        return len(self.database) - int(self.own[0] >= 0)

    def shuffled(self, random_state: RandomStateLike) -> Retrieval:
        """Return the retrieval with its database in a random order."""
        order = local_random_state(random_state).permutation(len(self.database))
        own = np.where(self.own >= 0, np.argsort(order)[self.own], -1)
        return replace(self, database=self.database[order], relevance=self.relevance.permute(order), own=own)

    def per_query(self, batches: Iterable[tuple[NDArray[np.int64], Any]]) -> tuple[Any, ...]:
        """Merge the results of `ranks` or `groups`, tuples of arrays with an entry per query, in the queries' order."""
        rows, results = zip(*batches, strict=True)
        back = np.argsort(np.concatenate(rows))
        return tuple(np.concatenate(parts)[back] for parts in zip(*results, strict=True))

    def totals(self) -> NDArray[np.int64]:
        """Count the relevant items in the ranking of each query."""
        totals = self.relevance.totals()
        if self.own[0] >= 0:
            assert not isinstance(self.relevance, ListedRelevance)
            totals = totals - self.relevance.relevant_to_itself()
        return totals

    def ranks(self, reduce: Callable[..., Any], R: int | None = None) -> Batches:
        """Rank the database for each query, equal distances in database order.

        Parameters
        ----------
        reduce : callable
            `reduce(rows, ranks, starts, lengths)` is called for each batch of queries with their rows and the ranks of
            their relevant items, all or only those up to `R`. Ranks count from 1 and ascend; query q has `lengths[q]`
            of them, from `starts[q]` on. The next batch overwrites them.
        R : int, default=None
            Greatest rank that is needed; None means all. Where it is small, only the nearest items are searched for.

        Yields
        ------
        rows, result : ndarray of int64, object
            The rows of a batch and the result of `reduce`.
        """
        relevance = self.relevance
        if R is not None and worth_searching(R, len(self.database)) and not isinstance(relevance, ListedRelevance):
            return self._first_ranks(reduce, R, relevance)
        rank_type = np.int32 if len(self.database) < 2**31 else np.int64
        sliced, columns = None, self.database.T
        n, n_words = self.database.shape
        if SlicedDatabase.pays(n, n_words, relevance.group, working_memory()):
            sliced = SlicedDatabase(self.database)
        else:  # word by word, so that loops over items run along memory
            columns = read_only(np.ascontiguousarray(columns))

        kept = local()  # memory of each thread's ranks: to get it anew for each batch takes as long as to fill it

        def rank(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Any]:
            groups, local = np.unique(self.relevance.group[rows], return_inverse=True)
            offsets, listed = self.relevance.lists(groups)
            lengths = np.diff(offsets)[local]
            starts, totals = lengths.cumsum() - lengths, np.empty(len(rows), np.int64)
            ranks = getattr(kept, "ranks", np.empty(0, rank_type))[: lengths.sum()]
            if len(ranks) < lengths.sum():
                ranks = kept.ranks = np.empty(lengths.sum(), rank_type)
            if sliced is not None:
                sliced.rank(self.queries[rows], local, offsets, listed, self.own[rows], starts, ranks, totals)
                return rows, reduce(rows, ranks, starts, totals)
            distance = np.empty(-(-len(self.database) // 64) * 64, np.min_scalar_type(self.bits + 1))
            rank_relevant(
                *(self.queries[rows], columns, local, offsets, listed, self.own[rows], self.bits),
                *(distance, starts, ranks, totals),
            )
            return rows, reduce(rows, ranks, starts, totals)

        return self._in_batches(rank, working_memory() // (16 * max(1, self.relevance.longest)))

    def _first_ranks(
        self, reduce: Callable[..., Any], R: int, relevance: ClassRelevance | SharedLabelRelevance
    ) -> Batches:
        """Find the ranks of relevant items up to `R` for each query, as described in `ranks`."""
        for batch, rows in nearest_rows(self.queries, self.database, self.bits, self.own, R, self.n_jobs):
            relevant = relevance.of_rows(batch, rows)
            lengths = relevant.sum(axis=1)
            ranks = np.flatnonzero(relevant) % R + 1
            queries = np.arange(batch.start, batch.stop)
            yield queries, reduce(queries, ranks, lengths.cumsum() - lengths, lengths)

    def groups(self, reduce: Callable[..., Any]) -> Batches:
        """Count the items, and the relevant ones, at each distance from each query.

        Parameters
        ----------
        reduce : callable
            `reduce(rows, counts, relevant)` is called for each batch of queries with their rows and two arrays of
            int64 of shape (len(rows), at least bits + 1).

        Yields
        ------
        rows, result : ndarray of int64, object
            The rows of a batch and the result of `reduce`.
        """
        relevance = self.relevance
        # Sorted by class, the relevant items are a range of rows, which is counted with the rest in one pass. A few
        # queries are not worth sorting.
        n_queries, database, ranges = len(self.queries), self.database, None
        if isinstance(relevance, ClassRelevance) and n_queries > _FEW:
            ranges, database = relevance.ranges(), database[relevance.order]
        n_jobs = effective_n_jobs(self.n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
        capacity = max(1, working_memory() // (_TABLE_PER_CODE * 8 * self.database.shape[1] * n_jobs))
        slabs = list(gen_batches(len(database), capacity))
        table = DistanceCounter(database, n_queries) if len(slabs) == 1 else None

        def count(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Any]:
            queries = self.queries[rows]
            counts = np.zeros((len(rows), 64 * queries.shape[1] + 1), np.int64)
            relevant = np.zeros_like(counts)
            for slab in slabs:
                counter = table or DistanceCounter(database[slab], n_queries)
                if ranges is not None:
                    first, last = (np.clip(ends[rows], slab.start, slab.stop) - slab.start for ends in ranges)
                    inside = counter.count(queries, first, last)
                    relevant += inside
                    if _share_passes(first, last, counter.n_codes):
                        counts += inside
                        counts += counter.count(queries, np.zeros_like(first), first)
                        counts += counter.count(queries, last, np.full_like(last, counter.n_codes))
                    else:
                        counts += counter.count(queries)
                else:
                    counts += counter.count(queries)
            if ranges is None:
                groups, local = np.unique(relevance.group[rows], return_inverse=True)
                offsets, listed = relevance.lists(groups)
                count_listed(queries, database, local, offsets, listed, relevant)
            if self.own[0] >= 0:  # each query was counted at distance 0 from itself
                assert not isinstance(relevance, ListedRelevance)
                counts[:, 0] -= 1
                relevant[:, 0] -= relevance.relevant_to_itself()[rows]
            return rows, reduce(rows, counts, relevant)

        per_query = 16 * (64 * self.database.shape[1] + 1) + (8 * relevance.longest if ranges is None else 0)
        # Without a table of the whole database every batch builds the tables again, so batches are as large as can be.
        return self._in_batches(count, working_memory() // per_query, None if table is None else 4 * _BATCH)

    def _in_batches(self, function: Callable[..., Any], capacity: int, most: int | None = _BATCH) -> Batches:
        """Call a function with the rows of batches of queries, in threads, and yield its results.

        All threads together have at most `capacity` queries at a time, a batch at most `most`.
        """
        order = np.argsort(self.relevance.group, kind="stable")  # queries of one group share work
        n_jobs = effective_n_jobs(self.n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
        size = max(1, min(capacity // n_jobs, -(-len(order) // n_jobs), most or len(order)))
        parts = (order[first : first + size] for first in range(0, len(order), size))
        if n_jobs == 1:  # without joblib, whose start takes longer than to rank a query
            return map(function, parts)
        results = Parallel(n_jobs=self.n_jobs, require="sharedmem", return_as="generator")(
            delayed(function)(part) for part in parts
        )
        return cast("Batches", results)


def _share_passes(first: NDArray[np.int64], last: NDArray[np.int64], n_codes: int) -> bool:
    """Check whether to count the codes around the ranges, of which each group of queries has its own, or all codes.

    Codes outside cost a pass of the table for each group; all codes are one pass for all queries, but those inside are
    counted twice.
    """
    n_ranges = 1 + int(np.count_nonzero(first[1:] != first[:-1]))
    return len(first) >= _SHARED * n_ranges or int((last - first).sum()) * _REPEATED > len(first) * n_codes
