"""Who searches what and what is relevant to whom: read once, and ranked batch by batch for whatever is measured.

There are two ways to know a ranking. In full: the ranks of the relevant items, ties in database order (`ranks`). Or up
to ties: how many items and relevant items lie at each distance (`groups`), which is many times quicker to find out.
"""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skhash.bitops import DistanceCounter
from skhash.codes import as_packed
from skhash.metrics.ranking._ranks import count_listed, rank_relevant
from skhash.metrics.ranking._relevance import ClassRelevance, read_relevance
from skhash.utils import local_random_state, working_memory

RETRIEVAL_CONSTRAINTS = {"exclude_self": ["boolean"], "n_jobs": [Integral, None]}

_BATCH = 256  # queries in a batch, at most
_TABLE_PER_CODE = 4  # what a `DistanceCounter` takes, in multiples of the codes


def read_retrieval(
    query_codes, database_codes, query_labels, database_labels, *, exclude_self=False, bits=None, n_jobs=None
):
    """Check codes and labels of both sides and bring them together.

    Parameters
    ----------
    query_codes, database_codes, query_labels, database_labels, exclude_self, bits, n_jobs
        As in `mean_average_precision`.

    Returns
    -------
    retrieval : Retrieval
        Ready to be ranked.
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits)
    relevance = read_relevance(query_labels, database_labels, len(queries), len(database))
    if exclude_self:
        check_same_sides(queries, database, relevance.sides_agree())
    return Retrieval(queries, database, bits, relevance, own_rows(len(queries), exclude_self), n_jobs)


def read_both_codes(query_codes, database_codes, bits):
    """Pack the codes of both sides and check that they fit each other; give the code length as well."""
    queries, query_bits = _pack(query_codes, bits, "query_codes")
    database, bits = _pack(database_codes, bits, "database_codes")
    if query_bits != bits:
        raise ValueError(
            f"query_codes have {query_bits} bits, database_codes have {bits}. "
            "(Packed words count 64 bits each unless bits= says fewer.)"
        )
    return queries, database, bits


def check_same_sides(queries, database, labels_agree):
    """Check that queries are the database, as leaving each out of its own ranking needs."""
    if not np.array_equal(queries, database):
        raise ValueError(
            "exclude_self=True needs the same codes, in the same order, as query_codes and database_codes."
        )
    if len(database) == 1:
        raise ValueError("exclude_self=True leaves nothing to rank: the database has only one row.")
    if not labels_agree:
        raise ValueError(
            "exclude_self=True needs the same labels, in the same order, as query_labels and database_labels."
        )


def own_rows(n_queries, exclude_self):
    """Row of the database that each query is itself; -1 where it is none."""
    return np.arange(n_queries) if exclude_self else np.full(n_queries, -1)


def _pack(codes, bits, name):
    """Pack one side, naming it in errors."""
    try:
        packed, bits = as_packed(codes, bits)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error
    if len(packed) == 0:
        raise ValueError(f"{name} has no rows; at least one code is needed.")
    return packed, bits


@dataclass(frozen=True)
class Retrieval:
    """Queries, what they search, and what is relevant.

    Parameters
    ----------
    queries, database : ndarray of uint64 of shape (n_queries, n_words) and (n_items, n_words)
        Packed codes.
    bits : int
        Code length.
    relevance : ClassRelevance, SharedLabelRelevance or ListedRelevance
        What is relevant to whom.
    own : ndarray of int64 of shape (n_queries,)
        Row of the database that each query is itself and that is left out of its ranking; negative if there is none.
    n_jobs : int or None
        Number of threads.
    """

    queries: np.ndarray
    database: np.ndarray
    bits: int
    relevance: object
    own: np.ndarray
    n_jobs: int | None

    @property
    def n_ranked(self):
        """Number of items that a query ranks."""
        return len(self.database) - int(self.own[0] >= 0)

    def shuffled(self, random_state):
        """Bring the database into a random order."""
        order = local_random_state(random_state).permutation(len(self.database))
        own = np.where(self.own >= 0, np.argsort(order)[self.own], -1)
        return replace(self, database=self.database[order], relevance=self.relevance.permute(order), own=own)

    def per_query(self, batches):
        """Put the results of `ranks` or `groups`, tuples of arrays with an entry per query, in the queries' order."""
        rows, results = zip(*batches, strict=True)
        back = np.argsort(np.concatenate(rows))
        return tuple(np.concatenate(parts)[back] for parts in zip(*results, strict=True))

    def ranks(self, reduce):
        """Rank the database for each query, equal distances in database order.

        Parameters
        ----------
        reduce : callable
            `reduce(rows, ranks, starts, totals)` is given a batch of queries: their rows; the ranks of their relevant
            items, from 1 and ascending, `totals[q]` of them from `starts[q]` on.

        Yields
        ------
        rows, result : ndarray of int64, object
            For each batch.
        """
        columns = np.ascontiguousarray(self.database.T)
        rank_type = np.int32 if len(self.database) < 2**31 else np.int64

        def rank(rows):
            groups, local = np.unique(self.relevance.group[rows], return_inverse=True)
            offsets, listed = self.relevance.lists(groups)
            lengths = np.diff(offsets)[local]
            starts, totals = lengths.cumsum() - lengths, np.empty(len(rows), np.int64)
            ranks = np.empty(lengths.sum(), rank_type)
            distance = np.empty(-(-len(self.database) // 64) * 64, np.min_scalar_type(self.bits + 1))
            rank_relevant(
                *(self.queries[rows], columns, local, offsets, listed, self.own[rows], self.bits),
                *(distance, starts, ranks, totals),
            )
            return rows, reduce(rows, ranks, starts, totals)

        return self._in_batches(rank, working_memory() // (16 * max(1, self.relevance.longest)))

    def groups(self, reduce):
        """Count the items, and the relevant ones, at each distance from each query.

        Parameters
        ----------
        reduce : callable
            `reduce(rows, counts, relevant)` is given a batch of queries: their rows, and two arrays of int64 of shape
            (len(rows), at least bits + 1).

        Yields
        ------
        rows, result : ndarray of int64, object
            For each batch.
        """
        by_class = isinstance(self.relevance, ClassRelevance)
        database = self.database[self.relevance.order] if by_class else self.database
        starts, stops = self.relevance.ranges() if by_class else (None, None)
        n_jobs = effective_n_jobs(self.n_jobs)
        room = max(1, working_memory() // (_TABLE_PER_CODE * 8 * self.database.shape[1] * n_jobs))
        slabs = list(gen_batches(len(database), room))
        table = DistanceCounter(database) if len(slabs) == 1 else None

        def count(rows):
            queries = self.queries[rows]
            counts = np.zeros((len(rows), 64 * queries.shape[1] + 1), np.int64)
            relevant = np.zeros_like(counts)
            for slab in slabs:
                counter = table or DistanceCounter(database[slab])
                if by_class:
                    first, last = (np.clip(at[rows], slab.start, slab.stop) - slab.start for at in (starts, stops))
                    inside = counter.count(queries, first, last)
                    relevant += inside
                    counts += inside
                    counts += counter.count(queries, np.zeros_like(first), first)
                    counts += counter.count(queries, last, np.full_like(last, counter.n_codes))
                else:
                    counts += counter.count(queries)
            if not by_class:
                groups, local = np.unique(self.relevance.group[rows], return_inverse=True)
                count_listed(queries, database, local, *self.relevance.lists(groups), relevant)
            if self.own[0] >= 0:
                counts[:, 0] -= 1
                relevant[:, 0] -= self.relevance.relevant_to_itself()[rows]
            return rows, reduce(rows, counts, relevant)

        per_query = 16 * (64 * self.database.shape[1] + 1) + (0 if by_class else 8 * self.relevance.longest)
        return self._in_batches(count, working_memory() // per_query, None if table is None else 4 * _BATCH)

    def _in_batches(self, function, room, most=_BATCH):
        """Call a function with the rows of batches of queries, at most `most`, in threads; yield what it gives."""
        order = np.argsort(self.relevance.group, kind="stable")  # queries of one group share work
        n_jobs = effective_n_jobs(self.n_jobs)
        size = max(1, min(room // n_jobs, -(-len(order) // n_jobs), most or len(order)))
        batches = (delayed(function)(order[part]) for part in gen_batches(len(order), size))
        return Parallel(n_jobs=self.n_jobs, require="sharedmem", return_as="generator")(batches)
