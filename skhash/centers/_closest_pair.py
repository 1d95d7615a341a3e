"""The closest two of many codes, without looking at all pairs where that can be avoided.

Cut the codes into p parts. When all pairs that differ in up to r bits of some part have been looked at, any other pair
differs in more than r bits of every part, so in at least p (r + 1) altogether.
"""

from itertools import combinations
from math import comb

import numpy as np

from skhash.bitops import kernel, popcount

_TILE = 2048  # codes that stay in the cache while others are compared with them


@kernel
def _closest_to(words, i, start, stop, closest, width):
    """The smallest distance between code i and those from start to stop, if it is below `closest`."""
    for j in range(start, stop):
        distance = np.uint64(0)
        for w in range(len(width)):
            distance += popcount(words[w, i] ^ words[w, j])
        closest = min(closest, distance)
    return closest


@kernel
def _closest_of_all(words, closest, width):
    """Compare all pairs."""
    n = words.shape[1]
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        for i in range(stop):
            closest = _closest_to(words, i, max(start, i + 1), stop, closest, width)
    return closest


@kernel
def _closest_in_buckets(words, offsets, masks, closest, width):
    """Compare the codes of any two buckets whose numbers differ in just the bits of a mask."""
    for bucket in range(len(offsets) - 1):
        for mask in masks:
            other = bucket ^ mask
            if other < bucket:
                continue
            for i in range(offsets[bucket], offsets[bucket + 1]):
                start = max(offsets[other], i + 1)
                closest = _closest_to(words, i, start, offsets[other + 1], closest, width)
    return closest


def closest_distance(words, bits):
    """Find the smallest Hamming distance between two of many codes.

    Parameters
    ----------
    words : ndarray of uint64 of shape (n, n_words)
        Packed codes, at least two.
    bits : int
        Code length.

    Returns
    -------
    distance : int
        In bits.
    """
    width = (0,) * words.shape[1] if words.shape[1] <= 8 else np.zeros(words.shape[1], np.int64)
    size = min(bits, max(len(words).bit_length() - 4, 1))  # buckets of some 16 codes
    n_parts = -(-bits // size)
    edges = [bits * part // n_parts for part in range(n_parts + 1)]
    words = np.ascontiguousarray(words.T)
    closest = bits
    for radius in range(size + 1):
        if 2 * n_parts * comb(size, radius) > 2**size:
            return int(_closest_of_all(words, np.uint64(closest), width))
        for part in range(n_parts):
            ordered, offsets = _sort_into_buckets(words, *edges[part : part + 2])
            masks = [sum(1 << b for b in flipped) for flipped in combinations(range(_length(edges, part)), radius)]
            found = _closest_in_buckets(ordered, offsets, np.array(masks, np.int64), np.uint64(closest), width)
            closest = int(found)
            if closest <= n_parts * radius + part + 1:
                return closest
    return closest


def _length(edges, part):
    return edges[part + 1] - edges[part]


def _sort_into_buckets(words, start, stop):
    """Sort codes by the number that their bits from start to stop form; the codes, and where each number begins."""
    first, shift = divmod(start, 64)
    numbers = words[first] >> np.uint64(shift)
    if stop > 64 * (first + 1):
        numbers |= words[first + 1] << np.uint64(64 - shift)
    numbers = (numbers & np.uint64(2 ** (stop - start) - 1)).astype(np.int64)
    counts = np.bincount(numbers, minlength=2 ** (stop - start))
    return words[:, numbers.argsort(kind="stable")], np.concatenate([[0], counts.cumsum()])
