"""Counts of codes at each Hamming distance from a query, 512 codes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from skhash.bitops._bit_slices import SLICE, add_up, make_choices, make_table, n_triples, new_slices, vector_at
from skhash.bitops._compile import intrinsic, kernel
from skhash.bitops._lanes import LANES, VECTOR, WORD, add_differing, call_intrinsic, load, splat, store_short

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DistanceCounter"]

_MAX_WORDS = 2  # beyond that to compute and to count each distance is faster
_FEW = 4  # queries that are not worth a table
_CHUNK = 4 * LANES  # codes whose words are side by side
_TILE = 4  # blocks of 512 codes that share a pass of the queries
_TILE_MEASURED = 8  # of them where each distance is computed
_GROUP = 64  # queries that share a tile
_LOW = 4  # binary digits of the distance whose counts are held in registers at the same time


class DistanceCounter:
    """Codes in a layout for counting those at each distance from a query.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    n_queries : int, default=None
        Number of queries to come: for a few the table of short codes is not worth its time.

    Notes
    -----
    Codes of up to 128 bits take 3.5 times their own memory. The binary digits of all distances are computed and
    counted 512 codes at a time: on processors with wide vectors in about the time of a search for the ten nearest. The
    distances of longer codes are computed, for two queries at a time, and counted one by one.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.bitops import DistanceCounter
    >>> counter = DistanceCounter(np.array([[0b0011], [0b0111], [0b1111]], dtype=np.uint64))
    >>> counter.count(np.array([[0]], dtype=np.uint64))[0, :6]
    array([0, 0, 1, 1, 1, 0])
    """

    n_codes: int
    n_words: int

    def __init__(self, codes: NDArray[np.uint64], n_queries: int | None = None) -> None:
        _check_words(codes, "codes")
        self.n_codes, self.n_words = codes.shape
        self._sliced = self.n_words <= _MAX_WORDS and (n_queries is None or n_queries > _FEW)
        self._codes = make_table(codes) if self._sliced else _in_chunks(codes)

    def count(
        self,
        queries: NDArray[np.uint64],
        starts: NDArray[np.int64] | None = None,
        stops: NDArray[np.int64] | None = None,
    ) -> NDArray[np.int64]:
        """Count codes by their distance.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes.
        starts, stops : ndarray of int64 of shape (n_queries,), default=None
            Query `q` counts the codes in rows `starts[q]` to `stops[q] - 1`; None for all. Adjacent queries with equal
            ranges share work.

        Returns
        -------
        counts : ndarray of int64 of shape (n_queries, 64 * n_words + 1)
            Number of codes at each distance.

        Raises
        ------
        ValueError
            If the queries are not packed codes of the same number of words, or a range exceeds the codes.
        """
        _check_words(queries, "queries", self.n_words)
        counts = np.zeros((len(queries), 64 * self.n_words + 1), np.int64)
        starts = np.zeros(len(queries), np.int64) if starts is None else starts
        stops = np.full(len(queries), self.n_codes) if stops is None else stops
        self._check_ranges(starts, stops, len(queries))
        if self._sliced:
            n_digits = (64 * self.n_words).bit_length()
            choices = np.empty((len(queries), 2 * n_triples(self.n_words)), np.uint16)
            make_choices(queries, choices)
            scratch = np.empty((_GROUP, counts.shape[1]), np.int64), new_slices(_TILE, n_digits), new_slices(_TILE)
            _count_slices(self._codes, choices, starts, stops, counts, *scratch, (0,) * self.n_words)
        else:
            distances = np.empty(2 * SLICE, np.uint16)
            tallies = np.empty(8 * counts.shape[1], np.uint32)
            scratch = distances, distances.view(np.uint64), tallies
            _count_measured(self._codes, queries, starts, stops, counts, *scratch)
        return counts

    def _check_ranges(self, starts: NDArray[Any], stops: NDArray[Any], n_queries: int) -> None:
        """Raise ValueError for ranges that exceed the codes: a kernel would read memory beyond them."""
        for ends in (starts, stops):
            if ends.shape != (n_queries,) or ends.dtype.kind not in "iu":
                raise ValueError(
                    f"starts and stops must be integers of shape (n_queries,) = ({n_queries},), "
                    f"got {ends.dtype} of shape {ends.shape}."
                )
            if len(ends) and (ends.min() < 0 or ends.max() > self.n_codes):
                raise ValueError(
                    f"starts and stops must be rows of the codes, from 0 to {self.n_codes}, "
                    f"got {ends.min()} to {ends.max()}."
                )


def _in_chunks(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Copy codes word by word within chunks, padded to whole slices and flat, aligned to cache lines."""
    n, n_words = codes.shape
    chunks = new_slices(-(-n // SLICE), SLICE // _CHUNK, n_words, _CHUNK // LANES).reshape(-1, n_words, _CHUNK)
    n_whole = n // _CHUNK
    chunks[:n_whole] = codes[: n_whole * _CHUNK].reshape(n_whole, _CHUNK, n_words).swapaxes(1, 2)
    if n > n_whole * _CHUNK:
        chunks[n_whole, :, : n - n_whole * _CHUNK] = codes[n_whole * _CHUNK :].T
    return chunks.reshape(-1)


def _check_words(words: NDArray[Any], name: str, n_words: int | None = None) -> None:
    """Raise ValueError unless `words` are packed codes, of `n_words` words if that is not None."""
    if words.ndim != 2 or words.dtype != np.uint64 or words.shape[1] != (n_words or max(1, words.shape[1])):
        raise ValueError(
            f"{name} must be uint64 of shape ({'n' if n_words is None else 'n_queries'}, {n_words or 'n_words'}), "
            f"got {words.dtype} of shape {words.shape}."
        )


@intrinsic
def _tally(typingctx, counts, first, digits, n_blocks, masks, width):
    """Add the numbers of items of some blocks at each distance to `counts`, from element `first` on.

    `digits` holds the slices of each block's distances, and `masks` the items that count. For all values of the upper
    digits, a binary tree over the four lower ones is counted: all items, those with the highest of these digits set,
    and so on, see `_leaves`. Of each two children only the one with the digit set is counted; the other follows by
    subtraction.
    """
    n_bits = 64 * len(width)
    n_digits = n_bits.bit_length()

    def codegen(context, builder, signature, args):
        counts, digits, masks = (
            context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2, 4)
        )

        def tally_group(group, nodes):
            def count(node, items):
                total = builder.add(builder.load(node), call_intrinsic(builder, f"llvm.ctpop.v{LANES}i64", items))
                builder.store(total, node)

            def grow(items, digit):
                count(nodes[0], items)
                branches = [items]
                for i in reversed(range(_LOW if len(nodes) > 1 else 0)):
                    set_ = digit(i)
                    ones = [builder.and_(branch, set_) for branch in branches]
                    for node, branch in zip(nodes[len(branches) :], ones, strict=False):
                        count(node, branch)
                    zeros = [builder.and_(branch, builder.not_(set_)) for branch in branches]
                    branches = [branch for pair in zip(zeros, ones, strict=True) for branch in pair]

            with cgutils.for_range(builder, args[3]) as loop:

                def digit(i):
                    position = builder.add(builder.mul(loop.index, WORD(LANES * n_digits)), WORD(LANES * i))
                    return builder.load(vector_at(builder, digits, position), align=64)

                mask = vector_at(builder, masks, builder.mul(loop.index, WORD(LANES)))
                items = builder.load(mask, align=64)
                for i in reversed(range(_LOW, n_digits)):
                    set_ = digit(i)
                    items = builder.and_(items, set_ if group >> (i - _LOW) & 1 else builder.not_(set_))
                if len(width) == 1:
                    grow(items, digit)
                else:  # many groups have no item: those of distances far from half of the bits
                    present = call_intrinsic(builder, f"llvm.vector.reduce.or.v{LANES}i64", items, result=WORD)
                    with builder.if_then(builder.icmp_unsigned("!=", present, WORD(0))):
                        grow(items, digit)

        for group in range(n_bits // 2**_LOW + 1):
            n_nodes = 1 if group == n_bits // 2**_LOW else 2**_LOW  # the last holds the largest distance only
            zero = ir.Constant(VECTOR, [0] * LANES)
            nodes = [cgutils.alloca_once(builder, VECTOR) for _ in range(n_nodes)]
            for node in nodes:
                builder.store(zero, node)
            tally_group(group, nodes)
            first = builder.add(args[1], WORD(2**_LOW * group))
            for i in range(0, n_nodes, LANES):
                sums = _sum_lanes(builder, [builder.load(node) for node in nodes[i : i + LANES]])
                target = builder.bitcast(builder.gep(counts, [builder.add(first, WORD(i))]), sums.type.as_pointer())
                builder.store(builder.add(builder.load(target, align=8), sums), target, align=8)
        return context.get_dummy_value()

    return types.none(counts, types.intp, digits, types.intp, masks, width), codegen


def _sum_lanes(builder: ir.IRBuilder, vectors: list[Any]) -> Any:
    """Generate the sums over the lanes of each of `LANES` vectors, as one vector; of a single vector, as a word.

    Vectors are added in pairs of interleaved halves, so that `LANES` sums take `LANES - 1` additions.
    """
    if len(vectors) == 1:
        return call_intrinsic(builder, f"llvm.vector.reduce.add.v{LANES}i64", vectors[0], result=WORD)
    size = 1  # adjacent lanes that belong to different vectors
    while len(vectors) > 1:
        starts = range(0, LANES, 2 * size)
        lanes = [LANES * side + start + i for start in starts for side in range(2) for i in range(size)]
        low, high = (
            ir.Constant(ir.VectorType(ir.IntType(32), LANES), [lane + offset for lane in lanes]) for offset in (0, size)
        )
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [builder.add(builder.shuffle_vector(a, b, low), builder.shuffle_vector(a, b, high)) for a, b in pairs]
        size *= 2
    return vectors[0]


@kernel
def _leaves(nodes, counts):
    """Add the nodes that `_tally` has counted, (n_distances,), to the counts of single distances."""
    leaves = np.empty(2**_LOW, np.int64)
    for group in range(0, len(counts), 2**_LOW):
        n_nodes = min(2**_LOW, len(counts) - group)
        leaves[0] = nodes[group]
        size = 1
        while size < n_nodes:
            for i in range(size - 1, -1, -1):
                ones = nodes[group + size + i]
                leaves[2 * i], leaves[2 * i + 1] = leaves[i] - ones, ones
            size *= 2
        for i in range(n_nodes):
            counts[group + i] += leaves[i]


@kernel
def _mask_items(masks, first_block, n_blocks, start, stop):
    """Set the bits of the items from `start` on and before `stop`."""
    for block in range(n_blocks):
        for lane in range(LANES):
            item = SLICE * (first_block + block) + 64 * lane
            low, high = min(max(start - item, 0), 64), min(max(stop - item, 0), 64)
            mask = np.uint64(0)
            if high > low:
                mask = (np.uint64(2**64 - 1) >> np.uint64(64 - (high - low))) << np.uint64(low)
            masks[block, lane] = mask


@kernel
def _count_slices(table, choices, starts, stops, counts, nodes, digits, masks, width):
    """Count codes by distance, 512 at a time; `nodes`, `digits` and `masks` are scratch."""
    n_queries, n_chosen = choices.shape
    per_block, per_query, per_digits = table[0].size, nodes[0].size, digits[0].size
    flat_table, flat_choices = table.reshape(table.size), choices.reshape(choices.size)
    flat_nodes, flat_digits, flat_masks = (
        nodes.reshape(nodes.size),
        digits.reshape(digits.size),
        masks.reshape(masks.size),
    )
    begin = 0
    while begin < n_queries:
        start, stop = starts[begin], stops[begin]
        end = begin + 1
        while end < min(n_queries, begin + _GROUP) and starts[end] == start and stops[end] == stop:
            end += 1
        nodes[: end - begin] = 0
        last = -(-stop // SLICE) if stop > start else 0
        for block in range(start // SLICE, last, _TILE):
            n_blocks = min(_TILE, last - block)
            _mask_items(masks, block, n_blocks, start, stop)
            for q in range(begin, end):
                for i in range(n_blocks):
                    add_up(
                        flat_digits,
                        per_digits * i,
                        flat_table,
                        per_block * (block + i),
                        flat_choices,
                        n_chosen * q,
                        width,
                    )
                _tally(flat_nodes, per_query * (q - begin), flat_digits, n_blocks, flat_masks, width)
        for q in range(begin, end):
            _leaves(nodes[q - begin], counts[q])
        begin = end


@kernel
def _count_measured(codes, queries, starts, stops, counts, distances, quartets, tallies):
    """Count codes by distance from the distances of 512 at a time.

    `codes` is `_in_chunks`, flat. The last three are scratch, for two queries: distances, the same four to a word, and
    four counts of each distance.
    """
    (n_queries, n_words), n_distances = queries.shape, counts.shape[1]
    begin = 0
    while begin < n_queries:
        start, stop = starts[begin], stops[begin]
        end = begin + 1
        while end < min(n_queries, begin + _GROUP) and starts[end] == start and stops[end] == stop:
            end += 1
        last = -(-stop // SLICE) if stop > start else 0
        for tile in range(start // SLICE, last, _TILE_MEASURED):
            for a in range(begin, end, 2):
                b = min(a + 1, end - 1)
                tallies[:] = 0
                for block in range(tile, min(tile + _TILE_MEASURED, last)):
                    _measure(codes, SLICE * n_words * block, queries[a], queries[b], distances)
                    low, high = max(start - SLICE * block, 0), min(stop - SLICE * block, SLICE)
                    for i in range(1 + b - a):
                        _tally_measured(distances, quartets, SLICE * i, low, high, tallies, 4 * n_distances * i)
                for i in range(4 * (1 + b - a)):
                    mine, some = counts[a + i // 4], tallies[n_distances * i : n_distances * (i + 1)]
                    for d in range(len(mine)):
                        mine[d] += some[d]
        begin = end


@kernel
def _measure(codes, first, query, other, distances):
    """Compute the distances of `SLICE` codes to two queries, which share the loads of the codes.

    `codes` is `_in_chunks`, flat, from position `first` on.
    """
    zero = splat(np.uint64(0))
    for item in range(0, SLICE, _CHUNK):
        a, b, c, d = zero, zero, zero, zero
        e, f, g, h = zero, zero, zero, zero
        at = first + item * len(query)
        for w in range(len(query)):
            bits, others = splat(query[w]), splat(other[w])
            i, j, k, m = (
                load(codes, at),
                load(codes, at + LANES),
                load(codes, at + 2 * LANES),
                load(codes, at + 3 * LANES),
            )
            a, b, c, d = (
                add_differing(a, i, bits),
                add_differing(b, j, bits),
                add_differing(c, k, bits),
                add_differing(d, m, bits),
            )
            e, f, g, h = (
                add_differing(e, i, others),
                add_differing(f, j, others),
                add_differing(g, k, others),
                add_differing(h, m, others),
            )
            at += _CHUNK
        store_short(distances, item, a)
        store_short(distances, item + LANES, b)
        store_short(distances, item + 2 * LANES, c)
        store_short(distances, item + 3 * LANES, d)
        store_short(distances, SLICE + item, e)
        store_short(distances, SLICE + item + LANES, f)
        store_short(distances, SLICE + item + 2 * LANES, g)
        store_short(distances, SLICE + item + 3 * LANES, h)


@kernel
def _tally_measured(distances, quartets, first, low, high, tallies, position):
    """Count the distances from `first + low` on and before `first + high` in four tallies, from `position` on.

    `quartets` has four distances to a word. Consecutive ones, often equal, are counted apart: a processor waits before
    it reads what it has just written.
    """
    per_tally = len(tallies) // 8
    mask, one = np.uint64(2**16 - 1), np.uint32(1)
    begin, end = -(-low // 4), high // 4
    if end < begin:
        begin = end = high // 4 + 1  # within one word
    a, b, c, d = (
        np.uint64(position),
        np.uint64(position + per_tally),
        np.uint64(position + 2 * per_tally),
        np.uint64(position + 3 * per_tally),
    )
    for i in range(low, min(4 * begin, high)):
        tallies[a + np.uint64(distances[first + i])] += one
    for i in range(first // 4 + begin, first // 4 + end):
        word = quartets[i]
        tallies[a + (word & mask)] += one
        tallies[b + ((word >> np.uint64(16)) & mask)] += one
        tallies[c + ((word >> np.uint64(32)) & mask)] += one
        tallies[d + (word >> np.uint64(48))] += one
    for i in range(4 * end, high):
        tallies[a + np.uint64(distances[first + i])] += one
