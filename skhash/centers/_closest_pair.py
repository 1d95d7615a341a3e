"""Distance of the closest two of many codes, without a comparison of all pairs where possible.

Split the codes into p parts. Once all pairs that differ in up to r bits of some part have been compared, any other pair
differs in more than r bits of each part, hence in at least p (r + 1) bits.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel, popcount

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILE = 2048  # codes that stay in the cache while others are compared with them


@kernel
def _closest_to(words, i, start, stop, closest, width):
    """Return the minimum of `closest` and of the distances between code i and codes from start to stop."""
    for j in range(start, stop):
        distance = np.uint64(0)
        for w in range(len(width)):  # a tuple up to 8 words, whose length numba knows, so that it unrolls the loop
            distance += popcount(words[w, i] ^ words[w, j])  # pyright: ignore[reportCallIssue]  (numba intrinsic)
        closest = min(closest, distance)
    return closest


@kernel
def _closest_of_all(words, closest, width):
    """Compare all pairs, tile by tile, so that the words of a tile stay in the cache."""
    n = words.shape[1]
    for start in range(0, n, _TILE):
        stop = min(start + _TILE, n)
        for i in range(stop):
            closest = _closest_to(words, i, max(start, i + 1), stop, closest, width)
    return closest


@kernel
def _closest_in_buckets(words, offsets, masks, closest, width):
    """Compare the codes of any two buckets whose numbers differ in exactly the bits of a mask."""
    for bucket in range(len(offsets) - 1):
        for mask in masks:
            other = bucket ^ mask
            if other < bucket:  # this pair of buckets was compared from the other side
                continue
            for i in range(offsets[bucket], offsets[bucket + 1]):
                start = max(offsets[other], i + 1)  # only differs for mask 0, where both are the same bucket
                closest = _closest_to(words, i, start, offsets[other + 1], closest, width)
    return closest


def closest_distance(words: NDArray[np.uint64], bits: int) -> int:
    """Compute the smallest Hamming distance between two of many codes.

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
    size = min(bits, max(len(words).bit_length() - 4, 1))  # bits of a part, for buckets of about 16 codes
    n_parts = -(-bits // size)
    edges = [bits * part // n_parts for part in range(n_parts + 1)]
    words = np.ascontiguousarray(words.T)
    closest = bits
    for radius in range(size + 1):
        if 2 * n_parts * comb(size, radius) > 2**size:  # more than half as many comparisons as all pairs
            return int(_closest_of_all(words, np.uint64(closest), width))
        for part in range(n_parts):
            ordered, offsets = _sort_into_buckets(words, *edges[part : part + 2])
            masks = [sum(1 << b for b in flipped) for flipped in combinations(range(_length(edges, part)), radius)]
            found = _closest_in_buckets(ordered, offsets, np.array(masks, np.int64), np.uint64(closest), width)
            closest = int(found)
            # Pairs not compared yet differ in more than `radius` bits of the parts up to this one, and in at least
            # `radius` bits of each later part.
            if closest <= n_parts * radius + part + 1:
                return closest
    return closest


def _length(edges: list[int], part: int) -> int:
    return edges[part + 1] - edges[part]


def _sort_into_buckets(
    words: NDArray[np.uint64], start: int, stop: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Sort codes by the number that their bits from start to stop form; return them and the offset of each number."""
    first, shift = divmod(start, 64)
    numbers = words[first] >> np.uint64(shift)
    if stop > 64 * (first + 1):  # the part continues in the next word
        numbers |= words[first + 1] << np.uint64(64 - shift)
    numbers = (numbers & np.uint64(2 ** (stop - start) - 1)).astype(np.int64)
    counts = np.bincount(numbers, minlength=2 ** (stop - start))
    return words[:, numbers.argsort(kind="stable")], np.concatenate([[0], counts.cumsum()])
