"""Exact search kernels over packed codes: the k nearest, and all within a radius, both ordered by (distance, id).

Hardly any code matters once a search is warm, so both kernels filter blocks of codes: a loop without branches or
stores, which LLVM vectorises, asks whether any code of the block is nearer than the query's limit, and only then is
the block looked at code by code. Within a block the codes lie word-major, one vector lane per code.

`width` is a tuple of one zero per word: a tuple's length is part of its type, so each code width gets its own machine
code with the loop over words unrolled.
"""

import numpy as np

from skhash.index._popcount import kernel, popcount

__all__ = ["BLOCK", "nearest", "within"]

BLOCK = 512  # codes per filtered block
_TILE = 4096  # words that are kept in the first-level cache while all queries pass over them
_SPARE = 128  # how far beyond 2 k candidates a query may run before they are cut back to k


@kernel
def _distance(block, j, query, width):
    """Hamming distance of code `j` of a word-major block."""
    total = np.uint64(0)
    for w in range(len(width)):
        total += popcount(block[w, j] ^ query[w])
    return np.int64(total)


@kernel
def _any_below(block, query, limit, width):
    """Whether any code of a block is nearer than `limit`: the sign bits of (distance - limit), or-ed together."""
    sign = np.int64(0)
    for j in range(BLOCK):
        sign |= _distance(block, j, query, width) - limit
    return sign < 0


@kernel
def _empty_tile(width):
    """Room for a few blocks of codes, of shape (n_blocks, n_words, BLOCK)."""
    return np.zeros((max(1, _TILE // (BLOCK * len(width))), len(width), BLOCK), np.uint64)


@kernel
def _fill_tile(tile, codes, start):
    """Copy codes from row `start` on into the tile; give the number of blocks that this takes.

    Behind the last code the last block keeps what it held: it may raise a false alarm in `_any_below`, no more.
    """
    n_blocks = min(len(tile), (len(codes) - start + BLOCK - 1) // BLOCK)
    for b in range(n_blocks):
        rows = codes[start + b * BLOCK : start + (b + 1) * BLOCK]
        for w in range(tile.shape[1]):
            for j in range(len(rows)):
                tile[b, w, j] = rows[j, w]
    return n_blocks


@kernel
def _kth(histogram, k):
    """The k-th smallest distance of a histogram, and how many distances are smaller."""
    distance, smaller = 0, 0
    while smaller + histogram[distance] < k:
        smaller += histogram[distance]
        distance += 1
    return distance, smaller


@kernel
def _first_limit(sample, query, k, histogram, width):
    """A limit that at least `k` codes are below, from some of the codes."""
    histogram[:] = 0
    for i in range(len(sample)):
        total = np.uint64(0)
        for w in range(len(width)):
            total += popcount(sample[i, w] ^ query[w])
        histogram[np.int64(total)] += 1
    return _kth(histogram, k)[0] + 1


@kernel
def _collect(block, first, size, query, limit, distances, ids, count, width):
    """Append the codes of a block that are nearer than `limit` to `count` candidates; give the new count."""
    for j in range(size):
        distance = _distance(block, j, query, width)
        if distance < limit:
            distances[count], ids[count] = distance, first + j
            count += 1
    return count


@kernel
def _keep_nearest(distances, ids, count, k, histogram):
    """Cut `count` candidates, which lie by rising id, back to the `k` nearest; give the k-th distance."""
    histogram[:] = 0
    for i in range(count):
        histogram[distances[i]] += 1
    kth, smaller = _kth(histogram, k)
    ties, kept = k - smaller, 0
    for i in range(count):
        distance = distances[i]
        if distance == kth:
            ties -= 1
        if distance < kth or (distance == kth and ties >= 0):
            distances[kept], ids[kept] = distance, ids[i]
            kept += 1
    return kth


@kernel
def _counting_sort(distances, ids, sorted_distances, sorted_ids, histogram):
    """Sort candidates, which lie by rising id, by (distance, id)."""
    histogram[:] = 0
    for i in range(len(sorted_ids)):
        histogram[distances[i]] += 1
    position = 0
    for distance in range(len(histogram)):
        histogram[distance], position = position, position + histogram[distance]
    for i in range(len(sorted_ids)):
        distance = distances[i]
        sorted_distances[histogram[distance]], sorted_ids[histogram[distance]] = distance, ids[i]
        histogram[distance] += 1


@kernel
def nearest(codes, sample, queries, distances, ids, width):
    """Find the k nearest codes of each query.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        What is searched; `n >= k`.
    sample : ndarray of uint64 of shape (n_sample, n_words)
        Some rows of `codes`, at least `k`, from which the first limits are taken.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        What is searched for.
    distances, ids : ndarray of int32 and of int64 of shape (n_queries, k)
        The answer, ordered by (distance, id).
    width : tuple of int
        `n_words` zeros.
    """
    n_queries, k = ids.shape
    room = min(len(codes), 2 * k + _SPARE)
    near = np.empty((n_queries, room + BLOCK), np.int32)
    near_ids = np.empty((n_queries, room + BLOCK), np.int64)
    counts = np.zeros(n_queries, np.int64)
    histogram = np.empty(64 * len(width) + 1, np.int64)
    limits = np.empty(n_queries, np.int64)
    for q in range(n_queries):
        limits[q] = _first_limit(sample, queries[q], k, histogram, width)
    tile = _empty_tile(width)
    for start in range(0, len(codes), len(tile) * BLOCK):
        n_blocks = _fill_tile(tile, codes, start)
        for q in range(n_queries):
            for b in range(n_blocks):
                if _any_below(tile[b], queries[q], limits[q], width):
                    first = start + b * BLOCK
                    block, query, size = tile[b], queries[q], min(BLOCK, len(codes) - first)
                    counts[q] = _collect(block, first, size, query, limits[q], near[q], near_ids[q], counts[q], width)
                    if counts[q] > room:
                        # From here on a code as far as the k-th would lose against it by its larger id.
                        limits[q] = _keep_nearest(near[q], near_ids[q], counts[q], k, histogram)
                        counts[q] = k
    for q in range(n_queries):
        _keep_nearest(near[q], near_ids[q], counts[q], k, histogram)
        _counting_sort(near[q], near_ids[q], distances[q], ids[q], histogram)


@kernel
def _place(block, first, size, query, slots, distances, ids, width):
    """Write the codes of a block that have a slot for their distance there, and move the slot on."""
    for j in range(size):
        distance = _distance(block, j, query, width)
        if distance < len(slots):
            if len(ids):
                distances[slots[distance]], ids[slots[distance]] = distance, first + j
            slots[distance] += 1


@kernel
def within(codes, queries, slots, distances, ids, width):
    """Find all codes within a radius of each query, in two calls: one to count, one to fill.

    Parameters
    ----------
    codes, queries : ndarray of uint64 of shape (n, n_words) and (n_queries, n_words)
        What is searched, and what for.
    slots : ndarray of int64 of shape (n_queries, radius + 1)
        Where the next neighbour of each query and distance goes; raised by one for each. From zeros it ends as counts.
    distances, ids : ndarray of int32 and of int64 of shape (n_found,)
        The answer; if empty, nothing is written.
    width : tuple of int
        `n_words` zeros.
    """
    tile = _empty_tile(width)
    for start in range(0, len(codes), len(tile) * BLOCK):
        n_blocks = _fill_tile(tile, codes, start)
        for q in range(len(queries)):
            for b in range(n_blocks):
                if _any_below(tile[b], queries[q], slots.shape[1], width):
                    first = start + b * BLOCK
                    size = min(BLOCK, len(codes) - first)
                    _place(tile[b], first, size, queries[q], slots[q], distances, ids, width)
