"""Building blocks of every Hamming kernel: the population count and vectors of codes.

A loop over single words leaves the choice of vector length to LLVM, which on many processors uses half of the available
length. The innermost loops are therefore written on `Lanes`, eight words side by side; where a processor's vectors are
shorter, LLVM uses several of them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model
from numba.np.arrayobj import populate_array

from skhash.bitops._compile import intrinsic

__all__ = [
    "LANES",
    "VECTOR",
    "WORD",
    "add_differing",
    "below",
    "both",
    "call_intrinsic",
    "emit_smaller",
    "lanes_type",
    "load",
    "popcount",
    "smaller",
    "splat",
    "splat_vector",
    "store",
    "store_short",
    "trailing_zeros",
    "unzip",
    "view",
]

LANES: int = 8
WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, LANES)
_HALVES = ir.VectorType(ir.IntType(32), 2 * LANES)


def call_intrinsic(builder: ir.IRBuilder, name: str, *args: Any, result: ir.Type | None = None) -> Any:
    """Generate a call of the LLVM intrinsic `name`, with a result of the type of its first argument by default."""
    function_type = ir.FunctionType(result or args[0].type, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), args)


def splat_vector(builder: ir.IRBuilder, vector: ir.VectorType, value: Any) -> Any:
    """Generate a vector of a type with one value in all lanes."""
    undefined, position = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, value, position(0))
    zeros = ir.Constant(ir.VectorType(position, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, zeros)


@intrinsic
def popcount(typingctx, word):
    """Count the set bits of a uint64 inside a numba kernel.

    LLVM turns it into the machine's own instruction, in its vector form where the loop is vectorized.

    Parameters
    ----------
    word : uint64
        Any word.

    Returns
    -------
    count : uint64
        Number of set bits.
    """

    def codegen(context, builder, signature, args):
        return call_intrinsic(builder, "llvm.ctpop.i64", *args)

    return types.uint64(types.uint64), codegen


@intrinsic
def trailing_zeros(typingctx, word):
    """Return the position of the lowest set bit of a uint64 that is not 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.intp(types.uint64), codegen


def emit_smaller(builder: ir.IRBuilder, a: Any, b: Any) -> Any:
    """Generate the smaller of each two lanes, all below 2**32.

    The comparison is that of 32-bit halves, because many processors have no fast one for 64 bits.
    """
    a, b = builder.bitcast(a, _HALVES), builder.bitcast(b, _HALVES)
    return builder.bitcast(call_intrinsic(builder, f"llvm.umin.v{2 * LANES}i32", a, b), VECTOR)


class _LanesType(types.Type):
    """The type of `LANES` uint64 in a vector register, inside kernels only."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes_type: _LanesType = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    """Lanes are an LLVM vector."""

    def __init__(self, data_model_manager, frontend_type):
        super().__init__(data_model_manager, frontend_type, VECTOR)


@intrinsic
def splat(typingctx, word):
    """Return lanes that all hold one uint64."""

    def codegen(context, builder, signature, args):
        return splat_vector(builder, VECTOR, args[0])

    return lanes_type(types.uint64), codegen


@intrinsic
def load(typingctx, words, start):
    """Load lanes from a contiguous one-dimensional array of uint64, from position `start` on."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        first = builder.gep(array.data, [args[1]])
        return builder.load(builder.bitcast(first, VECTOR.as_pointer()), align=8)

    return lanes_type(words, types.intp), codegen


@intrinsic
def store(typingctx, words, start, lanes):
    """Store lanes to a contiguous one-dimensional array of 64-bit integers, from position `start` on."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        first = builder.gep(array.data, [args[1]])
        builder.store(args[2], builder.bitcast(first, VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.none(words, types.intp, lanes_type), codegen


@intrinsic
def store_short(typingctx, values, position, lanes):
    """Store lanes, all below 2**16, to a contiguous array of uint16."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        short = ir.VectorType(ir.IntType(16), LANES)
        target = builder.bitcast(builder.gep(data, [args[1]]), short.as_pointer())
        builder.store(builder.trunc(args[2], short), target, align=2)
        return context.get_dummy_value()

    return types.none(values, types.intp, lanes_type), codegen


@intrinsic
def both(typingctx, a, b):
    """Return the bits that are set in both `a` and `b`."""

    def codegen(context, builder, signature, args):
        return builder.and_(*args)

    return lanes_type(lanes_type, lanes_type), codegen


@intrinsic
def add_differing(typingctx, total, a, b):
    """Add to each lane of `total` the number of bits in which `a` and `b` differ."""

    def codegen(context, builder, signature, args):
        total, a, b = args
        return builder.add(total, call_intrinsic(builder, f"llvm.ctpop.v{LANES}i64", builder.xor(a, b)))

    return lanes_type(lanes_type, lanes_type, lanes_type), codegen


@intrinsic
def smaller(typingctx, a, b):
    """Return the smaller of each two lanes, all below 2**32."""

    def codegen(context, builder, signature, args):
        return emit_smaller(builder, *args)

    return lanes_type(lanes_type, lanes_type), codegen


@intrinsic
def below(typingctx, a, b):
    """Return a uint64 whose bit `i` is set if lane `i` of `a` is below that of `b`."""

    def codegen(context, builder, signature, args):
        bits = builder.bitcast(builder.icmp_unsigned("<", *args), ir.IntType(LANES))
        return builder.zext(bits, WORD)

    return types.uint64(lanes_type, lanes_type), codegen


@intrinsic
def view(typingctx, codes, row, n_codes):
    """Return codes of one word each, from `row` on, as an array of shape (1, n_codes) that must not outlive `codes`."""

    def codegen(context, builder, signature, args):
        codes = context.make_array(signature.args[0])(context, builder, args[0])
        tile = context.make_array(signature.return_type)(context, builder)
        populate_array(
            tile,
            data=builder.gep(codes.data, [args[1]]),
            shape=[WORD(1), args[2]],
            strides=[builder.mul(args[2], codes.itemsize), codes.itemsize],
            itemsize=codes.itemsize,
            meminfo=None,
        )
        return tile._getvalue()

    return types.Array(types.uint64, 2, "C")(codes, types.intp, types.intp), codegen


def unzip(builder: ir.IRBuilder, vectors: list[Any]) -> list[Any]:
    """Generate vectors of every n-th word of the concatenation of n = 1, 2, 4 or 8 vectors.

    By halves: words at even and at odd positions first, which takes log2(n) shuffles per vector.
    """
    if len(vectors) == 1:
        return vectors
    halves = []
    for parity in (0, 1):
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(range(parity, 2 * LANES, 2)))
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        halves.append(unzip(builder, [builder.shuffle_vector(a, b, lanes) for a, b in pairs]))
    return [vector for pair in zip(*halves, strict=True) for vector in pair]
