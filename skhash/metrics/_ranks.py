"""Rankings in full: the rank of every relevant item, with equal distances in database order, by a counting sort."""

import numpy as np

from skhash.index import kernel, popcount


@kernel
def measure(query, database, distance):
    """Compute the Hamming distances of a query to all items; `database` is given word by word, shape (n_words, n)."""
    distance[:] = 0
    for word in range(len(query)):
        bits = query[word]
        column = database[word]
        for item in range(len(distance)):
            distance[item] += popcount(bits ^ column[item])


@kernel
def shift_to_starts(count):
    """Turn group sizes into the number of items before each group, in place."""
    before = 0
    for group in range(len(count)):
        size = count[group]
        count[group] = before
        before += size


@kernel
def rank_relevant(queries, database, group, offsets, rows, own, bits, distance, place, starts, ranks, totals):
    """Find the ranks of each query's relevant items.

    Parameters
    ----------
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed codes.
    database : ndarray of uint64 of shape (n_words, n)
        Packed codes, word by word, so that loops over items run along memory.
    group : ndarray of int64 of shape (n_queries,)
        Which list of relevant items is a query's.
    offsets, rows : ndarray of int64
        The lists: `rows[offsets[g] : offsets[g + 1]]`, ascending.
    own : ndarray of int64 of shape (n_queries,)
        Row of the database that the query is itself, which is left out of its ranking; negative if there is none.
    bits : int
        Code length.
    distance, place : ndarray of shape (n,)
        Scratch, of an unsigned type that holds `bits + 1`, and of one that holds n.
    starts : ndarray of int64 of shape (n_queries,)
        Where a query's ranks begin in `ranks`.
    ranks : ndarray of int64
        The answer: ranks from 1, ascending, `totals[q]` of them.
    totals : ndarray of int64 of shape (n_queries,)
        The answer: number of relevant items.
    """
    count, relevant = np.empty(bits + 2, np.int64), np.empty(bits + 2, np.int64)
    for q in range(len(queries)):
        listed = rows[offsets[group[q]] : offsets[group[q] + 1]]
        measure(queries[q], database, distance)
        if own[q] >= 0:
            distance[own[q]] = bits + 1  # behind all others
        count[:] = 0
        for item in range(len(distance)):
            place[item] = count[distance[item]]  # how many earlier items are as far away
            count[distance[item]] += 1
        relevant[:] = 0
        for item in listed:
            relevant[distance[item]] += 1
        totals[q] = len(listed) - relevant[bits + 1]
        shift_to_starts(count)
        shift_to_starts(relevant)
        for item in listed:
            d = distance[item]
            ranks[starts[q] + relevant[d]] = count[d] + place[item] + 1
            relevant[d] += 1


@kernel
def count_listed(queries, codes, group, offsets, rows, counts):
    """Add to `counts` (n_queries, n_distances) how many of each query's listed items lie at each distance."""
    for q in range(len(queries)):
        for row in rows[offsets[group[q]] : offsets[group[q] + 1]]:
            distance = np.int64(0)
            for w in range(codes.shape[1]):
                distance += popcount(codes[row, w] ^ queries[q, w])
            counts[q, distance] += 1


@kernel
def sum_precisions(ranks, starts, totals, R):
    """Sums of the precisions at the relevant ranks up to `R`, and how many of these there are."""
    sums, hits = np.zeros(len(totals)), np.zeros(len(totals), np.int64)
    for q in range(len(totals)):
        mine = ranks[starts[q] : starts[q] + totals[q]]
        hits[q] = np.searchsorted(mine, R, side="right")
        total = 0.0
        for i in range(hits[q]):
            total += (i + 1) / mine[i]
        sums[q] = total
    return sums, hits
