"""The one way in which numba kernels are compiled."""

from numba import njit

__all__ = ["kernel"]


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
