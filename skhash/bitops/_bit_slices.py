"""Codes in bit slices, and the Hamming distances of 512 of them computed at once.

A slice is one bit of `SLICE` items: the lanes of one vector. To add up the bits in which items differ from a query,
full adders turn three slices of one weight into one of that weight and one of twice the weight, until one slice is left
per weight: the binary digits of all 512 distances. So every instruction works on 512 items, and the distances can be
counted without computing them one by one.

The first round of adders depends on the query only by the pattern of three of its bits. A table therefore holds, for
every three bits and 512 items, the sum for both parities of the pattern and the carry for all eight patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import binding, ir
from numba import types

from skhash.bitops._compile import intrinsic, kernel
from skhash.bitops._lanes import LANES, VECTOR, WORD, call_intrinsic

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SLICE", "add_up", "make_choices", "make_table", "n_triples", "new_slices", "vector_at"]

SLICE = 64 * LANES  # items per slice
_VARIANTS = 10  # of a triple of bits: two sums, eight carries
_ONE = np.uint64(1)
_ALL = np.uint64(2**64 - 1)
# AVX-512 computes any function of three bits in one instruction; LLVM does not use it for both halves of an adder.
_TERNARY = binding.get_host_cpu_features().get("avx512f", False)


def n_triples(n_words: int) -> int:
    """Return the number of triples for all bits of a code.

    Parameters
    ----------
    n_words : int
        Number of words per code.

    Returns
    -------
    n_triples : int
        A third of the bits, rounded up.
    """
    return -(-64 * n_words // 3)


def new_slices(*shape: int) -> NDArray[np.uint64]:
    """Return zeros that are aligned to cache lines: no vector crosses two.

    Parameters
    ----------
    *shape : int
        Shape of the array of slices.

    Returns
    -------
    slices : ndarray of uint64 of shape `(*shape, LANES)`
        Zeros.
    """
    size = int(np.prod(shape)) * LANES
    words = np.zeros(size + LANES, np.uint64)
    first = -(words.ctypes.data // 8) % LANES
    return words[first : first + size].reshape(*shape, LANES)


def make_table(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Tabulate all results of the first adders for every `SLICE` items and three bits.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.

    Returns
    -------
    table : ndarray of uint64 of shape (n_blocks, n_triples, 10, LANES)
        After the last item as for codes of zeros.
    """
    table = new_slices(-(-len(codes) // SLICE), n_triples(codes.shape[1]), _VARIANTS)
    _fill_table(codes, table, np.empty((3 * table.shape[1], LANES), np.uint64))
    return table


@kernel
def make_choices(queries, choices):
    """Compute the positions of the sum and the carry of each triple in a block of the table, for each query.

    Parameters
    ----------
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed codes.
    choices : ndarray of uint16 of shape (n_queries, 2 * n_triples)
        Filled with positions in words: sum, carry, sum, carry, ...
    """
    for q in range(len(queries)):
        for triple in range(choices.shape[1] // 2):
            pattern = np.uint64(0)
            for i in range(3):
                word, bit = (3 * triple + i) // 64, (3 * triple + i) % 64
                if word < queries.shape[1]:
                    pattern |= ((queries[q, word] >> np.uint64(bit)) & _ONE) << np.uint64(i)
            parity = (pattern ^ (pattern >> _ONE) ^ (pattern >> np.uint64(2))) & _ONE
            entry = np.uint64(_VARIANTS * triple)
            choices[q, 2 * triple] = np.uint64(LANES) * (entry + parity)
            choices[q, 2 * triple + 1] = np.uint64(LANES) * (entry + np.uint64(2) + pattern)


@kernel
def _transpose(words):
    """Transpose 64 words of 64 bits in place: bit `j` of word `i` becomes bit `i` of word `j`.

    Blocks of 32 bits are exchanged first, then those of 16 within each half, down to single bits.
    """
    half, mask = np.uint64(32), np.uint64(2**32 - 1)
    while half:
        for i in range(64):
            if not i & half:
                swap = ((words[i] >> half) ^ words[i | half]) & mask
                words[i] ^= swap << half
                words[i | half] ^= swap
        half >>= np.uint64(1)
        mask ^= mask << half


@kernel
def _fill_table(codes, table, slices):
    """Fill a table; `slices` is scratch for one block."""
    n_words = codes.shape[1]
    words = np.empty(64, np.uint64)
    slices[:] = 0
    for block in range(len(table)):
        for lane in range(LANES):
            start = SLICE * block + 64 * lane
            size = min(64, max(0, len(codes) - start))
            for w in range(n_words):
                words[:] = 0
                for i in range(size):
                    words[i] = codes[start + i, w]
                _transpose(words)
                for bit in range(64):
                    slices[64 * w + bit, lane] = words[bit]
        for triple in range(table.shape[1]):
            for lane in range(LANES):
                a, b, c = slices[3 * triple, lane], slices[3 * triple + 1, lane], slices[3 * triple + 2, lane]
                entry = table[block, triple]
                entry[0, lane] = a ^ b ^ c
                entry[1, lane] = ~(a ^ b ^ c)
                for pattern in range(8):
                    x = a ^ _ALL if pattern & 1 else a
                    y = b ^ _ALL if pattern & 2 else b
                    z = c ^ _ALL if pattern & 4 else c
                    entry[2 + pattern, lane] = (x & y) | (z & (x | y))


def _full_adder(builder: ir.IRBuilder, a: Any, b: Any, c: Any) -> tuple[Any, ...]:
    """Generate the sum and the carry of three slices."""
    if _TERNARY:  # the truth tables of the sum (odd parity) and of the carry (majority)
        name, immediate = f"llvm.x86.avx512.pternlog.q.{64 * LANES}", ir.IntType(32)
        return tuple(call_intrinsic(builder, name, a, b, c, immediate(table)) for table in (0x96, 0xE8))
    differ = builder.xor(a, b)
    return builder.xor(differ, c), builder.or_(builder.and_(a, b), builder.and_(differ, c))


def vector_at(builder: ir.IRBuilder, words: Any, position: Any) -> Any:
    """Generate a pointer to the vector at a position of aligned words."""
    return builder.bitcast(builder.gep(words, [position]), VECTOR.as_pointer())


@intrinsic
def add_up(typingctx, digits, position, table, block, choices, query, width):
    """Write the binary digits of 512 distances as slices, the lowest first, to `digits` from `position` on.

    `digits`, `table` and `choices` are contiguous and flat, `block` is the position of the block in the table, `query`
    that of the query in the choices, both in elements. The length of the tuple `width` is the number of words per code.
    """
    n_digits = (64 * len(width)).bit_length()
    n_chosen = 2 * n_triples(len(width))

    def codegen(context, builder, signature, args):
        digits, table, choices = (
            context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2, 4)
        )
        block, chosen = builder.gep(table, [args[3]]), builder.gep(choices, [args[5]])
        waiting = [[] for _ in range(n_digits + 1)]  # slices of each weight, at most two

        def add(weight, piece):
            waiting[weight].append(piece)
            if len(waiting[weight]) == 3:
                total, carry = _full_adder(builder, *waiting[weight])
                waiting[weight] = [total]
                add(weight + 1, carry)

        for i in range(n_chosen):
            offset = builder.zext(builder.load(builder.gep(chosen, [WORD(i)])), WORD)
            add(i % 2, builder.load(vector_at(builder, block, offset), align=64))
        for weight in range(n_digits):
            if len(waiting[weight]) == 2:
                a, b = waiting[weight]
                waiting[weight] = [builder.xor(a, b)]
                add(weight + 1, builder.and_(a, b))
            digit = waiting[weight][0] if waiting[weight] else ir.Constant(VECTOR, [0] * LANES)
            builder.store(digit, vector_at(builder, digits, builder.add(args[1], WORD(LANES * weight))), align=64)
        return context.get_dummy_value()

    return types.none(digits, types.intp, table, types.intp, choices, types.intp, width), codegen
