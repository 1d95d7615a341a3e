"""Exact search kernels over packed codes: the k nearest, and all below a distance, both ordered by (distance, row).

After the first codes, hardly any code is among the nearest. So each kernel lets the filter find the blocks with a code
nearer than the query's limit, and examines only these code by code. Codes that must not be found pass the filter like
others, and are dropped there; where few are allowed, those are gathered before the filter.
"""

import numpy as np

from skhash.bitops import BLOCK, append_hits, append_tile, kernel, rows_view
from skhash.index.scan._candidates import ROW, SHIFT, kth_distance
from skhash.index.scan._filter import TILE, allowed_bits, find_blocks, next_tile

__all__ = ["collect_below", "nearest", "sort_near"]

_FIRST = 1024  # codes in the first tile
_SHORT = 24  # candidates that are sorted by insertion


@kernel
def _guess_limits(code, sample, rank, patterns, limits, found, histogram):
    """Lower the limits to where `rank` codes of a sample are below: presumably that many codes in proportion are."""
    every = ~np.uint64(0)
    for q in range(len(patterns)):
        top = np.int64(limits[q])
        histogram[: top + 1] = 0
        for start in range(0, len(sample), BLOCK):
            n = append_hits(code[1], found, 0, sample, start, patterns, q, limits[q], every, start, SHIFT)
            for i in range(n):
                histogram[found[i] >> SHIFT] += 1
            if start % _FIRST == 0 or start + BLOCK == len(sample):  # that of a part of the sample is no less
                limits[q] = min(limits[q], np.uint64(kth_distance(histogram, rank, top)[0] + 1))


@kernel
def _keep_nearest(found, count, k, limit, histogram):
    """Cut `count >= k` candidates below a limit, ordered by row, back to the `k` nearest; return the k-th distance."""
    top = np.int64(limit)
    histogram[: top + 1] = 0
    for i in range(count):
        histogram[found[i] >> SHIFT] += 1
    kth, smaller = kth_distance(histogram, k, top)
    ties, kept = k - smaller, 0
    for i in range(count):
        distance = found[i] >> SHIFT
        if distance == kth:
            ties -= 1
        if distance < kth or (distance == kth and ties >= 0):
            found[kept] = found[i]
            kept += 1
    return np.uint64(kth)


@kernel
def sort_near(found, count, limit, first, distances, rows, histogram):
    """Write the nearest of the candidates below a limit, ordered by row, in the order of (distance, row).

    As many as there is room for in `distances`.
    """
    k = len(distances)
    if count <= _SHORT:
        for i in range(1, count):
            value, j = found[i], i
            while j > 0 and found[j - 1] > value:
                found[j] = found[j - 1]
                j -= 1
            found[j] = value
        for i in range(min(count, k)):
            distances[i], rows[i] = found[i] >> SHIFT, first + (found[i] & ROW)
        return
    top = np.int64(limit)
    histogram[: top + 1] = 0
    for i in range(count):
        histogram[found[i] >> SHIFT] += 1
    position = np.int64(0)
    for distance in range(top + 1):
        n, histogram[distance] = histogram[distance], position
        if n:
            stop = min(position + n, k)
            distances[position:stop] = distance
            position += n
    for i in range(count):
        distance = found[i] >> SHIFT
        position = histogram[distance]
        if position < k:
            rows[position] = first + (found[i] & ROW)
            histogram[distance] = position + 1


@kernel
def nearest(
    code,
    codes,
    allowed,
    gathers,
    first,
    patterns,
    bounds,
    sample,
    rank,
    tile,
    blocks,
    space,
    numbers,
    n_codes,
    found,
    distances,
    rows,
    counts,
):
    """Find the k nearest of the codes that are nearer to a query than its bound.

    Parameters
    ----------
    code : BlockCode
        The innermost loops.
    codes : ndarray of uint64 of shape (n, n_words)
        Searched codes.
    allowed : ndarray of bool of shape (n,) or (0,)
        Mask of the codes that may be found; empty for all.
    gathers : bool
        Whether to gather the allowed codes before they are compared.
    first : int
        Row of the first code.
    patterns : ndarray of uint64 of shape (n_queries, n)
        Queries, from `make_patterns`.
    bounds : ndarray of uint64 of shape (n_queries,)
        The search is for codes below these distances.
    sample : ndarray of uint64 of shape (n_sample, n_words)
        Whole blocks of allowed codes, or none.
    rank : int
        The limits begin at the `rank`-th distance of the sample. Where that guess was too low, fewer codes than there
        are may be found.
    tile, blocks, space, numbers : ndarray
        The fields of a `Space`.
    n_codes : int
        Codes per tile.
    found : ndarray of int64 of shape (n_queries, room + 64)
        For candidates; `room` is at least k, and more than it save time.
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Filled with the answer, ordered by (distance, row). Where fewer than k codes are found, the rest is unchanged.
    counts : ndarray of int64 of shape (n_queries,)
        Filled with the numbers of codes that were found, which may be more than k.

    Returns
    -------
    n_failed : int
        Number of queries for which less than k codes were found below a guessed limit.
    """
    n_queries, k = rows.shape
    stride = found.shape[1]
    room, flat = stride - BLOCK, found.reshape(-1)  # a view of a row would count references
    histogram, limits = np.empty(64 * codes.shape[1] + 2, np.int64), bounds.copy()
    if len(sample):
        _guess_limits(code, sample, rank, patterns, limits, found[0], histogram)
    mask = allowed[:0] if gathers else allowed
    counts[:] = 0
    # The first tiles are small, because the limits are not low yet.
    end, most = np.int64(0), min(n_codes, _FIRST)
    while end < len(codes):
        start = end
        size, end, copied = next_tile(codes, allowed, start, most, gathers, space, numbers)
        part = rows_view(space, 0, size) if copied else rows_view(codes, start, size)
        most = min(2 * most, n_codes)
        for i in range(find_blocks(code, tile, part, size, patterns, limits, blocks)):
            q, block = blocks[i] // TILE, blocks[i] % TILE
            bits = allowed_bits(mask, start + block, size - block)
            row, count = 0 if gathers else start, counts[q]
            slot = q * stride + count
            if code[4] != 0 and size - block >= BLOCK:
                n_new = append_tile(code[4], flat, slot, tile, block, patterns, q, limits[q], bits, row + block, SHIFT)
            else:
                n_new = append_hits(code[1], flat, slot, part, block, patterns, q, limits[q], bits, row + block, SHIFT)
            if gathers:
                for j in range(slot, slot + n_new):
                    flat[j] += numbers[flat[j] & ROW] - (flat[j] & ROW)
            count += n_new
            if count > room:
                # Later codes have larger rows, so that one as far as the k-th comes after it: the limit is exclusive.
                limits[q] = _keep_nearest(found[q], count, k, limits[q], histogram)
                count = k
            counts[q] = count
    n_failed = 0
    for q in range(n_queries):
        n_failed += counts[q] < k and limits[q] < bounds[q]
        sort_near(found[q], counts[q], limits[q], first, distances[q], rows[q], histogram)
    return n_failed


@kernel
def collect_below(
    code, codes, allowed, gathers, patterns, limits, tile, blocks, space, numbers, n_codes, found, first, slots, rows
):
    """Count the codes at each distance below a query's limit in `slots`, or write their rows to their final positions.

    The second if `rows` is not empty: `slots` are then the positions of the next code of each query and distance.
    """
    mask = allowed[:0] if gathers else allowed
    end = np.int64(0)
    while end < len(codes):
        start = end
        size, end, copied = next_tile(codes, allowed, start, n_codes, gathers, space, numbers)
        part = rows_view(space, 0, size) if copied else rows_view(codes, start, size)
        for i in range(find_blocks(code, tile, part, size, patterns, limits, blocks)):
            q, block = blocks[i] // TILE, blocks[i] % TILE
            bits = allowed_bits(mask, start + block, size - block)
            row = 0 if gathers else start
            if code[4] != 0 and size - block >= BLOCK:
                n = append_tile(code[4], found, 0, tile, block, patterns, q, limits[q], bits, row + block, SHIFT)
            else:
                n = append_hits(code[1], found, 0, part, block, patterns, q, limits[q], bits, row + block, SHIFT)
            for j in range(n):
                distance = found[j] >> SHIFT
                if len(rows):
                    row = found[j] & ROW
                    rows[slots[q, distance]] = first + (numbers[row] if gathers else row)
                slots[q, distance] += 1
