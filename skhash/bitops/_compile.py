"""The one way in which numba kernels and intrinsics are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from numba import njit
from numba.extending import intrinsic as _intrinsic

__all__ = ["intrinsic", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a numba kernel as all kernels of the library: on first use, GIL released, one thread, no `prange`.

    Machine code is cached on disk where that is possible; in a read-only installation it is compiled in each process.
    Parallelism is left to the caller, by threads over slices of queries or database.

    Parameters
    ----------
    function : callable
        Plain Python that numba can compile.

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


def intrinsic(function: Callable[Concatenate[Any, P], Any]) -> Callable[P, Any]:
    """Make an intrinsic, which generates LLVM code inside kernels; its first parameter is the typing context.

    It is `numba.extending.intrinsic` with the type of the callable that kernels see.

    Parameters
    ----------
    function : callable
        Takes the typing context and the types of the arguments; returns a signature and the code generator.

    Returns
    -------
    intrinsic : callable
        To be called in kernels, without the typing context.
    """
    return cast("Callable[P, Any]", _intrinsic(function))
