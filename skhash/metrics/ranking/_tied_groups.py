"""Rankings that are known up to ties: how many items, and relevant ones, each group of tied items holds."""

import numpy as np

from skhash.bitops import kernel

EXPECTED, OPTIMISTIC, PESSIMISTIC = 0, 1, 2
TIE_ORDERS = {"expected": EXPECTED, "optimistic": OPTIMISTIC, "pessimistic": PESSIMISTIC}

_TABLE = 2**16


def harmonic_numbers(n):
    """Table the sums of 1 / r for r = 1, ..., m, from m = 0 on: what `sum_tied_precisions` needs for `n` items."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, min(n, _TABLE) + 1))])


@kernel
def _reciprocals(table, first, last):
    """Sum 1 / r for r = first + 1, ..., last; beyond the table by a series whose error is far below that of a double.

    No difference of two logarithms: a short run far down a long ranking would be lost in their rounding.
    """
    known = len(table) - 1
    total = table[min(last, known)] - table[min(first, known)]
    if last > known:
        start, stop = float(max(first, known)), float(last)
        total += np.log1p((stop - start) / start) + (1 / stop - 1 / start) / 2 - (1 / stop**2 - 1 / start**2) / 12
    return total


@kernel
def sum_tied_precisions(counts, relevant, R, order, table):
    """Sum the precisions at the relevant ranks up to `R`, and count these.

    `counts` and `relevant` have shape (n_rankings, n_groups): all items and relevant items of each group, nearest group
    first. `order` is one of `TIE_ORDERS`. Sums and counts are expected ones for EXPECTED.

    The items of a run of ranks a + 1, ..., a + k that are all relevant, with h hits before, add
    sum_j (h + j) / (a + j) = k + (h - a) * (H(a + k) - H(a)) with harmonic numbers H: no loop over the ranking is
    needed. The average over all orders within a group has the same form: methods.md 11.1, with its sum over ranks.
    """
    sums, hits = np.zeros(len(counts)), np.zeros(len(counts))
    for q in range(len(counts)):
        before, hits_before = 0, 0
        for group in range(counts.shape[1]):
            n, r = counts[q, group], relevant[q, group]
            if before >= R:
                break
            room = min(n, R - before)  # ranks of the group that the cut leaves
            if r:
                if order == EXPECTED:
                    rate, slope = r / n, (r - 1) / max(n - 1, 1)
                    reciprocals = _reciprocals(table, before, before + room)
                    sums[q] += rate * (slope * room + (hits_before + 1 - slope * (before + 1)) * reciprocals)
                    hits[q] += rate * room
                else:
                    start = before if order == OPTIMISTIC else before + n - r
                    length = max(0, min(r, R - start))
                    reciprocals = _reciprocals(table, start, start + length)
                    sums[q] += length + (hits_before - start) * reciprocals
                    hits[q] += length
            before += n
            hits_before += r
    return sums, hits


@kernel
def tied_hits_within(counts, relevant, cutoffs, order):
    """Count the relevant items within the first `cutoffs` ranks, shape (n_rankings, n_cutoffs)."""
    hits = np.zeros((len(counts), len(cutoffs)))
    for q in range(len(counts)):
        for c in range(len(cutoffs)):
            before = 0
            for group in range(counts.shape[1]):
                n, r = counts[q, group], relevant[q, group]
                if before >= cutoffs[c]:
                    break
                room = min(n, cutoffs[c] - before)
                if order == EXPECTED:
                    hits[q, c] += r / max(n, 1) * room
                elif order == OPTIMISTIC:
                    hits[q, c] += min(r, room)
                else:
                    hits[q, c] += max(0, room - (n - r))
                before += n
    return hits


@kernel
def spread_tied_hits(counts, relevant, order, weights, steps):
    """Add the weighted relevant items of all rankings to the ranks where they are.

    `steps` has one more place than there are ranks; its cumulative sum is the weighted number of relevant items at
    each rank.
    """
    for q in range(len(counts)):
        before = 0
        for group in range(counts.shape[1]):
            n, r = counts[q, group], relevant[q, group]
            if r:
                first, last = before, before + n
                if order == OPTIMISTIC:
                    last = before + r
                elif order == PESSIMISTIC:
                    first = before + n - r
                rate = weights[q] * r / (last - first)
                steps[first] += rate
                steps[last] -= rate
            before += n
