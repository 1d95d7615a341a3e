"""The kernel of multi-index hashing: the k nearest and all within a radius, exact, from tables of substrings.

If every table t has been probed at all substring distances up to radius_t, a code that was not met differs in more
than radius_t bits of each substring t, hence in at least sum(radius_t + 1) bits: each step that raises the radius of
one table by one completes one more distance, whichever table it is. The cheapest step is taken first, so that a query
avoids the crowded buckets of clustered codes.

A code that is met in several tables is counted at its first meeting, when it lies beyond the radius probed so far in
every other substring. That needs no memory for the codes met before.

numba compiles a kernel for seconds where it uses functions of numpy, so that this one uses none; and once for all code
lengths, because codes are compared by the machine code at an address.
"""

import numpy as np

from skhash.bitops import kernel, prefetch
from skhash.index.mih._probe import probe
from skhash.index.mih._tables import substring
from skhash.index.scan._candidates import ROW, SHIFT, sort_by_digits

__all__ = ["FAR", "HIT", "LOOKUP", "MEMBER", "OPEN", "QUERY", "UNLIMITED", "search"]

FAR = 2**31 - 1  # beyond any distance
UNLIMITED = 2**62  # buckets

# Costs in ns on the machine of the measurements; only their ratio to the cost of a scan matters.
QUERY = 2000.0  # per query
LOOKUP = 15.0  # per bucket looked up
OPEN = 60.0  # per bucket that is not empty
MEMBER = 0.5  # per word of a member that is compared
HIT = 30.0  # per member that is kept


@kernel
def search(
    code,
    starts,
    bases,
    offsets,
    members,
    codes,
    ends,
    table_rows,
    queries,
    patterns,
    q,
    total,
    k,
    radius,
    budget,
    max_probes,
    allowed,
    n_rows,
    found,
    spare,
    hits,
    buckets,
    keys,
    radii,
    prices,
    histogram,
    totals,
    distances,
    rows,
    counts,
    spent,
):
    """Find the k nearest codes of each query, or all within a radius, unless it costs too much.

    Parameters
    ----------
    code : int
        From `member_code`.
    starts, bases, offsets, members, codes, ends, table_rows
        The fields of `Tables`, one by one: numba reads a tuple of arrays ten times slower. `members` and `codes` of all
        tables, one after the other.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed queries.
    patterns : ndarray of uint64 of shape (n_queries, n)
        The same from `make_patterns`.
    q : int
        The first query to answer.
    total : int
        Number of elements of `found` that answer the queries before, if all codes within a radius are searched.
    k : int
        Number of neighbors, at most the number of rows that may be found; 0 for all codes within the radius.
    radius : int
        Largest distance.
    budget : float
        Largest cost of a query, in ns as above; that of codes found within a radius does not count, because a scan has
        it, too.
    max_probes : int
        Largest number of buckets to look up for a query, `UNLIMITED` for any.
    allowed : ndarray of bool of shape (n_rows,) or (0,)
        Mask of the rows that may be found; empty for all.
    n_rows : int
        Number of rows.
    found, spare : ndarray of int64 of shape (n,)
        For candidates as `distance << SHIFT | row`: with room for more than k of them, or for the answers of all
        queries, each in order.
    hits, buckets, keys, radii, prices, histogram, totals : ndarray
        Scratch: the hits of a block, (2, BUCKETS) bounds of buckets, the substring, the radius and the price of the
        next step of each table, the candidates at each distance, four sums.
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Filled with the k nearest of the completed queries, ordered by (distance, row). Those of a query that ran out of
        `max_probes` are the nearest codes that it met; if these are fewer than k, the rest is `FAR` and -1.
    counts : ndarray of int64 of shape (n_queries,)
        Filled with the number of codes within the radius; or if the k nearest are searched with one more than the
        distance up to which all codes were met, more than `FAR` where they are exact. With -1 - limit for a query that
        was given up, where the limit is an upper bound of the k-th distance.
    spent : ndarray of float64 of shape (n_queries,)
        Filled with the cost of each query.

    Returns
    -------
    q, total : int
        The next query, which is not the last one if there is not enough room in `found`; and the elements of `found`.
    """
    n_words, n_tables = codes.shape[1], len(radii)
    while q < len(queries):
        totals[3] = 0
        count, limit, complete, cost, free = total, radius, np.int64(-1), QUERY, 0.0
        left, is_short = np.int64(max_probes), False
        for distance in range(len(histogram)):
            histogram[distance] = 0
        for t in range(n_tables):
            length = starts[t + 1] - starts[t]
            prefetch(offsets, bases[t] + substring(queries, min(q + 1, len(queries) - 1), starts[t], length))
            keys[t] = substring(queries, q, starts[t], length)
            bucket = bases[t] + keys[t]
            if len(codes) == len(members):  # each table has a copy
                prefetch(codes, t * (len(members) // n_tables) + np.int64(offsets[bucket]))
            radii[t] = -1
            n_met = np.int64(offsets[bucket + 1]) - np.int64(offsets[bucket])
            prices[t] = LOOKUP + OPEN + MEMBER * n_words * n_met
        while complete < limit and count >= 0:
            table = np.int64(0)
            for t in range(1, n_tables):
                if prices[t] < prices[table]:
                    table = np.int64(t)
            step, length = radii[table] + 1, starts[table + 1] - starts[table]
            lookups = np.int64(1)  # the binomial coefficient of length and step
            for j in range(step):
                lookups = lookups * (length - j) // (j + 1)
            is_short = lookups > left
            price = prices[table] * left / lookups if is_short else prices[table]
            if cost + price > budget + free:
                is_short = False
                break
            if left == 0:
                break
            totals[0] = totals[1] = totals[2] = 0
            count, limit = probe(
                code,
                starts,
                bases,
                offsets,
                members,
                codes,
                ends,
                table_rows,
                patterns,
                q,
                k,
                allowed,
                n_rows,
                table,
                step,
                total,
                count,
                limit,
                keys,
                radii,
                histogram,
                found,
                spare,
                hits,
                buckets,
                totals,
                left,
            )
            lookups = min(lookups, left)
            left -= lookups
            price = LOOKUP * lookups + OPEN * totals[0] + MEMBER * n_words * totals[1]
            cost += price + HIT * totals[2]
            if k == 0:
                free += HIT * totals[2]
            if is_short:
                break
            radii[table] = step
            # The distance up to which all codes have been met: all buckets of one table contain them all.
            complete = np.int64(FAR) if step == length else complete + 1
            # The next step looks up (length - step) / (step + 1) times as many buckets, presumably as crowded as these.
            prices[table] = np.inf if step == length else price * (length - step) / (step + 1)
        if count < 0:
            return q, total
        spent[q] = cost
        counts[q] = -1 - limit
        if complete >= limit or is_short:
            kept = total
            for i in range(total, count):
                found[kept] = found[i]
                kept += found[i] >> SHIFT <= limit
            sort_by_digits(found, total, kept, spare, n_rows)
            counts[q] = np.int64(FAR + 1) if complete >= limit else complete + 1
            if k == 0:
                counts[q] = kept - total
                total = kept
            for i in range(min(k, kept)):
                distances[q, i], rows[q, i] = found[i] >> SHIFT, found[i] & ROW
            for i in range(kept, k):
                distances[q, i], rows[q, i] = FAR, -1
        q += 1
    return q, total
