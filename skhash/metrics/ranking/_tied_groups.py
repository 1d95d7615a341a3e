"""Rankings known up to ties: the numbers of items and of relevant items in each group of tied items."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPECTED, OPTIMISTIC, PESSIMISTIC = 0, 1, 2
TIE_ORDERS = {"expected": EXPECTED, "optimistic": OPTIMISTIC, "pessimistic": PESSIMISTIC}

_TABLE_SIZE = 2**16


def harmonic_numbers(n: int) -> NDArray[np.float64]:
    """Tabulate the sums of 1 / r for r = 1, ..., m, from m = 0 on, for `sum_tied_precisions` of `n` items."""
    return _tabulate(min(n, _TABLE_SIZE))


@lru_cache(maxsize=4)  # of at most half a megabyte each; for one query the sums take longer than the distances
def _tabulate(n: int) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


@kernel
def _reciprocals(table, first, last):
    """Sum 1 / r for r = first + 1, ..., last.

    Beyond the table a series is used, whose error is far below the rounding of a double. It has log1p of the relative
    length and not a difference of two logarithms: a short run far down a long ranking would be lost in their rounding.
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

    A run of ranks a + 1, ..., a + k whose items are all relevant, with h hits before it, adds
    sum_j (h + j) / (a + j) = k + (h - a) * (H(a + k) - H(a)) with harmonic numbers H, so that no loop over the ranks is
    needed. The average over all orders within a group has the same form: methods.md 11.1, with its sum over ranks.
    """
    sums, hits = np.zeros(len(counts)), np.zeros(len(counts))
    for q in range(len(counts)):
        before, hits_before = np.int64(0), np.int64(0)  # one type for `_reciprocals`
        for group in range(counts.shape[1]):
            n, r = counts[q, group], relevant[q, group]
            if before >= R:
                break
            n_kept = min(n, R - before)  # ranks of the group that are within R
            if r:
                if order == EXPECTED:
                    # An item is relevant with probability `rate`. If so, each earlier item of the group is relevant
                    # with probability `slope`: one relevant item and one item less are left to choose from.
                    rate, slope = r / n, (r - 1) / max(n - 1, 1)
                    reciprocals = _reciprocals(table, before, before + n_kept)
                    sums[q] += rate * (slope * n_kept + (hits_before + 1 - slope * (before + 1)) * reciprocals)
                    hits[q] += rate * n_kept
                else:
                    # The relevant items of the group are one run of ranks: its first ones or its last ones.
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
                n_kept = min(n, cutoffs[c] - before)
                if order == EXPECTED:
                    hits[q, c] += r / max(n, 1) * n_kept
                elif order == OPTIMISTIC:
                    hits[q, c] += min(r, n_kept)
                else:
                    hits[q, c] += max(0, n_kept - (n - r))
                before += n
    return hits


@kernel
def spread_tied_hits(counts, relevant, order, weights, steps):
    """Add the weighted relevant items of all rankings to the ranks at which they are.

    `steps` is one longer than the ranking; its cumulative sum is the weighted number of relevant items at each rank. So
    a group costs two additions, however many ranks it has.
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
