"""Candidates of a search as one int64 each, `distance << SHIFT | row`: comparing two is comparing (distance, row)."""

import numpy as np

from skhash.bitops import kernel

__all__ = ["ROW", "SHIFT", "sort_by_digits"]

SHIFT = 40
ROW = (1 << SHIFT) - 1


@kernel
def sort_by_digits(found, spare, n_rows):
    """Sort candidates by (distance, row), digit after digit from the lowest; short lists by comparison."""
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
    if source is not found:
        found[:] = source
