"""The one way in which numba kernels and intrinsics are compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from numba import config, njit
from numba.extending import intrinsic as _intrinsic

__all__ = ["intrinsic", "is_compiled", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a numba kernel as all kernels of the library: on first use, GIL released, one thread, no `prange`.

    Machine code is cached on disk where that is possible. In a read-only installation, and with a cache folder that is
    full or damaged, it is compiled in each process.
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
    if getattr(config, "DISABLE_JIT", 0):
        return _refuse(function)  # intrinsics have no form in Python
    options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
    try:
        compiled: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no directory to cache in
        return njit(**options)(function)
    compiled._cache = TolerantCache(compiled._cache)
    return compiled


def is_compiled(kernel: Callable[..., Any]) -> bool:
    """Check whether a call of a kernel need not wait for the compiler.

    Parameters
    ----------
    kernel : callable
        From `kernel`.

    Returns
    -------
    compiled : bool
        True if it was called before, or if numba's cache has machine code of it.
    """
    compiled: Any = kernel
    if getattr(compiled, "signatures", ()):
        return True
    with suppress(Exception):  # numba has no public way to ask; where this one is gone, compilation is expected
        return bool(compiled._cache._cache_file._load_index())
    return False


def _refuse(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that says why it cannot be called."""

    @wraps(function)
    def refused(*args: P.args, **kwargs: P.kwargs) -> R:
        raise RuntimeError(
            "skhash needs numba's compiler, which the environment variable NUMBA_DISABLE_JIT turns off; unset it."
        )

    return refused


class TolerantCache:
    """numba's cache of one kernel, whose failures only cost the time to compile.

    Unless warnings are errors. numba lets every error of the cache through, so that a full disk or a damaged file would
    stop a search whose machine code is compiled already.

    Parameters
    ----------
    cache : numba.core.caching.Cache
        The cache of a dispatcher.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load machine code; return None, so that numba compiles, if there is none or it cannot be read."""
        try:
            return self._cache.load_overload(sig, target_context)
        except Exception as error:  # damaged bytes raise almost anything: of pickle, of LLVM, of the classes they name
            if not isinstance(error, OSError):
                with suppress(Exception):
                    self._cache.flush()  # forget the damaged files, so that the next process finds new ones
            _warn_once(self._cache.cache_path, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save machine code where that is possible."""
        try:
            self._cache.save_overload(sig, data)
        except Exception as error:
            _warn_once(self._cache.cache_path, error)


_lock = Lock()
_warned: set[str] = set()


def _warn_once(folder: str, error: Exception) -> None:
    """Warn of a folder that cannot be used, once in a process."""
    with _lock:
        is_new = not _warned
        _warned.add(folder)
    if is_new:
        warnings.warn(
            f"numba's cache cannot be used, so kernels are compiled again in this process: {folder} "
            f"({type(error).__name__}: {error}). If the disk is not full, delete the folder, or set NUMBA_CACHE_DIR to "
            "another one.",
            RuntimeWarning,
            stacklevel=2,
        )


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
