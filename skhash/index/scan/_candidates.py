"""Candidates of a search as one int64 each, `distance << SHIFT | row`: comparing two is comparing (distance, row)."""

from __future__ import annotations

import numpy as np

from skhash.bitops import kernel, popcount

__all__ = ["ROW", "SHIFT", "code_distance", "kth_distance", "sort_by_digits"]

SHIFT = 40  # rows below 2**40, and distances below 2**23
ROW = (1 << SHIFT) - 1


@kernel
def code_distance(codes, i, query, width):
    """Compute the Hamming distance between code `i` and a query; the length of `width` is the number of words."""
    total = np.uint64(0)
    for w in range(len(width)):
        total += popcount(codes[i, w] ^ query[w])
    return np.int64(total)


@kernel
def kth_distance(histogram, k, limit):
    """Return the k-th smallest distance of a histogram, or `limit` if that is less, and how many are smaller."""
    smaller = np.int64(0)
    for distance in range(limit):
        if smaller + histogram[distance] >= k:
            return np.int64(distance), smaller
        smaller += histogram[distance]
    return np.int64(limit), smaller


@kernel
def sort_by_digits(found, spare, n_rows):
    """Sort candidates by (distance, row): by a radix sort from the lowest digit, short lists by comparison.

    `spare` is scratch of the same length; rows are below `n_rows`, so that the digits between rows and distances can be
    skipped.
    """
    if len(found) < 128:
        found.sort()
        return
    digit = np.int64(8) if len(found) < 512 else np.int64(11)
    shift, source, target = np.int64(0), found, spare
    largest = found.max()
    while largest >> shift:
        if shift < SHIFT and n_rows >> shift == 0:  # above the rows and below the distances all bits are zero
            shift = np.int64(SHIFT)
            continue
        counts = np.zeros((1 << digit) + 1, np.int64)
        mask = (np.int64(1) << digit) - 1
        for i in range(len(source)):
            counts[((source[i] >> shift) & mask) + 1] += 1
        for j in range(mask + 1):
            counts[j + 1] += counts[j]
        for i in range(len(source)):
            j = (source[i] >> shift) & mask
            target[counts[j]] = source[i]
            counts[j] += 1
        source, target = target, source
        shift = min(shift + digit, np.int64(SHIFT)) if shift < SHIFT else shift + digit
    if source is not found:  # after an odd number of passes
        found[:] = source
