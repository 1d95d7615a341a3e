"""Small integers in bit slices, 512 at a time: masks of the items with each value, and running counts of the values.

As `tabulate_values`, for values that are known by their binary digits: those of `add_up`. The lanes of a slice are
counted apart, so that no count passes from lane to lane: each belongs to a stretch of consecutive items of its own.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from skhash.bitops._bit_slices import vector_at
from skhash.bitops._compile import intrinsic
from skhash.bitops._lanes import LANES, VECTOR, WORD, call_intrinsic, splat_vector

__all__ = ["tabulate_slices"]

_LOW = 3  # binary digits of a value within eight


@intrinsic
def tabulate_slices(
    typingctx, digits, start, masks, block, first, last, members, counts, source, target, nearer, width
):
    """Compute masks of the items with each value among 512, and add their numbers to running counts.

    Parameters
    ----------
    digits : ndarray of uint64
        The slices of the values, the lowest digit first, from position `start` on.
    start : int
        See `digits`.
    masks : ndarray of uint64
        The items that count, as a slice, from position `block` on.
    block : int
        See `masks`.
    first, last : int
        Values from `8 * first` on and before `8 * last` are told apart.
    members : ndarray of uint64
        Filled: bit `i` of element `target + LANES * v + lane` is set if item `i` of a lane has value `v`.
    counts : ndarray of int64
        Filled: element `target + LANES * v + lane` is that from `source` on, plus the number of items of a lane that
        have value `v`.
    source, target : int
        See `members` and `counts`.
    nearer : ndarray of int64 of shape (LANES,)
        Changed: grows by the number of items of each lane below `8 * first`.
    width : tuple
        Its length is the number of words of the codes whose distances are the values.

    Returns
    -------
    None
        Arrays are contiguous, aligned to vectors (`new_slices`) and flat.
    """
    n_digits = (64 * len(width)).bit_length()

    def codegen(context, builder, signature, args):
        digits, masks, members, counts, nearer = (
            context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2, 6, 7, 10)
        )
        ones = ir.Constant(VECTOR, [2**64 - 1] * LANES)

        def load(words, position):
            return builder.load(vector_at(builder, words, position), align=64)

        def count(words, source, target, items):
            size = call_intrinsic(builder, f"llvm.ctpop.v{LANES}i64", items)
            builder.store(builder.add(load(words, source), size), vector_at(builder, words, target), align=64)

        slices = [load(digits, builder.add(args[1], WORD(LANES * i))) for i in range(n_digits)]
        mask = load(masks, args[3])

        def with_upper_digits(group: Any) -> Any:
            items = mask
            for i in range(_LOW, n_digits):
                is_set = builder.and_(builder.lshr(group, WORD(i - _LOW)), WORD(1))
                flipped = splat_vector(builder, VECTOR, builder.sub(is_set, WORD(1)))  # all bits, where not set
                items = builder.and_(items, builder.xor(slices[i], flipped))
            return items

        with cgutils.for_range_slice(builder, WORD(0), args[4], WORD(1), inc=True) as (group, _):
            count(nearer, WORD(0), WORD(0), with_upper_digits(group))
        lows = [ones]
        for i in range(_LOW):
            zeros = [builder.and_(low, builder.not_(slices[i])) for low in lows]
            lows = [*zeros, *(builder.and_(low, slices[i]) for low in lows)]
        with cgutils.for_range_slice(builder, args[4], args[5], WORD(1), inc=True) as (group, _):
            items = with_upper_digits(group)
            start = builder.mul(group, WORD(LANES * 2**_LOW))
            for value, low in enumerate(lows):
                position = builder.add(start, WORD(LANES * value))
                source, target = builder.add(args[8], position), builder.add(args[9], position)
                equal = builder.and_(items, low)
                builder.store(equal, vector_at(builder, members, target), align=64)
                count(counts, source, target, equal)
        return context.get_dummy_value()

    position = types.intp
    arguments = (
        digits,
        position,
        masks,
        position,
        position,
        position,
        members,
        counts,
        position,
        position,
        nearer,
        width,
    )
    return types.none(*arguments), codegen
