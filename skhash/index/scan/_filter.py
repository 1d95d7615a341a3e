"""The filter at the core of every scan: find the blocks of codes that contain one nearer than a limit.

Codes are copied, tile by tile, into an order that suits vectors (word-major: one lane per code) and stay in the
first-level cache while all queries pass over them, four at a time. The innermost loop has no branches and no stores:
it computes the smallest distance of a block of 64 codes, and only blocks that pass are examined again.

`width` comes from `width_of` of `_scan`, with one element per word. For the usual widths it is a tuple: its length is
part of its type, so each of them gets its own machine code with the loop over words unrolled. Other widths share one.
"""

import numpy as np

from skhash.bitops import (
    LANES,
    add_differing,
    below,
    kernel,
    load,
    popcount,
    smaller,
    splat,
    transpose,
    view,
)

__all__ = ["BLOCK", "TILE", "block_hits", "distance_to", "fill_tile", "filter_blocks", "new_tile"]

BLOCK = 64  # codes per filtered block: one bit of a word each
TILE = 1024  # codes per tile, at most
_TILE_WORDS = 2048  # words per tile that leave room for others in the first-level cache
_GROUP = 4  # queries that share each load of codes
_ZERO = np.uint64(0)
_FAR = np.uint64(2**32 - 1)  # beyond any distance


@kernel
def new_tile(n_queries, width):
    """Allocate a tile of codes, their offsets, and the list of blocks that the filter finds in it."""
    n_codes = max(BLOCK, min(TILE, _TILE_WORDS // len(width) // BLOCK * BLOCK))
    words = np.zeros(len(width) * n_codes + LANES, np.uint64)
    first = -(words.ctypes.data // 8) % LANES  # at a cache line, so that no load crosses two
    tile = words[first : first + len(width) * n_codes].reshape((len(width), n_codes))
    return tile, np.arange(n_codes), np.empty(n_queries * (n_codes // BLOCK) + _GROUP, np.int64)


@kernel
def fill_tile(tile, offsets, codes, allowed, start, width):
    """Copy codes from row `start` on into the tile; return the tile, its number of codes, and the next row.

    Code `j` of the tile is that of row `start + offsets[j]`. After the last code the tile keeps its old contents, which
    can only cause false alarms in the filters. Codes of one word need no copy, which matters for a single query.
    """
    room = tile.shape[1]
    if len(allowed) == 0:  # the offsets stay 0, 1, 2, ...
        size = min(room, len(codes) - start)
        if len(width) == 1 and size == room:
            return view(codes, start, room), size, start + size
        whole = size - size % LANES
        for j in range(0, whole, LANES):
            transpose(tile, j, codes, start + j, width)
        for j in range(whole, size):
            for w in range(len(width)):
                tile[w, j] = codes[start + j, w]
        return tile, size, start + size
    size, row = 0, start
    while size < room and row < len(codes):
        if allowed[row]:
            for w in range(len(width)):
                tile[w, size] = codes[row, w]
            offsets[size] = row - start
            size += 1
        row += 1
    return tile, size, row


@kernel
def _distances(tile, j, query, width):
    """Compute the Hamming distances of codes `j`, `j + 1`, ... of a tile, as lanes."""
    total = splat(_ZERO)
    for w in range(len(width)):
        total = add_differing(total, load(tile[w], j), splat(query[w]))
    return total


@kernel
def _filter_one(tile, size, queries, q, limits, found, n_found, width):
    """Append the blocks with codes nearer to query `q` than its limit, as `q * TILE + start`; return the new number.

    Each block is written, and overwritten by the next one unless it counts: that needs no branch.
    """
    for start in range(0, size, BLOCK):
        nearest = splat(_FAR)
        for j in range(start, start + BLOCK, LANES):
            nearest = smaller(nearest, _distances(tile, j, queries[q], width))
        found[n_found] = q * TILE + start
        n_found += below(nearest, splat(limits[q])) != 0
    return n_found


@kernel
def _filter_four(tile, size, queries, q, limits, found, n_found, width):
    """Filter as `_filter_one` does, for the four queries from `q` on.

    Written out rather than as a loop over queries, so that all totals stay in registers.
    """
    for start in range(0, size, BLOCK):
        nearest0 = nearest1 = nearest2 = nearest3 = splat(_FAR)
        for j in range(start, start + BLOCK, LANES):
            total0 = total1 = total2 = total3 = splat(_ZERO)
            for w in range(len(width)):
                codes = load(tile[w], j)
                total0 = add_differing(total0, codes, splat(queries[q, w]))
                total1 = add_differing(total1, codes, splat(queries[q + 1, w]))
                total2 = add_differing(total2, codes, splat(queries[q + 2, w]))
                total3 = add_differing(total3, codes, splat(queries[q + 3, w]))
            nearest0, nearest1 = smaller(nearest0, total0), smaller(nearest1, total1)
            nearest2, nearest3 = smaller(nearest2, total2), smaller(nearest3, total3)
        hit0, hit1 = below(nearest0, splat(limits[q])), below(nearest1, splat(limits[q + 1]))
        hit2, hit3 = below(nearest2, splat(limits[q + 2])), below(nearest3, splat(limits[q + 3]))
        if hit0 | hit1 | hit2 | hit3:
            for i, hit in enumerate((hit0, hit1, hit2, hit3)):
                found[n_found] = (q + i) * TILE + start
                n_found += hit != 0
    return n_found


@kernel
def filter_blocks(tile, size, queries, limits, found, width):
    """List the blocks with codes nearer than a query's limit, as `query * TILE + start`; return their number."""
    n_found = 0
    n_grouped = len(queries) - len(queries) % _GROUP
    for q in range(0, n_grouped, _GROUP):
        n_found = _filter_four(tile, size, queries, q, limits, found, n_found, width)
    for q in range(n_grouped, len(queries)):
        n_found = _filter_one(tile, size, queries, q, limits, found, n_found, width)
    return n_found


@kernel
def block_hits(tile, start, size, query, limit, width):
    """Return a word whose bit `j` is set if code `start + j` of a tile of `size` codes is nearer than `limit`."""
    hits = _ZERO
    for j in range(0, BLOCK, LANES):
        hits |= below(_distances(tile, start + j, query, width), splat(limit)) << np.uint64(j)
    if size - start < BLOCK:  # after the last code there are old ones
        hits &= (np.uint64(1) << np.uint64(size - start)) - np.uint64(1)
    return hits


@kernel
def distance_to(tile, j, query, width):
    """Compute the Hamming distance of code `j` of a tile."""
    total = _ZERO
    for w in range(len(width)):
        total += popcount(tile[w, j] ^ query[w])
    return np.int64(total)
