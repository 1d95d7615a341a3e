"""Roofline: the peak popcount throughput of this machine, measured on registers only."""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING

from skhash.runtime.codegen._kernels import compile_function
from skhash.runtime.codegen._targets import find_target

if TYPE_CHECKING:
    from skhash.runtime.codegen._emitter import Emitter, Value

__all__ = ["popcount_roof"]

_CHAINS = 14  # independent sums, enough to hide the latency of each


def popcount_roof(target: str | None = None, n_rounds: int = 5) -> float:
    """Measure the peak number of binary multiply-adds per second of one core.

    The loop applies the instructions of a binary convolution to each vector (xor, count, add) on registers only; a
    convolution also has to load. The rate of a network, from `PackedHasher.profile`, divided by this is its share of
    the roof.

    Parameters
    ----------
    target : str, default=None
        As for `PackedHasher`.
    n_rounds : int, default=5
        Number of rounds, of which the best counts.

    Returns
    -------
    rate : float
        Binary multiply-adds per second of this thread's CPU time.

    Examples
    --------
    >>> from skhash.runtime import popcount_roof
    >>> popcount_roof() > 1e9
    True
    """
    found = find_target(target)

    def write(e: Emitter, n: Value, out: Value) -> None:
        lane = e.splat(e.load(out, e.ints.element))
        chains = [e.b.add(lane, e.constant(e.ints, i)) for i in range(_CHAINS)]

        def in_lanes(index: Value, sums: list[Value]) -> list[Value]:
            return [e.b.add(x, e.popcount(e.b.xor(x, lane))) for x in sums]

        def in_bytes(index: Value, sums: list[Value]) -> list[Value]:
            counts = (e.popcount(e.b.bitcast(e.b.xor(x, lane), e.bytes)) for x in sums)
            return [e.b.bitcast(e.b.add(e.b.bitcast(x, e.bytes), c), e.ints) for x, c in zip(sums, counts, strict=True)]

        for total in e.fold(n, chains, in_lanes if found.counts_in_lanes else in_bytes):
            lane = e.b.xor(lane, total)
        e.store(lane, out)  # otherwise LLVM would remove the loop

    address = compile_function(found, "popcount roof", write)
    run, out = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address), (ctypes.c_int32 * found.lanes)(5)
    n, best = 20_000, float("inf")
    for _ in range(n_rounds):
        start = time.thread_time()
        run(n, ctypes.addressof(out))
        best = min(best, time.thread_time() - start)
    return n * _CHAINS * found.lanes * 32 / best
