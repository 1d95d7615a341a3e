"""The nearest of few codes: all distances are stored, and the k-th is found by bisection.

In a scan of few codes, or for many neighbors, every block has a code nearer than the limit, or nearly every one. Then
the filter finds out nothing, and examining its blocks takes longer than to store and count all distances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import BLOCK, below_bits, count_below, kernel, measure_code, measure_rows, trailing_zeros
from skhash.index.scan._candidates import SHIFT
from skhash.index.scan._filter import make_patterns
from skhash.index.scan._kernels import sort_near

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["are_few", "nearest_of_few"]

_STORE, _ROW, _HIT = 10.0, 2.7, 40.0  # ns to store a block's distances, to read it in rows, and to search it for hits
_HITS_PER_K, _HITS = 5, 35  # blocks with hits, presumably
_FEW_QUERIES = 8  # fewer are compared in rows by the scan, too
_MOST_CODES, _MOST_WORDS = 2**18, 2**10 - 1
_DENSE = 8  # all codes are sorted if more than one of so many is wanted
_NEVER = np.uint16(2**16 - 1)  # a distance beyond any


def are_few(n: int, queries: NDArray[np.uint64], k: int) -> bool:
    """Check whether it takes less time to store all distances to `n` codes than to search for the `k` nearest."""
    n_queries, n_words = queries.shape
    if n > _MOST_CODES or n_words > _MOST_WORDS:
        return False
    in_rows = _ROW * n_words if n_queries >= _FEW_QUERIES else 0.0
    return n / BLOCK * (_STORE + in_rows) < (_HITS_PER_K * k + _HITS) * _HIT


def nearest_of_few(
    codes: NDArray[np.uint64],
    first: int,
    queries: NDArray[np.uint64],
    distances: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> None:
    """Fill `distances` and `rows`, of shape (n_queries, k), with the k nearest codes by (distance, first + row)."""
    n, n_words = codes.shape
    space, measured = np.empty((BLOCK, n_words), np.uint64), np.empty(-(-n // BLOCK) * BLOCK, np.uint16)
    patterns, found = make_patterns(queries), np.empty(rows.shape[1], np.int64)
    call: Callable[..., None] = _nearest
    call(measure_code(n_words), codes, patterns, space, measured, found, first, distances, rows)


@kernel
def _kth_distance(code, measured, k, most, guess, step):
    """Return the k-th smallest of some distances up to `most`: in growing steps from a guess, then by bisection.

    `most` if there are fewer: a slice of the codes may have fewer than k, and the result indexes a histogram.
    """
    low, high, middle = np.int64(0), np.int64(most), min(np.int64(guess), np.int64(most - 1))
    while low < high:
        if count_below(code[1], measured, len(measured) // BLOCK, middle + 1) >= k:
            high = middle
            middle = high - step
        else:
            low = middle + 1
            middle = middle + step
        step *= 2
        if middle < low or middle >= high:
            middle = (low + high) >> 1
    return low


@kernel
def _sort_all(measured, n, kth, first, distances, rows, histogram):
    """Write the nearest of `n` codes up to the k-th distance, in order."""
    k = len(rows)
    histogram[: kth + 1] = 0
    for i in range(n):
        if measured[i] <= kth:
            histogram[measured[i]] += 1
    position = np.int64(0)
    for distance in range(kth + 1):
        n_equal, histogram[distance] = histogram[distance], position
        if n_equal:
            distances[position : min(position + n_equal, k)] = distance
            position += n_equal
    for i in range(n):
        if measured[i] <= kth:
            position = histogram[measured[i]]
            if position < k:
                rows[position] = first + i
                histogram[measured[i]] = position + 1


@kernel
def _nearest(code, codes, patterns, space, measured, found, first, distances, rows):
    """Find the nearest codes; `space`, `measured` and `found` are memory for a block, distances and candidates."""
    n, k = len(codes), rows.shape[1]
    most = kth = np.int64(64 * codes.shape[1])
    histogram = np.empty(most + 2, np.int64)
    end = n // BLOCK * BLOCK
    for i in range(end, n):
        for w in range(codes.shape[1]):
            space[i - end, w] = codes[i, w]
    for q in range(len(patterns)):
        measure_rows(code[0], codes, end // BLOCK, patterns, q, measured, 0)
        if end < n:
            measure_rows(code[0], space, 1, patterns, q, measured, end)
            measured[n:] = _NEVER
        # That of the last query is a good guess.
        kth = _kth_distance(code, measured, k, most, kth if q else most // 2, 1 if q else most)
        if k * _DENSE > n:
            _sort_all(measured, n, kth, first, distances[q], rows[q], histogram)
            continue
        count = np.int64(0)
        for start in range(0, len(measured), BLOCK):
            bits = below_bits(measured, start, kth)
            while bits:
                row = start + trailing_zeros(bits)
                bits &= bits - np.uint64(1)
                found[count] = (np.int64(measured[row]) << SHIFT) + row
                count += 1
        sort_near(found, count, np.uint64(kth), first, distances[q], rows[q], histogram)
        start = np.int64(0)
        while count < k:  # of those at the k-th distance, the first ones
            bits = below_bits(measured, start, kth + 1) & ~below_bits(measured, start, kth)
            while bits and count < k:
                distances[q, count], rows[q, count] = kth, first + start + trailing_zeros(bits)
                bits &= bits - np.uint64(1)
                count += 1
            start += BLOCK
