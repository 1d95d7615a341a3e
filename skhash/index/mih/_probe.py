"""The kernel that opens the buckets of one table and keeps the codes that a search has not met yet."""

import numpy as np

from skhash.bitops import append_members, kernel, popcount, prefetch
from skhash.index.mih._tables import substring
from skhash.index.scan._candidates import ROW, SHIFT, kth_distance, sort_by_digits

__all__ = ["BLOCK", "BUCKETS", "probe"]

BLOCK = 256  # members of a bucket that are compared at once
_FIRST_BLOCK = 16  # members
_LINES = 8  # of the cache, of each bucket, that are asked for ahead
_AHEAD = 40  # members by which their codes are asked for ahead, where they do not lie side by side
BUCKETS = 64  # that are looked up before the first of them is opened


@kernel
def _next_mask(mask):
    """Return the next larger number with the same number of set bits (Gosper's hack)."""
    lowest = mask & -mask
    ripple = mask + lowest
    return ((mask ^ ripple) >> (np.int64(popcount(np.uint64(lowest - 1))) + 2)) | ripple


@kernel
def _append_scattered(hits, codes, members, first, n, last, patterns, q, limit):
    """Do the same as `append_members` for codes that do not lie side by side, and are too long to be copied."""
    n_hits, n_words = np.int64(0), codes.shape[1]
    for p in range(first, first + n):
        prefetch(codes, np.int64(members[min(p + _AHEAD, last)]))
        at, distance = np.uint64(members[p]), np.uint64(0)
        for w in range(n_words):
            distance += popcount(codes[at, w] ^ patterns[q, w])
        hits[n_hits] = (np.int64(distance) << SHIFT) | p
        n_hits += np.int64(distance) <= limit
    return n_hits


@kernel
def probe(
    code,
    starts,
    bases,
    offsets,
    members,
    codes,
    ends,
    table_rows,
    patterns,
    q,
    k,
    allowed,
    n_rows,
    table,
    step,
    begin,
    count,
    limit,
    keys,
    radii,
    histogram,
    found,
    spare,
    hits,
    buckets,
    totals,
    left,
):
    """Open the buckets of a table at distance `step` from the key, and append the codes that are new to `found`.

    These are all such buckets, or the first `left` of them.

    Return the number of elements of `found`, -1 if it has not enough room, and the largest distance at which more codes
    matter. See `search` for the arguments.
    """
    length = starts[table + 1] - starts[table]
    offset = table * (len(members) // len(radii))
    mask = (np.int64(1) << step) - 1
    is_scattered = len(codes) < len(members)  # there is one copy for all tables
    per_line = max(1, 8 // codes.shape[1])  # codes
    last_mask, more = mask << (length - step), True
    while more and left > 0:
        # Memory answers many requests in the time of one, if none depends on another.
        n_open = 0
        for _ in range(min(left, BUCKETS)):
            bucket = bases[table] + (keys[table] ^ mask)
            buckets[0, n_open] = offset + np.int64(offsets[bucket])
            buckets[1, n_open] = offset + np.int64(offsets[bucket + 1])
            n_open += buckets[0, n_open] < buckets[1, n_open]
            more = mask != last_mask
            if not more:
                break
            mask = _next_mask(mask)
        left -= BUCKETS
        if is_scattered:
            for i in range(n_open):
                prefetch(members, buckets[0, i])
            for i in range(n_open):
                for p in range(buckets[0, i], min(buckets[1, i], buckets[0, i] + _LINES)):
                    prefetch(codes, np.int64(members[p]))
        else:
            for i in range(n_open):
                end = min(buckets[1, i], buckets[0, i] + _LINES * per_line)
                for row in range(buckets[0, i], end, per_line):
                    prefetch(codes, row)
        totals[0] += n_open
        for i in range(n_open):
            totals[1] += buckets[1, i] - buckets[0, i]
            first, end = buckets[0, i], buckets[1, i]
            while first < end:
                # The first codes lower the limit most, so that small blocks of them keep fewer of the others.
                n = min(BLOCK, end - first)
                if k:
                    n = min(n, _FIRST_BLOCK + totals[3])
                    totals[3] += n
                if is_scattered:
                    n_hits = _append_scattered(hits, codes, members, first, n, end - 1, patterns, q, limit)
                else:
                    n_hits = append_members(code, hits, codes, first, n, patterns, q, np.uint64(limit + 1), SHIFT)
                totals[2] += n_hits
                first += n
                for h in range(n_hits):
                    position, distance = hits[h] & ROW, hits[h] >> SHIFT
                    at = np.int64(members[position]) if is_scattered else position
                    is_new = True  # if all other substrings lie beyond the radii probed so far
                    for t in range(len(radii)):
                        if t != table and radii[t] >= 0:
                            other = substring(codes, at, starts[t], starts[t + 1] - starts[t]) ^ keys[t]
                            is_new &= np.int64(popcount(np.uint64(other))) > radii[t]
                    if not is_new:
                        continue
                    first_row = np.int64(members[position])
                    stop = first_row + 1
                    if len(ends):
                        first_row, stop = ends[first_row], ends[first_row + 1]
                    taken = 0
                    for p in range(first_row, stop):
                        row = np.int64(table_rows[p]) if len(ends) else p
                        if len(allowed) and not allowed[row]:
                            continue
                        if count == len(found):
                            if k == 0:
                                return np.int64(-1), limit
                            sort_by_digits(found, begin, count, spare, n_rows)
                            count = k
                        found[count] = (distance << SHIFT) | row
                        count += 1
                        taken += 1
                        if taken == k:
                            break
                    histogram[distance] += taken
                if n_hits and k:
                    limit = kth_distance(histogram, k, limit)[0]
    return count, limit
