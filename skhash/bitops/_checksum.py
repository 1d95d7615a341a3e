"""CRC-32 of large data, as of `zlib.crc32`, by carry-less multiplication where the processor has it."""

from __future__ import annotations

import ctypes
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils

from skhash.bitops._block_code import compile_code
from skhash.bitops._lanes import WORD, call_intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["crc32"]

_STEP = 64  # bytes
_LEAST = 2**16  # bytes, below which zlib takes less time than the calls
_PAIR = ir.VectorType(WORD, 2)
# x**(512 + 32), x**(512 - 32), x**(128 + 32) and x**(128 - 32) modulo the polynomial, with reflected bits.
_BY_512 = ir.Constant(_PAIR, [0x154442BD4, 0x1C6E41596])
_BY_128 = ir.Constant(_PAIR, [0x1751997D0, 0xCCAA009E])


def crc32(data: Any, value: int = 0) -> int:
    """Compute a CRC-32 as `zlib.crc32` does, several times as fast on x86.

    Parameters
    ----------
    data : bytes-like
        C-contiguous.
    value : int, default=0
        Checksum of the data before.

    Returns
    -------
    checksum : int
        The checksum of all data so far.

    Examples
    --------
    >>> import zlib
    >>> from skhash.bitops import crc32
    >>> crc32(b"codes") == zlib.crc32(b"codes")
    True
    """
    view = memoryview(data)
    if view.nbytes < _LEAST:
        return zlib.crc32(view, value)
    fold = _folder()
    if fold is None:
        return zlib.crc32(view, value)
    view = view.cast("B")
    n = view.nbytes // _STEP * _STEP
    rest = np.empty(16, np.uint8)
    fold(np.frombuffer(view, np.uint8).ctypes.data, n, value ^ 0xFFFFFFFF, rest.ctypes.data)
    # zlib inverts the checksum before and after, so that this one begins with 0, as `rest` contains the start already.
    return zlib.crc32(view[n:], zlib.crc32(rest.tobytes(), 0xFFFFFFFF))


@cache
def _folder() -> Callable[[int, int, int, int], int] | None:
    """Return the function that reduces data to 16 bytes of the same remainder; None without carry-less products."""
    if not binding.get_host_cpu_features().get("pclmul", False):
        return None
    address = compile_code("fold_crc32", [WORD] * 4, _fold)
    number = ctypes.c_uint64
    return ctypes.CFUNCTYPE(number, number, number, number, number)(address)


def _fold(b: ir.IRBuilder, *args: Any) -> None:
    """Generate the function: data of whole steps, at least two, are folded into four sums, and these into one.

    V. Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ instruction", Intel, 2009.
    """
    start, n_bytes, value, out = args
    data = b.inttoptr(start, _PAIR.as_pointer())
    first: list[Any] = [b.load(b.gep(data, [WORD(i)]), align=1) for i in range(4)]
    first[0] = b.xor(first[0], b.insert_element(ir.Constant(_PAIR, [0, 0]), value, ir.IntType(32)(0)))
    sums = []
    for pair in first:
        variable = cgutils.alloca_once(b, _PAIR)
        b.store(pair, variable)
        sums.append(variable)
    with cgutils.for_range_slice(b, WORD(4), b.udiv(n_bytes, WORD(16)), WORD(4)) as (position, _):
        for i, variable in enumerate(sums):
            new = b.load(b.gep(data, [b.add(position, WORD(i))]), align=1)
            b.store(b.xor(_shifted(b, b.load(variable), _BY_512), new), variable)
    total = b.load(sums[0])
    for variable in sums[1:]:
        total = b.xor(_shifted(b, total, _BY_128), b.load(variable))
    b.store(total, b.inttoptr(out, _PAIR.as_pointer()), align=1)
    b.ret(WORD(0))


def _shifted(b: ir.IRBuilder, pair: Any, factors: Any) -> Any:
    """Generate the product of a sum of two words and powers of x, as two carry-less products."""
    byte = ir.IntType(8)
    low, high = (call_intrinsic(b, "llvm.x86.pclmulqdq", pair, factors, byte(which)) for which in (0x00, 0x11))
    return b.xor(low, high)
