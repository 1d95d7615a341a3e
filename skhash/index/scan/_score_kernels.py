"""Search kernel over records for continuous queries: the k best scores, ordered by (distance, row)."""

import numpy as np

from skhash.bitops import BLOCK, LANES, append_scored, fill_tile, kernel
from skhash.index.scan._candidates import ROW, SHIFT, sort_by_digits
from skhash.index.scan._filter import next_tile

__all__ = ["nearest_by_score"]

_FIRST = 1024  # records in the first tile


@kernel
def _select(found, first, count, k):
    """Move the `k` smallest of `count` numbers from position `first` on to the front; return the largest of them."""
    low, high, kth = first, first + count - 1, first + k - 1
    while low < high:
        a, b, c = found[low], found[(low + high) // 2], found[high]
        pivot = max(min(a, b), min(max(a, b), c))  # the median
        i, j = low, high
        while i <= j:
            while found[i] < pivot:
                i += 1
            while found[j] > pivot:
                j -= 1
            if i <= j:
                found[i], found[j] = found[j], found[i]
                i += 1
                j -= 1
        if kth <= j:
            high = j
        elif kth >= i:
            low = i
        else:
            break
    return found[kth]


@kernel
def _drop_refused(found, first, count, allowed):
    """Drop candidates whose rows are not allowed; return how many are left."""
    kept = first
    for i in range(first, first + count):
        if allowed[found[i] & ROW]:
            found[kept] = found[i]
            kept += 1
    return kept - first


@kernel
def nearest_by_score(
    fill,
    score,
    codes,
    allowed,
    gathers,
    first,
    queries,
    bounds,
    sample,
    rank,
    tile,
    space,
    numbers,
    n_codes,
    found,
    distances,
    rows,
    counts,
):
    """Find the k records with the best scores for each query, among those whose distance is below its bound.

    Parameters
    ----------
    fill, score : int
        Addresses of the innermost loops.
    codes : ndarray of uint64 of shape (n, n_words)
        Records.
    allowed : ndarray of bool of shape (n,) or (0,)
        Mask of the records that may be found; empty for all.
    gathers : bool
        Whether to gather the allowed records before they are compared.
    first : int
        Row of the first record.
    queries : ndarray of uint64 of shape (n_queries, n)
        Planes and constants.
    bounds : ndarray of uint64 of shape (n_queries,)
        The search is for distances below these.
    sample : ndarray of uint64 of shape (n_sample, n_words)
        Whole blocks of allowed records, or none.
    rank : int
        The limits begin at the `rank`-th distance of the sample. Where that guess was too low, fewer records than there
        are may be found.
    tile : ndarray of uint64 of shape (n_words, n_codes)
        Memory for records word by word.
    space, numbers : ndarray of uint64 of shape (n_codes, n_words) and of int64 of shape (n_codes,)
        Memory for gathered records and their rows.
    n_codes : int
        Records per tile.
    found : ndarray of int64 of shape (n_queries, room + n_codes + 8)
        For candidates; `room` is at least k, and more than it save time.
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Filled with the answer, ordered by (distance, row). Where fewer than k are found, the rest is unchanged.
    counts : ndarray of int64 of shape (n_queries,)
        Filled with the numbers of records that were found, which may be more than k.

    Returns
    -------
    n_failed : int
        Number of queries for which less than k records were found below a guessed limit.
    """
    n_queries, k = rows.shape
    stride = found.shape[1]
    room, flat = stride - n_codes - LANES, found.reshape(-1)
    limits, mask = bounds.copy(), allowed[:0] if gathers else allowed
    counts[:] = 0
    for start in range(0, len(sample), n_codes):
        size = min(n_codes, len(sample) - start)
        fill_tile(fill, tile, sample[start : start + size], size // LANES)
        for q in range(n_queries):
            slot = q * stride
            counts[q] += append_scored(score, flat, slot + counts[q], tile, size, queries, q, limits[q], start, SHIFT)
            if counts[q] >= rank:
                kth = _select(flat, slot, counts[q], rank)
                limits[q], counts[q] = min(limits[q], np.uint64(kth >> SHIFT) + np.uint64(1)), rank
    counts[:] = 0
    end, most = np.int64(0), max(BLOCK, min(n_codes, _FIRST))
    while end < len(codes):
        start = end
        size, end, copied = next_tile(codes, allowed, start, most, gathers, space, numbers)
        n_groups = (size + LANES - 1) // LANES
        fill_tile(fill, tile, space if copied else codes[start:end], n_groups)
        row = 0 if gathers else start
        for q in range(n_queries):
            slot, count = q * stride, counts[q]
            n_new = append_scored(score, flat, slot + count, tile, size, queries, q, limits[q], row, SHIFT)
            if n_new == 0:
                continue
            if gathers:
                for j in range(slot + count, slot + count + n_new):
                    flat[j] += numbers[flat[j] & ROW] - (flat[j] & ROW)
            elif len(mask):
                n_new = _drop_refused(flat, slot + count, n_new, mask)
            count += n_new
            if count > room:
                # Later records have larger rows, so that one as far as the k-th comes after it: the limit is exclusive.
                limits[q], count = np.uint64(_select(flat, slot, count, k) >> SHIFT), k
            counts[q] = count
        most = n_codes
    n_failed = 0
    spare = np.empty_like(flat)
    for q in range(n_queries):
        n_failed += counts[q] < k and limits[q] < bounds[q]
        slot, count = q * stride, counts[q]
        if count > k:
            _select(flat, slot, count, k)
            count = k
        sort_by_digits(flat, slot, slot + count, spare, first + len(codes))
        for i in range(count):
            distances[q, i], rows[q, i] = flat[slot + i] >> SHIFT, first + (flat[slot + i] & ROW)
    return n_failed
