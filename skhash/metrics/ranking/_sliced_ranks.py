"""Rankings in full as in `_ranks`, for short codes and many queries: 512 items at a time, in bit slices.

The database is cut into eight stretches of consecutive rows, one for each lane of a slice. A block of 512 items is 64
of each stretch, so that every lane counts the earlier items of its own stretch; those of the stretches before are added
at the end. The binary digits of a block's distances give a mask of the items at each distance, and an item's position
among those at its distance is a count minus the later items of its own mask.
"""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.bitops import (
    LANES,
    SLICE,
    add_up,
    kernel,
    make_choices,
    make_table,
    n_triples,
    new_slices,
    popcount,
    tabulate_slices,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_WORDS = 2  # the distances of longer codes are computed faster one by one
_LEAST, _MOST = 2**14, 2**19  # codes in the database
_PER_GROUP = 10  # queries
_SHARED = 8  # queries that share a pass of the table
_TILE = 4  # blocks that are read from memory once for these
_TABLE_PER_CODE = 5  # memory in multiples of that of the codes


class SlicedDatabase:
    """A database in the layout of this module.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    """

    def __init__(self, codes: NDArray[np.uint64]) -> None:
        self.codes = codes
        n, n_words = codes.shape
        n_blocks = -(-n // SLICE)
        rows = np.arange(n_blocks * SLICE).reshape(LANES, n_blocks, 64).swapaxes(0, 1).reshape(-1)
        self._table = make_table(codes[np.minimum(rows, n - 1)])
        present = np.clip(n - rows[::64], 0, 64).astype(np.uint64)
        self._masks = new_slices(n_blocks).reshape(-1)
        self._masks[present > 0] = np.uint64(2**64 - 1) >> (64 - present[present > 0])
        self._kept = local()
        self._n_values = -(-(64 * n_words + 1) // 8) * 8

    @staticmethod
    def pays(n: int, n_words: int, group: NDArray[Any], memory: int) -> bool:
        """Check whether this is faster for `n` codes and queries of some groups, and needs at most `memory` bytes.

        To put the relevant items of a group in the order of blocks must pay for several queries, and small databases
        are not worth the work per query. In large ones, items of a block are far from each other in memory.
        """
        if not (n_words <= _MAX_WORDS and _LEAST <= n <= _MOST and _TABLE_PER_CODE * 8 * n_words * n <= memory):
            return False
        return len(group) >= _PER_GROUP * len(np.unique(group))

    def rank(
        self,
        queries: NDArray[np.uint64],
        group: NDArray[np.int64],
        offsets: NDArray[np.int64],
        rows: NDArray[np.int64],
        own: NDArray[np.int64],
        starts: NDArray[np.int64],
        ranks: NDArray[np.signedinteger],
        totals: NDArray[np.int64],
    ) -> None:
        """Find the ranks of each query's relevant items, as `rank_relevant`, whose arguments these are."""
        choices = np.empty((len(queries), 2 * n_triples(queries.shape[1])), np.uint16)
        make_choices(queries, choices)
        masks = self._masks if own.max() < 0 else _aligned(self._masks)  # changed for the time of a query
        sides = queries, self.codes, self._table.reshape(-1), choices, masks
        lists = group, offsets, rows, own, starts, ranks, totals
        scratch = self._scratch(int(np.diff(offsets).max()), ranks.dtype)
        arguments: tuple[Any, ...] = *sides, *lists, *scratch, (0,) * queries.shape[1]
        _rank_listed(*arguments)

    def _scratch(self, longest: int, rank_type: np.dtype[np.signedinteger]) -> tuple[NDArray[Any], ...]:
        """Return the memory that `_rank_listed` needs for lists of at most `longest` items, kept for each thread."""
        if longest > getattr(self._kept, "longest", -1):
            n_words, n_blocks, n_cells = self.codes.shape[1], len(self._table), LANES * self._n_values
            self._kept.longest = longest
            self._kept.scratch = (
                *(np.empty(longest, kind) for kind in (np.int64, np.uint16, np.uint64)),
                *(np.empty((n_words, longest), np.uint64), np.empty(n_blocks + 1, np.int64)),
                *(np.empty(longest, np.uint16), np.empty(longest, rank_type)),
                new_slices(_SHARED * n_blocks * (64 * n_words).bit_length()).reshape(-1),
                *(new_slices(size).reshape(-1).view(np.int64) for size in (1, 2 * self._n_values + 2)),
                new_slices(2 * self._n_values + 2).reshape(-1),
                *(np.empty(n_cells + 1, np.int64) for _ in range(2)),
            )
        return self._kept.scratch


def _aligned(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Copy whole slices."""
    copy = new_slices(len(words) // LANES).reshape(-1)
    copy[:] = words
    return copy


@kernel
def _arrange(listed, codes, n_blocks, items, lanes, later, words, bounds):
    """Put listed rows in the order of blocks: the rows, their lanes, masks of the later items of 64, and codes.

    Rows of block `b` are those from `bounds[b]` on and before `bounds[b + 1]`.
    """
    size = 64 * n_blocks
    heads = np.empty(9, np.int64)
    for lane in range(9):
        heads[lane] = np.searchsorted(listed, lane * size)
    tails = heads[1:].copy()
    n_found = 0
    for block in range(n_blocks):
        bounds[block] = n_found
        for lane in range(8):
            head, end = heads[lane], lane * size + 64 * (block + 1)
            while head < tails[lane] and listed[head] < end:
                items[n_found] = listed[head]
                lanes[n_found] = lane
                n_found += 1
                head += 1
            heads[lane] = head
    bounds[n_blocks] = n_found
    for i in range(n_found):
        later[i] = np.uint64(2**64 - 2) << np.uint64(items[i] & 63)
        for w in range(len(words)):
            words[w, i] = codes[items[i], w]


@kernel
def _find_cells(query, words, lanes, n, cells):
    """Compute the cell of each listed item: eight times its distance, plus its lane."""
    for i in range(n):
        distance = popcount(query[0] ^ words[0, i])
        cells[i] = np.uint16(8 * distance) + lanes[i]
    for w in range(1, len(query)):
        for i in range(n):
            cells[i] += np.uint16(8 * popcount(query[w] ^ words[w, i]))


@kernel
def _put_in_cells(first, last, cells, later, members, counts, position, mine):
    """Write the position of some listed items, from 1, among those of the same cell.

    Indices are unsigned, so that numba omits the handling of negative ones.
    """
    for i in range(np.uint64(first), np.uint64(last)):
        cell = np.uint64(cells[i])
        place = np.uint64(position[cell])
        mine[place] = counts[cell] - np.int64(popcount(members[cell] & later[i]))  # pyright: ignore[reportCallIssue]
        position[cell] = place + np.uint64(1)


@kernel
def _add_to(values, first, last, more, sums):
    """Add a number to some values."""
    more = sums.dtype.type(more)  # of the type of the others, so that a vector register holds many
    for i in range(np.uint64(first), np.uint64(last)):
        sums[i] = values[i] + more


@kernel
def _rank_listed(
    queries, codes, table, choices, masks, group, offsets, rows, own, starts, ranks, totals,
    items, lanes, later, words, bounds, cells, mine, digits, nearer, counts, members, position, begins, width,
):  # fmt: skip
    """Find the ranks of each query's relevant items; arrays from `items` on are scratch."""
    n_blocks = len(bounds) - 1
    per_block, n_chosen, n_cells = len(table) // n_blocks, choices.shape[1], len(position) - 1
    half = len(members) // 2
    per_digits = len(digits) // (_SHARED * n_blocks)
    arranged = -1
    for q in range(len(queries)):
        if q % _SHARED == 0:
            for tile in range(0, n_blocks, _TILE):
                for other in range(q, min(q + _SHARED, len(queries))):
                    for b in range(tile, min(tile + _TILE, n_blocks)):
                        at = per_digits * ((other - q) * n_blocks + b)
                        add_up(digits, at, table, per_block * b, choices, n_chosen * other, width)
        listed = rows[offsets[group[q]] : offsets[group[q] + 1]]
        n = len(listed)
        if group[q] != arranged:
            _arrange(listed, codes, n_blocks, items, lanes, later, words, bounds)
            arranged = group[q]
        _find_cells(queries[q], words, lanes, n, cells)
        block = lane = 0
        bit = np.uint64(0)
        if own[q] >= 0:  # it counts nowhere, and its rank is written behind all others
            lane, block = own[q] // (64 * n_blocks), own[q] % (64 * n_blocks) // 64
            bit = np.uint64(1) << np.uint64(own[q] & 63)
            for i in range(bounds[block], bounds[block + 1]):
                if items[i] == own[q]:
                    cells[i] = n_cells
        position[:] = 0
        for i in range(np.uint64(n)):
            position[np.uint64(cells[i])] += 1
        totals[q] = n - position[n_cells]
        if totals[q] == 0:
            continue
        before, first, last = 0, -1, 0
        for cell in range(n_cells + 1):
            size = position[cell]
            begins[cell] = position[cell] = before
            before += size
            if size and cell < n_cells:
                first = cell // 64 if first < 0 else first
                last = cell // 64 + 1
        for cell in range(64 * first, 64 * last):
            counts[half + cell] = 0
        nearer[:] = 0
        masks[8 * block + lane] ^= bit
        # The results of a block are used one block later: a processor waits before it reads a part of a vector that it
        # has just written.
        for b in range(n_blocks):
            target = half * (b & 1)
            source = half - target
            at = per_digits * (q % _SHARED * n_blocks + b)
            tabulate_slices(digits, at, masks, 8 * b, first, last, members, counts, source, target, nearer, width)
            if b:
                begin, end = bounds[b - 1], bounds[b]
                _put_in_cells(begin, end, cells, later, members[source:], counts[source:], position, mine)
        target = half * ((n_blocks - 1) & 1)
        begin, end = bounds[n_blocks - 1], bounds[n_blocks]
        _put_in_cells(begin, end, cells, later, members[target:], counts[target:], position, mine)
        masks[8 * block + lane] ^= bit
        earlier, found = 0, ranks[starts[q] : starts[q] + n]
        for i in range(8):
            earlier += nearer[i]
        for cell in range(64 * first, 64 * last):
            _add_to(mine, begins[cell], position[cell], earlier, found)
            earlier += counts[target + cell]
