"""One pass over the database per query: its distances, counted; what a counting sort knows before it moves anything.

Queries and their labels are rows of words. The database and its labels are given word by word, shape (n_words, n), so
that the loops over items run along memory. A label row is one class number (`multilabel` False) or packed multi-hot.
`own[q]`, if not negative, is the database row that query `q` is itself: it goes into a group of its own, behind the
others, at distance `bits + 1`.
"""

import numpy as np

from skhash.index import kernel, popcount


@kernel
def _measure(query, database, distance):
    """Hamming distances of one query to all items."""
    distance[:] = 0
    for word in range(len(query)):
        bits = query[word]
        column = database[word]
        for item in range(len(distance)):
            distance[item] += popcount(bits ^ column[item])


@kernel
def _find_relevant(label, database_labels, multilabel, rows):
    """List in `rows` the items that share a label with `label`, and count them; `rows` has one place to spare."""
    shared = np.zeros(database_labels.shape[1], np.bool_)
    for word in range(len(label)):
        bits = label[word]
        column = database_labels[word]
        if multilabel:
            for item in range(len(shared)):
                shared[item] |= (bits & column[item]) != 0
        else:
            for item in range(len(shared)):
                shared[item] = bits == column[item]
    found = 0
    for item in range(len(shared)):
        rows[found] = item  # overwritten unless relevant: cheaper than a branch
        found += shared[item]
    return found


@kernel
def stable_sums(queries, labels, database, database_labels, multilabel, own, bits, R, distance):
    """Sums of precisions, hits within the top R and relevant items in all, for ties in database order.

    `distance` is scratch: one place per item, of an unsigned type that holds `bits + 1`.
    """
    n_queries, n_items = len(queries), database.shape[1]
    sums, hits, total = np.zeros(n_queries), np.zeros(n_queries, np.int64), np.zeros(n_queries, np.int64)
    rows = np.empty(n_items + 1, np.int64)
    place = np.empty(n_items, np.int64)  # how many earlier items are as far away
    count, relevant = np.empty(bits + 2, np.int64), np.empty(bits + 2, np.int64)
    n_relevant = 0
    for q in range(n_queries):
        if q == 0 or not np.array_equal(labels[q], labels[q - 1]):
            n_relevant = _find_relevant(labels[q], database_labels, multilabel, rows)
        _measure(queries[q], database, distance)
        if own[q] >= 0:
            distance[own[q]] = bits + 1
        count[:] = 0
        for item in range(n_items):
            place[item] = count[distance[item]]
            count[distance[item]] += 1
        relevant[:] = 0
        for item in rows[:n_relevant]:
            relevant[distance[item]] += 1
        total[q] = relevant[: bits + 1].sum()
        _shift_to_starts(count)
        _shift_to_starts(relevant)
        for item in rows[:n_relevant]:
            rank = count[distance[item]] + place[item] + 1
            relevant[distance[item]] += 1
            if rank <= R:
                sums[q] += relevant[distance[item]] / rank
                hits[q] += 1
    return sums, hits, total


@kernel
def histograms(queries, labels, database, database_labels, multilabel, own, bits, distance):
    """Number of items, and of relevant ones, at each distance from each query: two arrays (n_queries, bits + 1)."""
    n_queries, n_items = len(queries), database.shape[1]
    rows = np.empty(n_items + 1, np.int64)
    count, relevant = np.zeros((n_queries, bits + 2), np.int64), np.zeros((n_queries, bits + 2), np.int64)
    n_relevant = 0
    for q in range(n_queries):
        if q == 0 or not np.array_equal(labels[q], labels[q - 1]):
            n_relevant = _find_relevant(labels[q], database_labels, multilabel, rows)
        _measure(queries[q], database, distance)
        if own[q] >= 0:
            distance[own[q]] = bits + 1
        for item in range(n_items):
            count[q, distance[item]] += 1
        for item in rows[:n_relevant]:
            relevant[q, distance[item]] += 1
    return count[:, : bits + 1], relevant[:, : bits + 1]


@kernel
def _shift_to_starts(count):
    """Turn group sizes into the number of items before each group, in place."""
    before = 0
    for group in range(len(count)):
        size = count[group]
        count[group] = before
        before += size
