"""Packing of codes with one bit per column at the speed of memory: values are checked and packed in one pass.

`skhash.codes` does the same by numpy alone, in several passes. It remains the one place for other input, and for the
errors: here, whatever is not plainly right is left to it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from skhash.bitops._block_code import BLOCK, compile_code
from skhash.bitops._lanes import WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["pack_plain"]

_ZERO, _MINUS, _OTHER = 1, 2, 4  # what values there are beside 1
_ELEMENTS: dict[str, ir.Type] = {f"i{size}": ir.IntType(8 * size) for size in (1, 2, 4, 8)}
_ELEMENTS |= {"f4": ir.FloatType(), "f8": ir.DoubleType()}
# The elements of each type, as which bool and unsigned integers are read, too, and whether it has -1.
_FORM_OF: dict[str, tuple[str, bool]] = {}
for _type in map(np.dtype, "?bBhHiIlqfd"):
    if _type != np.uint64:  # packed words
        _FORM_OF[_type.char] = ("f" if _type.kind == "f" else "i") + str(_type.itemsize), _type.kind in "if"


def pack_plain(codes: NDArray[Any]) -> NDArray[np.uint64] | None:
    """Pack codes with one bit per column, unless they need a closer look.

    Parameters
    ----------
    codes : ndarray of shape (n, bits)
        Any array with columns.

    Returns
    -------
    words : ndarray of uint64 of shape (n, ceil(bits / 64)) or None
        The packed codes; None if values or the array are of another kind than 0 / 1, -1 / +1 or bool in an ordinary
        array.
    """
    form, signed = _FORM_OF.get(codes.dtype.char, ("", False))
    flags = codes.flags
    if not form or not codes.dtype.isnative or not (flags.c_contiguous and flags.aligned) or codes.ndim != 2:
        return None
    n, bits = codes.shape
    if not bits:
        return None
    words = np.empty((n, -(-bits // BLOCK)), np.uint64)
    if bits % BLOCK:
        found = _packer(form)(codes.ctypes.data, n, bits, words.ctypes.data)
    else:  # one row of whole words is the same
        found = _packer(form)(codes.ctypes.data, 1, n * bits, words.ctypes.data)
    return words if found in (0, _ZERO) or (signed and found == _MINUS) else None


@cache
def _packer(form: str) -> Callable[[int, int, int, int], int]:
    """Return the function for elements of some form, which is compiled at its first use."""
    address = compile_code(f"pack_{form}", [WORD] * 4, lambda b, *args: _pack(b, _ELEMENTS[form], *args))
    number = ctypes.c_uint64
    return ctypes.CFUNCTYPE(number, number, number, number, number)(address)


def _pack(b: ir.IRBuilder, element: ir.Type, *args: Any) -> None:
    """Generate the function that packs rows of `n_columns` elements and returns which values there are."""
    start, n_rows, n_columns, words = args
    start, words = b.inttoptr(start, element.as_pointer()), b.inttoptr(words, WORD.as_pointer())
    total = b.mul(n_rows, n_columns)
    start, end = _make_room(b, element, start, total)
    block = WORD(BLOCK)
    found = [_variable(b, WORD(0)) for _ in range(3)]
    n_left = b.urem(n_columns, block)
    last = b.sub(b.shl(WORD(1), n_left), WORD(1))
    position, out = _variable(b, WORD(0)), _variable(b, words)

    def pack_word(first: Any, mask: Any, n: Any) -> None:
        # A load beyond the last element is moved back to end there.
        beyond = b.add(first, block)
        beyond = b.select(b.icmp_unsigned(">", beyond, end), b.sub(beyond, end), WORD(0))
        elements = b.gep(start, [b.sub(first, beyond)])
        ones, zeros, minus = (b.and_(b.lshr(bits, beyond), mask) for bits in _compare(b, element, elements))
        b.store(ones, b.load(out))
        b.store(b.gep(b.load(out), [WORD(1)]), out)
        b.store(b.add(first, n), position)
        for variable, bits in zip(found, (zeros, minus, b.xor(mask, b.or_(ones, b.or_(zeros, minus)))), strict=True):
            b.store(b.or_(b.load(variable), bits), variable)

    with cgutils.for_range(b, n_rows):
        with cgutils.for_range(b, b.udiv(n_columns, block)):
            pack_word(b.load(position), WORD(2**64 - 1), block)
        with b.if_then(b.icmp_unsigned("!=", n_left, WORD(0))):
            pack_word(b.load(position), last, n_left)
    flags = WORD(0)
    for variable, flag in zip(found, (_ZERO, _MINUS, _OTHER), strict=True):
        flags = b.or_(flags, b.select(b.icmp_unsigned("!=", b.load(variable), WORD(0)), WORD(flag), WORD(0)))
    b.ret(flags)


def _make_room(b: ir.IRBuilder, element: ir.Type, start: Any, total: Any) -> tuple[Any, Any]:
    """Generate a copy of less than a block of elements with a block behind it; return first element and number."""
    room = b.alloca(element, WORD(2 * BLOCK))
    fits = b.icmp_unsigned(">=", total, WORD(BLOCK))
    with b.if_then(b.not_(fits)), cgutils.for_range(b, total) as loop:
        b.store(b.load(b.gep(start, [loop.index])), b.gep(room, [loop.index]))
    return b.select(fits, start, room), b.select(fits, total, WORD(2 * BLOCK))


def _compare(b: ir.IRBuilder, element: ir.Type, first: Any) -> list[Any]:
    """Generate words whose bit `i` is set where element `i` of a block is 1, 0, and -1."""
    vector = ir.VectorType(element, BLOCK)
    values = b.load(b.bitcast(first, vector.as_pointer()), align=1)
    masks = []
    for value in (1, 0, -1):
        constant = ir.Constant(vector, [value] * BLOCK)
        is_float = isinstance(element, (ir.FloatType, ir.DoubleType))
        equal = b.fcmp_ordered("==", values, constant) if is_float else b.icmp_signed("==", values, constant)
        masks.append(b.bitcast(equal, WORD))
    return masks


def _variable(b: ir.IRBuilder, value: Any) -> Any:
    """Generate a variable with an initial value, which LLVM keeps in a register."""
    variable = cgutils.alloca_once(b, value.type)
    b.store(value, variable)
    return variable
