"""Kernels of multi-index hashing: the k nearest and all within a radius, exact, from tables of substrings.

If every table t has been probed at all substring distances up to radius_t, a code that was not met differs in more
than radius_t bits of each substring t, hence in at least sum(radius_t + 1) bits: each step that raises the radius of
one table by one completes one more distance, whichever table it is. The cheapest step is taken first, so that a query
avoids the crowded buckets of clustered codes.

A code that is met in several tables is counted at its first meeting, when it lies beyond the radius probed so far in
every other substring. That needs no memory for the codes met before.
"""

import numpy as np

from skhash.bitops import kernel
from skhash.index.mih._probe import BLOCK, drop_beyond, probe
from skhash.index.mih._tables import Tables, substring
from skhash.index.scan._candidates import ROW, SHIFT, sort_by_digits

__all__ = ["HIT", "LOOKUP", "MEMBER", "OPEN", "QUERY", "nearest", "within"]

# Costs in ns on the machine of the measurements; only their ratio to the cost of a scan matters.
QUERY = 2000.0  # per query
LOOKUP = 15.0  # per bucket looked up
OPEN = 60.0  # per bucket that is not empty
MEMBER = 0.5  # per word of a member that is compared
HIT = 30.0  # per member that is kept
_ALL = 1 << 62  # as k: any number
_SPARE = 128  # initial capacity for candidates beyond 2 k


@kernel
def _search(found, queries, q, k, limit, budget, tables, allowed, scratch, width):
    """Probe tables, cheapest step first, until all codes within the limit, or the k nearest, have been met.

    Return the candidates, their count, the limit, the cost in ns, and whether the search is complete: it is not if the
    next step would exceed the budget.
    """
    keys, radii, prices, hits, histogram = scratch
    query = queries[q]
    n_words, count, spent, complete = len(width), 0, QUERY, -1
    histogram[:] = 0
    for t in range(len(radii)):
        keys[t] = substring(queries, q, tables.starts[t], tables.starts[t + 1] - tables.starts[t])
        bucket = tables.bases[t] + keys[t]
        radii[t] = -1
        prices[t] = LOOKUP + OPEN + MEMBER * n_words * (tables.offsets[bucket + 1] - tables.offsets[bucket])
    while complete < limit:
        table = np.argmin(prices)
        if spent + prices[table] > budget:
            return found, count, limit, spent, False
        step = radii[table] + 1
        found, count, limit, n_open, n_met, n_hits = probe(
            found, count, limit, k, query, keys[table], step, tables, table, radii, allowed, hits, histogram, width
        )
        length = tables.starts[table + 1] - tables.starts[table]
        lookups = 1.0  # the binomial coefficient of length and step
        for j in range(step):
            lookups *= (length - j) / (j + 1)
        radii[table] = step
        complete += 1  # the distance up to which all codes have been met
        price = LOOKUP * lookups + OPEN * n_open + MEMBER * n_words * n_met
        spent += price + HIT * n_hits
        # The next step looks up (length - step) / (step + 1) times as many buckets, presumably as crowded as these.
        prices[table] = np.inf if step == length else price * (length - step) / (step + 1)
    return found, count, limit, spent, True


@kernel
def _scratch(tables):
    """Allocate a query's keys, radii and prices, the hits of a block, and a histogram of distances."""
    m, n_bits = len(tables.bases), tables.starts[-1]
    hits, histogram = np.empty(BLOCK, np.int64), np.empty(n_bits + 1, np.int64)
    return np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m, np.float64), hits, histogram


@kernel
def nearest(
    starts,
    bases,
    offsets,
    members,
    codes,
    ends,
    table_rows,
    queries,
    k,
    budget,
    allowed,
    distances,
    rows,
    bounds,
    spent,
    width,
):
    """Find the k nearest codes of each query, unless it costs too much.

    Parameters
    ----------
    starts, bases, offsets, members, codes, ends, table_rows
        The fields of `Tables`, one by one: numba reads a tuple of arrays ten times slower.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed queries.
    k : int
        Number of neighbors; at most the number of rows that may be found.
    budget : float
        Largest cost of a query, in ns as above.
    allowed : ndarray of bool of shape (n_rows,) or (0,)
        Mask of the rows that may be found; empty for all.
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Filled with the answers of the completed queries, ordered by (distance, row).
    bounds : ndarray of int64 of shape (n_queries,)
        Filled with -1 for a completed query, else with an upper bound of its k-th distance.
    spent : ndarray of float64 of shape (n_queries,)
        Filled with the cost of each query.
    width : tuple of int
        `n_words` zeros.
    """
    tables = Tables(starts, bases, offsets, members, codes, ends, table_rows)
    n_bits = starts[-1]
    scratch = _scratch(tables)
    found = np.empty(2 * k + _SPARE, np.int64)
    for q in range(len(queries)):
        found, count, limit, spent[q], complete = _search(
            found, queries, q, k, n_bits, budget, tables, allowed, scratch, width
        )
        bounds[q] = -1 if complete else limit
        if complete:
            count = drop_beyond(found, count, limit)
            if count > 2 * k:
                found[:count] = np.partition(found[:count], k - 1)
                count = k
            found[:count].sort()
            for i in range(k):
                distances[q, i], rows[q, i] = found[i] >> SHIFT, found[i] & ROW


@kernel
def within(
    starts, bases, offsets, members, codes, ends, rows, queries, radius, budget, allowed, n_rows, counts, spent, width
):
    """Find all codes within a radius of each query, unless it costs too much.

    Parameters
    ----------
    starts, bases, offsets, members, codes, ends, rows, queries, budget, allowed, spent, width
        As in `nearest`.
    radius : int
        Largest distance.
    n_rows : int
        Number of rows.
    counts : ndarray of int64 of shape (n_queries,)
        Filled with the number of neighbors of each query; -1 for those that were given up.

    Returns
    -------
    found : ndarray of int64 of shape (n_found,)
        Neighbors as `distance << SHIFT | row`, query after query, each in order.
    """
    tables = Tables(starts, bases, offsets, members, codes, ends, rows)
    scratch = _scratch(tables)
    found, spare, total = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    everything = np.empty(4096, np.int64)
    for q in range(len(queries)):
        found, count, _, spent[q], complete = _search(
            found, queries, q, _ALL, radius, budget, tables, allowed, scratch, width
        )
        counts[q] = -1
        if complete:
            if len(spare) < len(found):
                spare = np.empty_like(found)
            sort_by_digits(found[:count], spare[:count], n_rows)
            while total + count > len(everything):
                everything = np.concatenate((everything, np.empty_like(everything)))
            everything[total : total + count] = found[:count]
            counts[q] = count
            total += count
    return everything[:total]
