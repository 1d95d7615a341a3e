"""Candidates of a search as one int64 each, `distance << SHIFT | row`: comparing two is comparing (distance, row)."""

from __future__ import annotations

import numpy as np

from skhash.bitops import kernel

__all__ = ["ROW", "SHIFT", "kth_distance", "sort_by_digits"]

SHIFT = 40  # rows below 2**40, and distances below 2**23
ROW = (1 << SHIFT) - 1


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
def sort_by_digits(found, first, stop, spare, n_rows):
    """Sort candidates `first` to `stop - 1` by (distance, row): short lists by insertion, others digit by digit.

    `spare` is scratch as long as `found`; rows are below `n_rows`, so that the digits between rows and distances can be
    skipped.
    """
    largest = np.int64(0)
    if stop - first < 64:
        for i in range(first + 1, stop):
            value, j = found[i], i
            while j > first and found[j - 1] > value:
                found[j] = found[j - 1]
                j -= 1
            found[j] = value
        return
    for i in range(first, stop):
        largest = max(largest, found[i])
    digit = np.int64(8) if stop - first < 512 else np.int64(11)
    counts = np.empty((1 << digit) + 1, np.int64)
    mask, shift, is_odd = (np.int64(1) << digit) - 1, np.int64(0), False
    while shift < 63 and largest >> shift:
        if shift < SHIFT and n_rows >> shift == 0:  # above the rows and below the distances all bits are zero
            shift = np.int64(SHIFT)
            continue
        for j in range(mask + 2):
            counts[j] = 0
        for i in range(first, stop):
            counts[((found[i] >> shift) & mask) + 1] += 1
        counts[0] = first
        for j in range(mask + 1):
            counts[j + 1] += counts[j]
        for i in range(first, stop):
            j = (found[i] >> shift) & mask
            spare[counts[j]] = found[i]
            counts[j] += 1
        found, spare, is_odd = spare, found, not is_odd
        shift = min(shift + digit, np.int64(SHIFT)) if shift < SHIFT else shift + digit
    if is_odd:  # the result is in the array that was passed as spare
        for i in range(first, stop):
            spare[i] = found[i]
