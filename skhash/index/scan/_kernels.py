"""Exact search kernels over packed codes: the k nearest, and all below a distance, both ordered by (distance, row).

After the first codes, hardly any code is among the nearest. So each kernel lets the filter find the blocks with a code
nearer than the query's limit, and examines only these code by code.
"""

import numpy as np

from skhash.bitops import kernel, trailing_zeros
from skhash.index.scan._candidates import code_distance, kth_distance
from skhash.index.scan._filter import BLOCK, TILE, block_hits, distance_to, fill_tile, filter_blocks, new_tile

__all__ = ["count_below", "fill_below", "lower_limits", "nearest"]

_SPARE = 32  # candidates beyond 2 k that a query may have before they are cut back to k
_ONE = np.uint64(1)


@kernel
def _keep_nearest(distances, rows, count, k, histogram):
    """Cut `count >= k` candidates, ordered by row, back to the `k` nearest; return the k-th distance."""
    histogram[:] = 0
    for i in range(count):
        histogram[distances[i]] += 1
    kth, smaller = kth_distance(histogram, k, len(histogram) - 1)
    ties, kept = k - smaller, 0
    for i in range(count):
        distance = distances[i]
        if distance == kth:
            ties -= 1
        if distance < kth or (distance == kth and ties >= 0):
            distances[kept], rows[kept] = distance, rows[i]
            kept += 1
    return kth


@kernel
def _counting_sort(distances, rows, count, sorted_distances, sorted_rows, histogram):
    """Sort `count` candidates, ordered by row, by (distance, row)."""
    histogram[:] = 0
    for i in range(count):
        histogram[distances[i]] += 1
    position = 0
    for distance in range(len(histogram)):
        histogram[distance], position = position, position + histogram[distance]
    for i in range(count):
        distance = distances[i]
        sorted_distances[histogram[distance]], sorted_rows[histogram[distance]] = distance, rows[i]
        histogram[distance] += 1


@kernel
def lower_limits(sample, queries, k, limits, width):
    """Lower the limits to a distance that at least `k` codes of a sample are below.

    A scan that starts with low limits finds few candidates; the k-th distance of a sample is never below that of all.

    Parameters
    ----------
    sample : ndarray of uint64 of shape (n_sample, n_words)
        Sample of the codes.
    queries, k, limits, width
        As in `nearest`.
    """
    histogram = np.empty(64 * len(width) + 1, np.int64)
    if len(sample) < k:
        return
    for q in range(len(queries)):
        histogram[:] = 0
        query = queries[q]
        for i in range(len(sample)):
            histogram[code_distance(sample, i, query, width)] += 1
        kth, _ = kth_distance(histogram, k, len(histogram) - 1)
        limits[q] = min(limits[q], np.uint64(kth + 1))


@kernel
def nearest(codes, allowed, first, queries, limits, distances, rows, width):
    """Find the k nearest of the codes that are nearer to a query than its limit.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Searched codes.
    allowed : ndarray of bool of shape (n,) or (0,)
        Mask of the codes that may be found; empty for all.
    first : int
        Row of the first code.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed queries.
    limits : ndarray of uint64 of shape (n_queries,)
        Limits; lowered to the k-th distance where k codes are found.
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Filled with the answer, ordered by (distance, row). Where fewer than k codes are found, the rest is unchanged.
    width : tuple of int or ndarray of int64
        `width_of(n_words)`.
    """
    n_queries, k = rows.shape
    room = min(len(codes), 2 * k + _SPARE)
    near = np.empty((n_queries, room + BLOCK), np.int32)
    near_rows = np.empty((n_queries, room + BLOCK), np.int64)
    histogram = np.empty(64 * len(width) + 1, np.int64)
    space, offsets, found = new_tile(n_queries, width)
    counts = np.zeros(n_queries, np.int64)
    end = 0
    while end < len(codes):
        start = end
        tile, size, end = fill_tile(space, offsets, codes, allowed, start, width)
        for i in range(filter_blocks(tile, size, queries, limits, found, width)):
            q, block = found[i] // TILE, found[i] % TILE
            count = counts[q]
            hits = block_hits(tile, block, size, queries[q], limits[q], width)
            while hits:
                j = block + trailing_zeros(hits)
                hits &= hits - _ONE
                near[q, count], near_rows[q, count] = (
                    distance_to(tile, j, queries[q], width),
                    first + start + offsets[j],
                )
                count += 1
            if count > room:
                # Later codes have larger rows, so that one as far as the k-th comes after it: the limit is exclusive.
                limits[q] = _keep_nearest(near[q], near_rows[q], count, k, histogram)
                count = k
            counts[q] = count
    for q in range(n_queries):
        if counts[q] > k:
            limits[q] = _keep_nearest(near[q], near_rows[q], counts[q], k, histogram)
            counts[q] = k
        _counting_sort(near[q], near_rows[q], counts[q], distances[q], rows[q], histogram)


@kernel
def count_below(codes, allowed, queries, limits, counts, width):
    """Count the codes at each distance below a query's limit.

    Parameters
    ----------
    codes, allowed, queries, limits, width
        As in `nearest`, but the limits do not change.
    counts : ndarray of int64 of shape (n_queries, max_limit)
        The numbers of codes are added to it.
    """
    space, offsets, found = new_tile(len(queries), width)
    end = 0
    while end < len(codes):
        start = end
        tile, size, end = fill_tile(space, offsets, codes, allowed, start, width)
        for i in range(filter_blocks(tile, size, queries, limits, found, width)):
            q, block = found[i] // TILE, found[i] % TILE
            hits = block_hits(tile, block, size, queries[q], limits[q], width)
            while hits:
                j = block + trailing_zeros(hits)
                hits &= hits - _ONE
                counts[q, distance_to(tile, j, queries[q], width)] += 1


@kernel
def fill_below(codes, allowed, first, queries, limits, slots, ends, distances, rows, width):
    """Write the codes below a query's limit to their final positions.

    Parameters
    ----------
    codes, allowed, first, queries, limits, width
        As in `nearest`, but the limits do not change.
    slots : ndarray of int64 of shape (n_queries, max_limit)
        Position of the next code of each query and distance; advanced for each code.
    ends : ndarray of int64 of shape (n_queries,)
        Codes of a query at this position or later are left out.
    distances, rows : ndarray of int32 and of int64 of shape (n_found,)
        Filled with the answer.
    """
    space, offsets, found = new_tile(len(queries), width)
    end = 0
    while end < len(codes):
        start = end
        tile, size, end = fill_tile(space, offsets, codes, allowed, start, width)
        for i in range(filter_blocks(tile, size, queries, limits, found, width)):
            q, block = found[i] // TILE, found[i] % TILE
            hits = block_hits(tile, block, size, queries[q], limits[q], width)
            while hits:
                j = block + trailing_zeros(hits)
                hits &= hits - _ONE
                distance = distance_to(tile, j, queries[q], width)
                slot = slots[q, distance]
                if slot < ends[q]:
                    distances[slot], rows[slot] = distance, first + start + offsets[j]
                    slots[q, distance] = slot + 1
