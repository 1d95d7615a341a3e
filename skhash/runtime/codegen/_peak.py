"""The most that this machine could do: counting bits in registers, without ever touching memory."""

import ctypes
import time

from skhash.runtime.codegen._kernels import compile_function
from skhash.runtime.codegen._targets import find_target

__all__ = ["popcount_roof"]

_CHAINS = 14  # independent sums, enough to hide the latency of each


def popcount_roof(target=None, n_rounds=5):
    """Measure how many binary multiplications a second one core can do at most.

    The loop does what a binary convolution does to each vector, xor, count and add, on registers only; a convolution
    also has to load. `profile` divided by this is the share of the roof.

    Parameters
    ----------
    target : str, default=None
        As for `PackedHasher`.
    n_rounds : int, default=5
        The best of so many rounds counts.

    Returns
    -------
    rate : float
        Binary multiply-adds a second of this thread's CPU time.

    Examples
    --------
    >>> from skhash.runtime import popcount_roof
    >>> popcount_roof() > 1e9
    True
    """
    target = find_target(target)

    def write(e, n, out):
        lane = e.splat(e.load(out, e.ints.element))
        chains = [e.b.add(lane, e.constant(e.ints, i)) for i in range(_CHAINS)]

        def body(index, sums):
            return [e.b.add(x, e.population(e.b.xor(x, lane))) for x in sums]

        def in_bytes(index, sums):
            counts = (e.population(e.b.bitcast(e.b.xor(x, lane), e.bytes)) for x in sums)
            return [e.b.bitcast(e.b.add(e.b.bitcast(x, e.bytes), c), e.ints) for x, c in zip(sums, counts, strict=True)]

        for total in e.fold(n, chains, body if target.counts_in_lanes else in_bytes):
            lane = e.b.xor(lane, total)
        e.store(lane, out)

    address = compile_function(target, "popcount roof", write)
    run, out = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address), (ctypes.c_int32 * target.lanes)(5)
    n, best = 20_000, float("inf")
    for _ in range(n_rounds):
        start = time.thread_time()
        run(n, ctypes.addressof(out))
        best = min(best, time.thread_time() - start)
    return n * _CHAINS * target.lanes * 32 / best
