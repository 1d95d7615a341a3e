"""What every Hamming kernel is made of: one machine instruction for a population count, and one way to compile."""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["kernel", "popcount"]


@intrinsic
def popcount(typingctx, word):
    """Count the set bits of a uint64 inside a numba kernel.

    LLVM turns it into the machine's own instruction, the vector form of it where the loop vectorises.
    """

    def codegen(context, builder, signature, args):
        return builder.call(builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)]), args)

    return types.uint64(types.uint64), codegen


def kernel(function):
    """Compile a numba kernel the way all kernels here are: on first use, GIL released, one thread, no `prange`.

    Machine code is cached on disk where that is possible; in a read-only installation it is compiled in each process.
    Parallelism belongs to the caller, by threads over slices of queries or database.

    Parameters
    ----------
    function : callable
        Plain Python in what numba can compile.

    Returns
    -------
    kernel : callable
        The same function, compiled at its first call with each combination of types.
    """
    options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no directory to cache in
        return njit(**options)(function)
