"""Distances of codes in rows to a query, as LLVM code: lanes of words are counted, and the counts of a code added up.

The loop over the words of a code is unrolled for the widths that gain by it. Short and long codes of other widths share
a loop each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import lcm
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from skhash.bitops._lanes import LANES, VECTOR, WORD, call_intrinsic, splat_vector

__all__ = [
    "INDEX",
    "LONG",
    "SHORT",
    "UNROLLED",
    "ZEROS",
    "add_to",
    "differing",
    "for_word_groups",
    "pattern_length",
    "read_lanes",
    "row_distances",
    "variable",
    "vector_at",
]

UNROLLED = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64)  # words of a code: LLVM unrolls these loops badly by itself
SHORT, LONG = 0, -1  # other widths: codes are read side by side, or one by one
ZEROS = ir.Constant(VECTOR, [0] * LANES)
INDEX = ir.Constant(VECTOR, list(range(LANES)))


def pattern_length(n_words: int) -> int:
    """Return the number of words of a query's pattern: it is repeated for an unrolled width, else padded with zeros.

    Parameters
    ----------
    n_words : int
        Words of a code.

    Returns
    -------
    length : int
        A multiple of eight, and of `n_words` where the pattern is repeated.
    """
    return lcm(n_words, LANES) if n_words in UNROLLED else -(-n_words // LANES) * LANES


def vector_at(builder: ir.IRBuilder, words: Any, position: Any) -> Any:
    """Generate a pointer to the vector at a position."""
    return builder.bitcast(builder.gep(words, [position]), VECTOR.as_pointer())


def read_lanes(builder: ir.IRBuilder, words: Any, position: Any, mask: Any = None) -> Any:
    """Generate a load of lanes; those that the mask leaves out are not read, and are 0."""
    pointer = vector_at(builder, words, position)
    if mask is None:
        return builder.load(pointer, align=8)
    function_type = ir.FunctionType(VECTOR, [pointer.type, ir.IntType(32), mask.type, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.masked.load.v{LANES}i64.p0")
    return builder.call(function, (pointer, ir.IntType(32)(8), mask, ZEROS))


def variable(builder: ir.IRBuilder, value: Any) -> Any:
    """Generate a variable with an initial value, which LLVM keeps in a register."""
    variable = cgutils.alloca_once(builder, value.type)
    builder.store(value, variable)
    return variable


def add_to(builder: ir.IRBuilder, variable: Any, value: Any) -> None:
    """Generate an addition to a variable."""
    builder.store(builder.add(builder.load(variable), value), variable)


def for_word_groups(builder: ir.IRBuilder, n_words: Any, generate: Callable[[Any, Any], None]) -> None:
    """Generate a loop over groups of words, the last of which may be partial.

    `generate` gets the first word and the mask of lanes, None for all.
    """
    n_whole = builder.and_(n_words, WORD(-LANES))
    with cgutils.for_range_slice(builder, WORD(0), n_whole, WORD(LANES)) as (first, _):
        generate(first, None)
    with builder.if_then(builder.icmp_unsigned("<", n_whole, n_words)):
        left = splat_vector(builder, VECTOR, builder.sub(n_words, n_whole))
        generate(n_whole, builder.icmp_unsigned("<", INDEX, left))


def differing(builder: ir.IRBuilder, a: Any, b: Any) -> Any:
    """Generate the number of bits in which each two lanes differ."""
    return call_intrinsic(builder, f"llvm.ctpop.v{LANES}i64", builder.xor(a, b))


def _add_neighbors(builder: ir.IRBuilder, vectors: list[Any]) -> Any:
    """Generate the sums of as many consecutive lanes as there are vectors, 2**p, as one vector."""
    even, odd = (
        ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(range(parity, 2 * LANES, 2))) for parity in (0, 1)
    )
    while len(vectors) > 1:
        vectors = [
            builder.add(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _every(builder: ir.IRBuilder, vectors: list[Any], start: int) -> Any:
    """Generate the lanes `start`, `start + n`, ... of the concatenation of n vectors, as one vector."""
    chosen, n = vectors[0], len(vectors)
    for j in range(1, n):
        positions = []
        for i in range(LANES):
            vector, lane = divmod(start + n * i, LANES)
            positions.append(LANES + lane if vector == j else i if j > 1 else lane)
        indices = ir.Constant(ir.VectorType(ir.IntType(32), LANES), positions)
        chosen = builder.shuffle_vector(chosen, vectors[j], indices)
    return chosen


def _add(builder: ir.IRBuilder, vectors: Sequence[Any]) -> Any:
    """Generate the sum of vectors."""
    return reduce(builder.add, vectors)


def _add_codes(builder: ir.IRBuilder, vectors: list[Any]) -> Any:
    """Generate the sums of as many consecutive lanes as there are vectors, as one vector."""
    n = len(vectors)
    if n % LANES == 0:
        step = n // LANES
        return _add_neighbors(builder, [_add(builder, vectors[i : i + step]) for i in range(0, n, step)])
    while len(vectors) % 2 == 0:
        vectors = [_add_neighbors(builder, vectors[i : i + 2]) for i in range(0, len(vectors), 2)]
    return _add(builder, [_every(builder, vectors, w) for w in range(len(vectors))])


def row_distances(builder: ir.IRBuilder, first: Any, n_words: Any, pattern: Any, width: int) -> Any:
    """Generate the distances of a group of codes in rows to a query, as lanes.

    The pattern is the query, for an unrolled width repeated to a multiple of eight words, else padded with zeros.
    """
    if width > 0:
        queries = [read_lanes(builder, pattern, WORD(first)) for first in range(0, pattern_length(width), LANES)]
        pairs = ((read_lanes(builder, first, WORD(LANES * j)), queries[j % len(queries)]) for j in range(width))
        return _add_codes(builder, [differing(builder, *pair) for pair in pairs])
    totals = [variable(builder, ZEROS) for _ in range(LANES)]
    starts = [builder.mul(n_words, WORD(i)) for i in range(LANES)]

    def add_group_of(codes: Sequence[int]) -> Callable[[Any, Any], None]:
        def add_group(group: Any, mask: Any) -> None:
            query = read_lanes(builder, pattern, group)
            for i in codes:
                code = read_lanes(builder, first, builder.add(starts[i], group), mask)
                add_to(builder, totals[i], differing(builder, code, query))

        return add_group

    # Codes side by side share the loads of the query; long ones are read one by one, as memory streams best.
    for codes in [range(LANES)] if width == SHORT else [[i] for i in range(LANES)]:
        for_word_groups(builder, n_words, add_group_of(codes))
    return _add_neighbors(builder, [builder.load(total) for total in totals])
