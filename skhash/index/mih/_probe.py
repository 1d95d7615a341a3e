"""Kernels that open the buckets of one table and keep the codes that a search has not met yet."""

import numpy as np

from skhash.bitops import kernel, popcount
from skhash.index.scan._candidates import SHIFT, code_distance, kth_distance

__all__ = ["BLOCK", "drop_beyond", "probe"]

BLOCK = 256  # members of a bucket that are filtered at once


@kernel
def _any_within(codes, first, last, query, limit, width):
    """Check whether any of some codes is at most `limit` away.

    The sign bits of (distance - limit - 1) are or-ed together: without a branch, so that the loop becomes vectors.
    """
    sign = np.int64(0)
    for i in range(first, last):
        sign |= code_distance(codes, i, query, width) - limit - 1
    return sign < 0


@kernel
def _hits(codes, first, last, query, limit, starts, table, radii, hits, width):
    """Write those of some codes that are at most `limit` away, and that no table has met yet, to `hits`.

    Return their number. A code is new if all its other substrings lie beyond the radii probed so far.
    """
    count = 0
    for i in range(first, last):
        hits[count] = i  # overwritten by the next one unless it counts
        count += code_distance(codes, i, query, width) <= limit
    if count == 0:
        return 0
    for t in range(len(radii)):
        if t != table and radii[t] >= 0:
            size, start, length = count, starts[t], starts[t + 1] - starts[t]
            w, shift = start >> 6, np.uint64(start & 63)
            mask = (np.uint64(1) << np.uint64(length)) - np.uint64(1)
            straddles = (start & 63) + length > 64
            count = 0
            for h in range(size):
                bits = (codes[hits[h], w] ^ query[w]) >> shift
                if straddles:
                    bits |= (codes[hits[h], w + 1] ^ query[w + 1]) << (np.uint64(64) - shift)
                hits[count] = hits[h]
                count += np.int64(popcount(bits & mask)) > radii[t]
    return count


@kernel
def _n_rows(hits, n_hits, members, ends, k):
    """Count the candidates that some hits make: at most the first k rows of each."""
    if len(ends) == 0:
        return n_hits
    total = np.int64(0)
    for h in range(n_hits):
        code = members[hits[h]]
        size = ends[code + 1] - ends[code]
        total += min(size, k)
    return total


@kernel
def _append(found, count, hits, n_hits, codes, members, query, k, ends, rows, allowed, histogram, width):
    """Append hits to the candidates, which have the capacity, and count their distances; return the new number."""
    for h in range(n_hits):
        code = np.int64(members[hits[h]])
        distance = code_distance(codes, hits[h], query, width)
        before = count
        if len(ends) == 0:
            found[count] = (distance << SHIFT) + code
            count += len(allowed) == 0 or allowed[code]
        else:
            for p in range(ends[code], ends[code + 1]):
                row = np.int64(rows[p])
                found[count] = (distance << SHIFT) + row
                count += len(allowed) == 0 or allowed[row]
                if count - before == k:
                    break
        histogram[distance] += count - before
    return count


@kernel
def drop_beyond(found, count, limit):
    """Drop candidates that are farther than the limit; return the new count."""
    kept = 0
    for i in range(count):
        if found[i] >> SHIFT <= limit:
            found[kept] = found[i]
            kept += 1
    return kept


@kernel
def _next_mask(mask):
    """Return the next larger number with the same number of set bits (Gosper's hack)."""
    lowest = mask & -mask
    ripple = mask + lowest
    return ((mask ^ ripple) >> (np.int64(popcount(np.uint64(lowest - 1))) + 2)) | ripple


@kernel
def probe(found, count, limit, k, query, key, step, tables, table, radii, allowed, hits, histogram, width):
    """Open all buckets of a table at distance `step` from the key.

    Return the candidates, their count, the largest distance at which more of them matter, and the
    numbers of opened buckets, of their members, and of hits.
    """
    length = tables.starts[table + 1] - tables.starts[table]
    offsets, codes, members = tables.offsets[tables.bases[table] :], tables.codes[table], tables.members[table]
    starts, ends, rows = tables.starts, tables.ends, tables.rows
    mask, n_open, n_met, n_kept = (np.int64(1) << step) - 1, np.int64(0), np.int64(0), np.int64(0)
    last_mask = mask << (length - step)
    while True:
        first, end = np.int64(offsets[key ^ mask]), np.int64(offsets[(key ^ mask) + 1])
        n_open += first < end
        n_met += end - first
        for start in range(first, end, BLOCK):
            stop = min(start + BLOCK, end)
            # A quick test pays for itself from some 16 members on.
            if stop - start >= 16 and not _any_within(codes, start, stop, query, limit, width):
                continue
            n_hits = _hits(codes, start, stop, query, limit, starts, table, radii, hits, width)
            if n_hits:
                n_kept += n_hits
                n_rows = _n_rows(hits, n_hits, members, ends, k)
                if count + n_rows > len(found):
                    count = drop_beyond(found, count, limit)
                    if 2 * count + n_rows > len(found):
                        found = np.concatenate((found[:count], np.empty(count + 2 * n_rows, np.int64)))
                count = _append(
                    found, count, hits, n_hits, codes, members, query, k, ends, rows, allowed, histogram, width
                )
                limit = kth_distance(histogram, k, limit)[0]
        if mask == last_mask:
            return found, count, limit, n_open, n_met, n_kept
        mask = _next_mask(mask)
