"""Rankings in full: the rank of every relevant item, with equal distances in database order, without sorting.

An item's rank is the number of nearer items plus its position among the items at the same distance. `tabulate_values`
counts the earlier ones of these for 64 items at a time. So only the relevant items, often few, are visited one by one.
"""

import numpy as np

from skhash.bitops import kernel, popcount, tabulate_values

_STRETCH = 2048  # number of items whose tables fit in the first-level cache
_ONE, _LOG_64, _LOW, _ALL = np.uint64(1), np.uint64(6), np.uint64(63), np.uint64(2**64 - 1)


@kernel
def measure(query, database, distance):
    """Compute the Hamming distances of a query to all items; `database` has shape (n_words, n)."""
    # The first word overwrites the distances, so that they need no clearing pass.
    for item in range(len(distance)):
        distance[item] = popcount(query[0] ^ database[0, item])  # pyright: ignore[reportCallIssue]
    for word in range(1, len(query)):
        bits = query[word]
        column = database[word]
        for item in range(len(distance)):
            distance[item] += popcount(bits ^ column[item])  # pyright: ignore[reportCallIssue]


@kernel
def shift_to_starts(count):
    """Turn group sizes into the number of items before each group, in place."""
    before = 0
    for group in range(len(count)):
        size = count[group]
        count[group] = before
        before += size


@kernel
def merge_ends(distance, first, last):
    """Clip distances to the range from `first` to `last` and subtract `first`, in place."""
    # Everything keeps the short type of the distances, so that a vector register holds many.
    first, last = distance.dtype.type(first), distance.dtype.type(last)
    for item in range(len(distance)):
        value = distance[item]
        if value > last:
            value = last
        if value < first:
            value = first
        distance[item] = value - first


@kernel
def put_in_place(listed, i, distance, start, stop, n_values, members, earlier, relevant, mine):
    """Find the positions of listed items among those at the same distance, from `listed[i]` up to row `stop`.

    Return the next `i`. `members` and `earlier` come from `tabulate_values`, from row `start` on; `relevant` holds the
    position in `mine` of the next item at each distance. Indices are unsigned, so that numba omits the handling of
    negative ones.
    """
    i, n, start, n_values = np.uint64(i), np.uint64(len(listed)), np.uint64(start), np.uint64(n_values)
    while i < n and listed[i] < stop:
        row = np.uint64(listed[i])
        d = np.uint64(distance[row])
        cell = ((row - start) >> _LOG_64) * n_values + d
        before = ~(_ALL << ((row - start) & _LOW))  # mask of the items of this word that precede `row`
        position = np.uint64(relevant[d])
        mine[position] = earlier[cell] + np.int64(popcount(members[cell] & before))  # pyright: ignore[reportCallIssue]
        relevant[d] = position + _ONE
        i += _ONE
    return np.int64(i)


@kernel
def rank_relevant(queries, database, group, offsets, rows, own, bits, distance, starts, ranks, totals):
    """Find the ranks of each query's relevant items.

    Parameters
    ----------
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed codes.
    database : ndarray of uint64 of shape (n_words, n)
        Packed codes, word by word, so that loops over items read contiguous memory.
    group : ndarray of int64 of shape (n_queries,)
        Number of each query's list of relevant items.
    offsets, rows : ndarray of int64
        The lists: `rows[offsets[g] : offsets[g + 1]]`, ascending.
    own : ndarray of int64 of shape (n_queries,)
        Each query's own row in the database, which is excluded from its ranking; negative if there is none.
    bits : int
        Code length.
    distance : ndarray of shape (n rounded up to a multiple of 64,)
        Buffer of an unsigned type that holds `bits + 1`; overwritten.
    starts : ndarray of int64 of shape (n_queries,)
        Position in `ranks` of each query's first rank; all of its list must fit there.
    ranks : ndarray of int32 or int64
        Output: ranks from 1, ascending, `totals[q]` of them for query q.
    totals : ndarray of int64 of shape (n_queries,)
        Output: number of relevant items.
    """
    # Padding items and the query itself get the distance `beyond`, greater than that of any real item.
    n, beyond = database.shape[1], bits + 1
    most_values, most_words = beyond + 8, _STRETCH // 64
    relevant = np.empty(beyond + 1, np.int64)
    members, earlier = np.empty(most_words * most_values, np.uint64), np.empty((most_words + 1) * most_values, np.int64)
    for q in range(len(queries)):
        listed = rows[offsets[group[q]] : offsets[group[q] + 1]]
        mine = ranks[starts[q] : starts[q] + len(listed)]
        measure(queries[q], database, distance[:n])
        distance[n:] = beyond
        if own[q] >= 0:
            distance[own[q]] = beyond
        relevant[:] = 0
        for row in listed:
            relevant[distance[row]] += 1
        totals[q] = len(listed) - relevant[beyond]
        if totals[q] == 0:
            continue

        # Only distances with relevant items must be distinguished. All smaller ones are merged into one value, and
        # all greater ones: the fewer values, the less work for `tabulate_values`.
        nearest, farthest = 0, bits
        while relevant[nearest] == 0:
            nearest += 1
        while relevant[farthest] == 0:
            farthest -= 1
        first, last = max(nearest - 1, 0), farthest + 1
        merge_ends(distance, first, last)
        shift_to_starts(relevant)
        n_values = (last - first + 8) // 8 * 8  # `tabulate_values` compares eight values at a time
        earlier[:n_values] = 0
        i = np.int64(0)  # of the type that `put_in_place` returns, so that this is compiled once
        for start in range(0, len(distance), _STRETCH):
            n_words = min(_STRETCH, len(distance) - start) // 64
            tabulate_values(distance, start, n_words, n_values, members, earlier)
            stop = start + _STRETCH
            i = put_in_place(listed, i, distance, start, stop, n_values, members, earlier, relevant[first:], mine)
            # The counts after this stretch are those before the next one.
            for value in range(n_values):  # numba compiles a copy of a slice for seconds: it may fail with a message
                earlier[value] = earlier[n_words * n_values + value]

        # Now `earlier` counts all items at each distance, and the ranks at distance d end at `relevant[d]`.
        begin, nearer = 0, 0
        for d in range(first, last):
            for position in range(begin, relevant[d]):
                mine[position] += nearer + 1
            begin = relevant[d]
            nearer += earlier[d - first]


@kernel
def count_listed(queries, codes, group, offsets, rows, counts):
    """Add the numbers of each query's listed items at each distance to `counts` (n_queries, n_distances)."""
    for q in range(len(queries)):
        for row in rows[offsets[group[q]] : offsets[group[q] + 1]]:
            distance = np.int64(0)
            for w in range(codes.shape[1]):
                distance += popcount(codes[row, w] ^ queries[q, w])  # pyright: ignore[reportCallIssue]
            counts[q, distance] += 1


@kernel
def sum_precisions(ranks, starts, totals, R):
    """Sum the precisions at the relevant ranks up to `R`, and count these."""
    sums, hits = np.zeros(len(totals)), np.zeros(len(totals), np.int64)
    partial = np.empty(64)  # independent sums, because a single one could not be vectorized without reordering floats
    for q in range(len(totals)):
        mine = ranks[starts[q] : starts[q] + totals[q]]
        first, last = 0, len(mine)  # the ranks up to R end between these
        while first < last:
            middle = (first + last) // 2
            if mine[middle] <= R:
                first = middle + 1
            else:
                last = middle
        hits[q] = first
        partial[:] = 0
        for first in range(0, hits[q], len(partial)):
            some = mine[first : min(first + len(partial), hits[q])]
            for i in range(len(some)):
                partial[i] += (first + i + 1) / some[i]
        for i in range(len(partial)):
            sums[q] += partial[i]
    return sums, hits
