"""Calls of the innermost loops over codes from kernels, and other operations on blocks of codes.

The kernels get addresses of machine code (see `_block_code`), so that they are compiled once for all widths. The
functions get pointers: numba passes an array as seven words and counts references to it, which takes longer than the
work on a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import populate_array

from skhash.bitops._block_code import BLOCK
from skhash.bitops._compile import intrinsic
from skhash.bitops._lanes import WORD, splat_vector

__all__ = [
    "append_hits",
    "append_members",
    "append_tile",
    "below_bits",
    "count_below",
    "fill_tile",
    "filter_rows",
    "filter_tile",
    "mask_bits",
    "measure_rows",
    "prefetch",
    "rows_view",
]


def _call(builder: ir.IRBuilder, address: Any, args: Sequence[Any]) -> Any:
    """Generate a call of the function at an address."""
    function_type = ir.FunctionType(WORD, [arg.type for arg in args])
    return builder.call(builder.inttoptr(address, function_type.as_pointer()), args)


def _arrays(context: Any, builder: ir.IRBuilder, signature: Any, args: Any, *positions: int) -> list[Any]:
    """Return the array arguments at some positions, with their fields."""
    return [context.make_array(signature.args[i])(context, builder, args[i]) for i in positions]


@intrinsic
def filter_rows(typingctx, address, codes, n_blocks, patterns, q, limit, found, n_found, label):
    """Append the blocks of codes in rows that contain one nearer to query `q` than `limit`, as `label + first code`.

    Return how many they are. Without branches: each block is written, and overwritten by the next one unless it counts.

    `patterns[q]` is the query, repeated or padded with zeros to `pattern_length` words.
    """

    def codegen(context, builder, signature, args):
        codes, patterns, found = _arrays(context, builder, signature, args, 1, 3, 6)
        length, n_words = (builder.extract_value(array.shape, 1) for array in (patterns, codes))
        pattern = builder.gep(patterns.data, [builder.mul(args[4], length)])
        out = builder.gep(found.data, [args[7]])
        return _call(builder, args[0], (codes.data, n_words, args[2], pattern, args[5], out, args[8]))

    number, word = types.intp, types.uint64
    return number(number, codes, number, patterns, number, word, found, number, number), codegen


@intrinsic
def filter_tile(typingctx, address, tile, n_blocks, patterns, q, limits, found, n_found, label, label_step):
    """Filter as `filter_rows` does, for the four queries from `q` on and codes word by word: `tile[w, j]`.

    The labels of the second to fourth query are `label_step` apart.
    """

    def codegen(context, builder, signature, args):
        tile, patterns, limits, found = _arrays(context, builder, signature, args, 1, 3, 5, 6)
        length = builder.extract_value(patterns.shape, 1)
        pattern = builder.gep(patterns.data, [builder.mul(args[4], length)])
        n_words, stride = (builder.extract_value(tile.shape, i) for i in (0, 1))
        out = builder.gep(limits.data, [args[4]]), builder.gep(found.data, [args[7]]), args[8], args[9]
        return _call(builder, args[0], (tile.data, stride, n_words, args[2], pattern, length, *out))

    number = types.intp
    return number(number, tile, number, patterns, number, limits, found, number, number, number), codegen


@intrinsic
def append_hits(typingctx, address, found, count, codes, first, patterns, q, limit, allowed, row, shift):
    """Append the codes of a block in rows that are nearer to query `q` than `limit`, as `distance << shift | row`.

    Return how many they are. `first` is the first code of the block, and `row` its row in the answer; bit `i` of
    `allowed` says whether code `i` of the block may be found. Without branches: eight elements of `found` are written
    for each group, of which those count that are not overwritten.
    """

    def codegen(context, builder, signature, args):
        found, codes, patterns = _arrays(context, builder, signature, args, 1, 3, 5)
        length, n_words = (builder.extract_value(array.shape, 1) for array in (patterns, codes))
        block = builder.gep(codes.data, [builder.mul(args[4], n_words)])
        pattern = builder.gep(patterns.data, [builder.mul(args[6], length)])
        return _call(builder, args[0], (builder.gep(found.data, [args[2]]), block, n_words, pattern, *args[7:]))

    number, word = types.intp, types.uint64
    return number(number, found, number, codes, number, patterns, number, word, word, number, number), codegen


@intrinsic
def append_tile(typingctx, address, found, count, tile, first, patterns, q, limit, allowed, row, shift):
    """Append as `append_hits` does, for codes word by word: `tile[w, j]`."""

    def codegen(context, builder, signature, args):
        found, tile, patterns = _arrays(context, builder, signature, args, 1, 3, 5)
        length = builder.extract_value(patterns.shape, 1)
        n_words, stride = (builder.extract_value(tile.shape, i) for i in (0, 1))
        out, block = builder.gep(found.data, [args[2]]), builder.gep(tile.data, [args[4]])
        pattern = builder.gep(patterns.data, [builder.mul(args[6], length)])
        return _call(builder, args[0], (out, block, stride, n_words, pattern, *args[7:]))

    number, word = types.intp, types.uint64
    return number(number, found, number, tile, number, patterns, number, word, word, number, number), codegen


@intrinsic
def append_members(typingctx, address, found, codes, first, n, patterns, q, limit, shift):
    """Write the codes in rows that are nearer to query `q` than `limit` to `found`, as `distance << shift | row`.

    Return how many of the `n` codes from row `first` on they are. `found` has room for seven elements more than `n`,
    and up to seven codes beyond the last one are read.
    """

    def codegen(context, builder, signature, args):
        found, codes, patterns = _arrays(context, builder, signature, args, 1, 2, 5)
        length, n_words = (builder.extract_value(array.shape, 1) for array in (patterns, codes))
        members = builder.gep(codes.data, [builder.mul(args[3], n_words)])
        pattern = builder.gep(patterns.data, [builder.mul(args[6], length)])
        return _call(builder, args[0], (found.data, members, args[4], n_words, pattern, args[7], args[3], args[8]))

    number, word = types.intp, types.uint64
    return number(number, found, codes, number, number, patterns, number, word, number), codegen


@intrinsic
def prefetch(typingctx, array, row):
    """Ask for the cache line in which a row of an array begins, of one or two dimensions."""

    def codegen(context, builder, signature, args):
        (array,) = _arrays(context, builder, signature, args, 0)
        first = args[1]
        if signature.args[0].ndim == 2:
            first = builder.mul(first, builder.extract_value(array.shape, 1))
        pointer = builder.bitcast(builder.gep(array.data, [first]), WORD.as_pointer())  # one declaration for all types
        number = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, (pointer, number(0), number(3), number(1)))
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


@intrinsic
def measure_rows(typingctx, address, codes, n_blocks, patterns, q, measured, first):
    """Write the distances of blocks of codes in rows to query `q`, to `measured` from element `first` on."""

    def codegen(context, builder, signature, args):
        codes, patterns, measured = _arrays(context, builder, signature, args, 1, 3, 5)
        length, n_words = (builder.extract_value(array.shape, 1) for array in (patterns, codes))
        pattern = builder.gep(patterns.data, [builder.mul(args[4], length)])
        out = builder.gep(measured.data, [args[6]])
        _call(builder, args[0], (codes.data, n_words, args[2], pattern, out))
        return context.get_dummy_value()

    number = types.intp
    return types.none(number, codes, number, patterns, number, measured, number), codegen


@intrinsic
def count_below(typingctx, address, measured, n_blocks, limit):
    """Count the distances of blocks of codes that are below a limit."""

    def codegen(context, builder, signature, args):
        (measured,) = _arrays(context, builder, signature, args, 1)
        return _call(builder, args[0], (measured.data, args[2], args[3]))

    return types.intp(types.intp, measured, types.intp, types.intp), codegen


@intrinsic
def below_bits(typingctx, measured, start, limit):
    """Return a uint64 whose bit `i` is set if `measured[start + i] < limit`, for a block of distances."""
    distances = ir.VectorType(ir.IntType(16), BLOCK)

    def codegen(context, builder, signature, args):
        (measured,) = _arrays(context, builder, signature, args, 0)
        pointer = builder.bitcast(builder.gep(measured.data, [args[1]]), distances.as_pointer())
        limits = splat_vector(builder, distances, builder.trunc(args[2], distances.element))
        return builder.bitcast(builder.icmp_unsigned("<", builder.load(pointer, align=2), limits), WORD)

    return types.uint64(measured, types.intp, types.intp), codegen


@intrinsic
def fill_tile(typingctx, address, tile, codes, n_groups):
    """Copy groups of codes in rows to a tile, word by word: `tile[w, j] = codes[j, w]`."""

    def codegen(context, builder, signature, args):
        tile, codes = _arrays(context, builder, signature, args, 1, 2)
        n_words, stride = (builder.extract_value(tile.shape, i) for i in (0, 1))
        _call(builder, args[0], (tile.data, stride, codes.data, n_words, args[3]))
        return context.get_dummy_value()

    return types.none(types.intp, tile, codes, types.intp), codegen


@intrinsic
def mask_bits(typingctx, mask, start):
    """Return a uint64 whose bit `i` is set if `mask[start + i]` is, for a block of a contiguous array of bool."""
    chars = ir.VectorType(ir.IntType(8), BLOCK)

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), chars.as_pointer())
        bits = builder.icmp_unsigned("!=", builder.load(pointer, align=1), ir.Constant(chars, [0] * BLOCK))
        return builder.bitcast(bits, WORD)

    return types.uint64(mask, types.intp), codegen


@intrinsic
def rows_view(typingctx, codes, row, n_rows):
    """Return `codes[row : row + n_rows]` as an array that kernels take for writable; it must not outlive `codes`."""

    def codegen(context, builder, signature, args):
        codes = context.make_array(signature.args[0])(context, builder, args[0])
        rows = context.make_array(signature.return_type)(context, builder)
        n_words = builder.extract_value(codes.shape, 1)
        populate_array(
            rows,
            data=builder.gep(codes.data, [builder.mul(args[1], n_words)]),
            shape=[args[2], n_words],
            strides=[builder.mul(n_words, codes.itemsize), codes.itemsize],
            itemsize=codes.itemsize,
            meminfo=None,
        )
        return rows._getvalue()

    return types.Array(types.uint64, 2, "C")(codes, types.intp, types.intp), codegen
