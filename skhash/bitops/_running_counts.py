"""Small integers 64 at a time: bit masks of the items with each value, and running counts of the values.

The rank of an item among the items of equal value needs no count from item to item: it is the count at the beginning of
the item's word of 64, plus the members of the word before the item. Both are computed for eight values at once: these
differ in the three lowest binary digits only, which are examined once per word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from skhash.bitops._compile import intrinsic, kernel
from skhash.bitops._lanes import LANES, VECTOR, WORD, add_differing, both, lanes_type, load, splat, splat_vector, store

__all__ = ["tabulate_values"]

_ALL = 2**64 - 1


@kernel
def tabulate_values(values, start, n_words, n_values, members, earlier):
    """Compute masks of the items with each value among `64 * n_words` items, and running counts.

    Parameters
    ----------
    values : contiguous ndarray of an unsigned type of shape (n,)
        All below `n_values`.
    start : int
        The first item; from there on `values` must have `64 * n_words` of them.
    n_words : int
        Number of words of 64 items.
    n_values : int
        Number of values, a multiple of 8.
    members : contiguous ndarray of uint64 of shape (at least n_words * n_values,)
        Filled: bit `i` of element `w * n_values + v` is set if item `start + 64 * w + i` has value `v`.
    earlier : contiguous ndarray of int64 of shape (at least (n_words + 1) * n_values,)
        Filled: element `w * n_values + v` is the number of items of value `v` before word `w`. The first `n_values`
        elements are input, the numbers before `start`; the last ones are the numbers before the end.

    Returns
    -------
    None
        `members` and `earlier` are filled.
    """
    nothing = splat(np.uint64(0))
    for word in range(n_words):
        item = start + 64 * word
        by_low_digits = _split_by_low_digits(values, item)
        for first in range(0, n_values, LANES):
            eight = both(by_low_digits, splat(_within_eight(values, item, first)))
            cell = n_values * word + first
            store(members, cell, eight)
            store(earlier, cell + n_values, add_differing(load(earlier, cell), eight, nothing))


@intrinsic
def _within_eight(typingctx, values, start, first):
    """Return a uint64 whose bit `i` is set if item `start + i` is one of the eight values from `first` on.

    `first` is a multiple of 8: xor with it leaves the three lowest digits of these values, and more of all others.
    """

    def codegen(context, builder, signature, args):
        items = _load_items(context, builder, signature, args)
        differ = builder.xor(items, splat_vector(builder, items.type, builder.trunc(args[2], items.type.element)))
        return _mask(builder, "<", differ, LANES)

    return types.uint64(values, types.intp, types.intp), codegen


@intrinsic
def _split_by_low_digits(typingctx, values, start):
    """Return lanes: bit `i` of lane `j` is set if item `start + i` is `j` modulo 8."""

    def codegen(context, builder, signature, args):
        items = _load_items(context, builder, signature, args)
        split = ir.Constant(VECTOR, [_ALL] * LANES)
        for digit in (1, 2, 4):
            is_set = _mask(builder, "!=", builder.and_(items, ir.Constant(items.type, [digit] * 64)), 0)
            unset_lanes = ir.Constant(VECTOR, [0 if lane & digit else _ALL for lane in range(LANES)])
            split = builder.and_(split, builder.xor(splat_vector(builder, VECTOR, is_set), unset_lanes))
        return split

    return lanes_type(values, types.intp), codegen


def _load_items(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    """Generate a vector of the 64 items of the array `args[0]` from position `args[1]` on."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    vector = ir.VectorType(data.type.pointee, 64)
    return builder.load(builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer()), align=1)


def _mask(builder: ir.IRBuilder, relation: str, items: Any, value: int) -> Any:
    """Generate a word whose bit `i` is set if item `i` of a vector is in a relation to a value."""
    return builder.bitcast(builder.icmp_unsigned(relation, items, ir.Constant(items.type, [value] * 64)), WORD)
