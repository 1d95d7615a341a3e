"""Threads for kernels that release the GIL."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_threads(function: Callable[[Item], Result], items: Iterable[Item], n_jobs: int) -> list[Result]:
    """Call a function with each item, in threads.

    A thread pool of the standard library starts in a fraction of the time of joblib's, which matters for searches of a
    few microseconds. Callers still resolve `n_jobs` by `joblib.effective_n_jobs`.

    Parameters
    ----------
    function : callable
        Function of one item. It should release the GIL.
    items : iterable
        The arguments of the calls.
    n_jobs : int
        Number of threads, at least 1. With 1, no thread is started.

    Returns
    -------
    results : list
        The results of the calls, in the order of the items.
    """
    if n_jobs == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_jobs) as threads:
        return list(threads.map(function, items))


def count_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` means, as `joblib.effective_n_jobs`, which need not be installed.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.

    Returns
    -------
    n_threads : int
        At least 1.
    """
    if n_jobs is None and "joblib" not in sys.modules:  # then nobody is in such a context
        return 1
    try:
        from joblib import effective_n_jobs
    except ModuleNotFoundError:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; use None, a positive number, or -1 for all cores.") from None
        if n_jobs is None or n_jobs > 0:
            return n_jobs or 1
        return max((os.cpu_count() or 1) + 1 + n_jobs, 1)
    return effective_n_jobs(cast("int", n_jobs))


class ProcessLock:
    """A lock that is free in a forked process: a thread that held it at the fork does not exist there.

    For structures that are published at once when they are complete, so that a child finds none that is half built.
    """

    def __init__(self) -> None:
        self._owner = os.getpid(), Lock()

    def __enter__(self) -> None:
        if self._owner[0] != os.getpid():
            self._owner = os.getpid(), Lock()
        self._owner[1].acquire()

    def __exit__(self, *error: object) -> None:
        self._owner[1].release()
