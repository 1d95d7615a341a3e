"""Sums of precisions over the relevant items of rankings that are known up to ties, and what divides them."""

import numpy as np
from scipy.special import digamma


def tied_sums(counts, relevant, R, ties):
    """Sum the precisions at the relevant ranks up to R, from histograms over the groups of tied items.

    `counts` and `relevant` have shape (n_rankings, n_groups): all items and relevant items of each group, nearest group
    first. Gives the sums and the numbers of relevant items within the top R (expected ones for ties="expected").

    The items of a run of ranks a + 1, ..., a + k that are all relevant, with h hits before, add
    sum_j (h + j) / (a + j) = k + (h - a) * (psi(a + k + 1) - psi(a + 1)): no loop over the ranking is needed.
    """
    before = np.cumsum(counts, axis=1) - counts
    hits = np.cumsum(relevant, axis=1) - relevant
    room = np.clip(R - before, 0, counts)  # ranks of the group that the cut leaves
    if ties == "optimistic":
        start, length = before, np.minimum(relevant, room)
    elif ties == "pessimistic":
        start = before + counts - relevant
        length = np.clip(R - start, 0, relevant)
    else:
        return _expected_sums(counts, relevant, before, hits, room)
    sums = length + (hits - start) * _reciprocals(start, length)
    return sums.sum(axis=1), length.sum(axis=1)


def _expected_sums(counts, relevant, before, hits, room):
    """Average over all orders within the groups: methods.md 11.1, with its sum over the ranks in closed form."""
    rate = relevant / np.maximum(counts, 1)
    slope = (relevant - 1) / np.maximum(counts - 1, 1)
    sums = rate * (slope * room + (hits + 1 - slope * (before + 1)) * _reciprocals(before, room))
    return sums.sum(axis=1), (rate * room).sum(axis=1)


def _reciprocals(start, length):
    """Sum 1 / rank over the ranks start + 1, ..., start + length."""
    return digamma(start + length + 1.0) - digamma(start + 1.0)


def divide(sums, hits, total, R, denominator):
    """Turn sums of precisions into average precisions; 0 where the top R holds no relevant item."""
    if denominator == "top":
        divisor = hits
    else:
        divisor = total if denominator == "total" else np.minimum(R, total)
    return np.divide(sums, divisor, out=np.zeros(len(sums)), where=hits > 0)
