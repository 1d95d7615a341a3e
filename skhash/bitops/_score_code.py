"""Scores of records against continuous queries, by population counts alone: LLVM code, compiled per form of record.

A record is the packed code of a vector `x` whose elements are odd integers, followed by a factor and an offset where
the form has them. A number of `b` bits, `-(2**b - 1)` to `2**b - 1`, is the sum of `2**l * s_l` over levels `l` with
`s_l = -1` or `+1`: so a code is a plane of bits per level, and a query quantized in the same way is one per level `p`.
The inner product of both is then

    <x, z> = sum over l, p of 2**(l + p) * (size of plane l - 2 * Hamming distance of planes l and p)
           = total - 2 * weighted,     weighted = sum over l, p of 2**(l + p) * Hamming distance,

and the score of a record is `factor * <x, z> + offset`. All of it is integer arithmetic, so that scores do not depend
on the order of sums.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy.typing import NDArray

from skhash.bitops._block_code import compile_code, emit_compressed
from skhash.bitops._compile import intrinsic
from skhash.bitops._lanes import LANES, VECTOR, WORD, call_intrinsic, splat_vector

__all__ = ["N_CONSTANTS", "BitRun", "Field", "RecordForm", "append_scored", "score_code", "score_distances"]

N_CONSTANTS: int = 4  # words of a query after its planes: total, weight of the offset, largest score, shift
_POINTER = WORD.as_pointer()
_ZEROS = ir.Constant(VECTOR, [0] * LANES)
_INDEX = ir.Constant(VECTOR, list(range(LANES)))
_LOW = 2**32 - 1
_MOST_UNROLLED = 8  # words of a run


class BitRun(NamedTuple):
    """Consecutive words of a record with bits of one level.

    Parameters
    ----------
    level : int
        The level: its bits count `2**level`.
    first_word, n_words : int
        The words.
    mask : int
        The bits of the words that belong to the level; runs with other masks than all ones are one word long.
    """

    level: int
    first_word: int
    n_words: int
    mask: int


class Field(NamedTuple):
    """An unsigned number of at most 32 bits inside a word of a record.

    Parameters
    ----------
    word : int
        The word.
    shift, bits : int
        Position of its lowest bit, and number of bits.
    """

    word: int
    shift: int
    bits: int


class RecordForm(NamedTuple):
    """Where a record has its bits.

    Parameters
    ----------
    n_words : int
        Words of a record.
    runs : tuple of BitRun
        Bits of the code, from the highest level down.
    factor, offset : Field or None
        Both or none. Without them the score of a record is the inner product itself.
    """

    n_words: int
    runs: tuple[BitRun, ...]
    factor: Field | None = None
    offset: Field | None = None


@cache
def score_code(form: RecordForm, n_planes: int, cpu: str = "") -> int:
    """Return the address of the function behind `append_scored` for a form of record and a number of query planes."""
    symbol = "append_scored_" + "_".join(str(part) for part in _numbers(form, n_planes))
    argument_types = (_POINTER, _POINTER, WORD, WORD, _POINTER, WORD, WORD, WORD)
    return compile_code(symbol, argument_types, lambda b, *args: _append_scored(b, form, n_planes, *args), cpu)


def _numbers(form: RecordForm, n_planes: int) -> list[int]:
    """Return numbers that identify a function."""
    fields = [number for field in (form.factor, form.offset) if field is not None for number in field]
    return [n_planes, form.n_words, *(number for run in form.runs for number in run), *fields]


def _lanes(b: ir.IRBuilder, word: Any) -> Any:
    """Generate lanes that all hold one word."""
    return splat_vector(b, VECTOR, word)


def _append_scored(b: ir.IRBuilder, form: RecordForm, n_planes: int, *args: Any) -> None:
    """Generate the function behind `append_scored`."""
    found, tile, stride, size, query, limit, row, shift = args
    count, limits, shifts = cgutils.alloca_once(b, WORD), _lanes(b, limit), _lanes(b, shift)
    b.store(WORD(0), count)
    constants = [b.load(b.gep(query, [WORD(form.n_words * n_planes + i)])) for i in range(N_CONSTANTS)]
    n_groups = b.lshr(b.add(size, WORD(LANES - 1)), WORD(LANES.bit_length() - 1))
    with cgutils.for_range(b, n_groups) as loop:
        first = b.mul(loop.index, WORD(LANES))

        def read(word: Any, first: Any = first) -> Any:
            position = b.gep(tile, [b.add(b.mul(stride, word), first)])
            return b.load(b.bitcast(position, VECTOR.as_pointer()), align=8)

        weighted = _weighted(b, form, n_planes, query, read)
        distances = _distances(b, form, weighted, constants, read)
        near = b.icmp_unsigned("<", distances, limits)
        with b.if_then(b.icmp_unsigned("!=", b.bitcast(near, ir.IntType(LANES)), ir.IntType(LANES)(0)), likely=False):
            inside = b.icmp_unsigned("<", _INDEX, _lanes(b, b.sub(size, first)))
            rows = b.add(_lanes(b, b.add(row, first)), _INDEX)
            emit_compressed(b, b.or_(b.shl(distances, shifts), rows), b.and_(near, inside), found, count)
    b.ret(b.load(count))


def _weighted(b: ir.IRBuilder, form: RecordForm, n_planes: int, query: Any, read: Any) -> Any:
    """Generate the weighted Hamming distances of a group of records: by Horner's rule over levels, then over planes."""
    sums = [cgutils.alloca_once(b, VECTOR) for _ in range(n_planes)]
    for total in sums:
        b.store(_ZEROS, total)

    def add(word: Any, mask: int) -> None:
        codes, at = read(word), b.mul(word, WORD(n_planes))
        for p, total in enumerate(sums):
            differing = b.xor(codes, _lanes(b, b.load(b.gep(query, [b.add(at, WORD(p))]))))
            if mask != 2**64 - 1:
                differing = b.and_(differing, ir.Constant(VECTOR, [mask] * LANES))
            b.store(b.add(b.load(total), call_intrinsic(b, f"llvm.ctpop.v{LANES}i64", differing)), total)

    level = form.runs[0].level
    for run in form.runs:
        for total in sums if run.level < level else []:
            b.store(b.shl(b.load(total), ir.Constant(VECTOR, [level - run.level] * LANES)), total)
        level = run.level
        if run.n_words <= _MOST_UNROLLED:
            for word in range(run.first_word, run.first_word + run.n_words):
                add(WORD(word), run.mask)
        else:
            with cgutils.for_range(b, WORD(run.n_words)) as words:
                add(b.add(words.index, WORD(run.first_word)), run.mask)
    weighted = b.load(sums[-1])
    for total in reversed(sums[:-1]):
        weighted = b.add(b.add(weighted, weighted), b.load(total))
    return b.shl(weighted, ir.Constant(VECTOR, [level] * LANES)) if level else weighted


def _distances(b: ir.IRBuilder, form: RecordForm, weighted: Any, constants: list[Any], read: Any) -> Any:
    """Generate distances, which fall as scores rise."""
    total, weight, largest, shift = (_lanes(b, constant) for constant in constants)
    if form.factor is None or form.offset is None:
        return b.lshr(weighted, shift)
    factor, offset = (_field(b, field, read) for field in (form.factor, form.offset))
    # Operands of less than 2**32, which LLVM sees from the masks: 64-bit products take several instructions.
    double = _low(b, b.add(weighted, weighted))
    scores = b.add(b.sub(b.mul(factor, _low(b, total)), b.mul(factor, double)), b.mul(offset, _low(b, weight)))
    return b.lshr(b.sub(largest, scores), shift)


def _low(b: ir.IRBuilder, lanes: Any) -> Any:
    """Generate the lower halves of lanes."""
    return b.and_(lanes, ir.Constant(VECTOR, [_LOW] * LANES))


def _field(b: ir.IRBuilder, field: Field, read: Any) -> Any:
    """Generate the values of a field."""
    lanes = b.lshr(read(WORD(field.word)), ir.Constant(VECTOR, [field.shift] * LANES))
    return b.and_(lanes, ir.Constant(VECTOR, [2**field.bits - 1] * LANES))


@intrinsic
def append_scored(typingctx, address, found, count, tile, size, queries, q, limit, row, shift):
    """Append the records of a tile, word by word, whose distance to query `q` is less than `limit`.

    As `distance << shift | row + position`; return how many they are. `found` has room for seven elements more than
    `size`, and up to seven records beyond `size` are read.
    """

    def codegen(context, builder, signature, args):
        found, tile, queries = (context.make_array(signature.args[i])(context, builder, args[i]) for i in (1, 3, 5))
        stride, length = builder.extract_value(tile.shape, 1), builder.extract_value(queries.shape, 1)
        out = builder.gep(found.data, [args[2]])
        query = builder.gep(queries.data, [builder.mul(args[6], length)])
        parts = (out, tile.data, stride, args[4], query, args[7], args[8], args[9])
        function_type = ir.FunctionType(WORD, [part.type for part in parts])
        return builder.call(builder.inttoptr(args[0], function_type.as_pointer()), parts)

    number = types.intp
    return number(number, found, number, tile, number, queries, number, types.uint64, number, number), codegen


def score_distances(
    records: NDArray[np.uint64], queries: NDArray[np.uint64], form: RecordForm, n_planes: int
) -> NDArray[np.int64]:
    """Compute all distances in numpy: what the compiled code computes, in readable form.

    Parameters
    ----------
    records : ndarray of uint64 of shape (n, n_words)
        Records.
    queries : ndarray of uint64 of shape (n_queries, n_words * n_planes + N_CONSTANTS)
        Queries: for each word its planes, and the constants.
    form : RecordForm
        The form of the records.
    n_planes : int
        Planes per query.

    Returns
    -------
    distances : ndarray of int64 of shape (n_queries, n)
        Distances.
    """
    distances = np.empty((len(queries), len(records)), np.int64)
    for q, query in enumerate(queries):
        planes = query[: form.n_words * n_planes].reshape(form.n_words, n_planes)
        total, weight, largest, shift = query[form.n_words * n_planes :].astype(np.int64)
        weighted = np.zeros(len(records), np.int64)
        for run in form.runs:
            for word in range(run.first_word, run.first_word + run.n_words):
                for p in range(n_planes):
                    differing = (records[:, word] ^ planes[word, p]) & np.uint64(run.mask)
                    weighted += np.bitwise_count(differing).astype(np.int64) << (run.level + p)
        if form.factor is None or form.offset is None:
            distances[q] = weighted >> shift
            continue
        factor, offset = (
            ((records[:, field.word] >> np.uint64(field.shift)) & np.uint64(2**field.bits - 1)).astype(np.int64)
            for field in (form.factor, form.offset)
        )
        distances[q] = (largest - (factor * (total - 2 * weighted) + offset * weight)) >> shift
    return distances
