"""Files mapped into memory without an open file for each: a process may keep some 1,024 open, but 65,530 maps."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["map_file"]

_MAP_FIXED = 0x10  # on Linux and macOS


def map_file(path: Path, size: int) -> NDArray[np.uint8]:
    """Map a file into memory.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Number of bytes from its start, at least 1.

    Returns
    -------
    data : ndarray of uint8 of shape (size,)
        A read-only view of a `numpy.memmap`, so that joblib sends the name of the file to its processes. The map ends
        with the last view of it.
    """
    if sys.platform not in ("linux", "darwin") or sys.maxsize < 2**32:
        return np.asarray(np.memmap(path, np.uint8, "r", shape=(size,)))
    with open(path, "rb") as file:
        if sys.version_info >= (3, 13):
            pages = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ, trackfd=False)
        else:
            pages = _map_untracked(file.fileno(), size)
    data: Any = np.ndarray.__new__(np.memmap, (size,), np.uint8, buffer=pages)
    data._mmap, data.filename, data.offset, data.mode = pages, path.resolve(), 0, "r"  # as its own `__new__` does
    return np.asarray(data)


def _map_untracked(handle: int, size: int) -> mmap.mmap:
    """Map a file over pages that belong to an `mmap`, which before Python 3.13 would keep a duplicate of the handle."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
    address = np.frombuffer(pages, np.uint8).ctypes.data
    system_mmap = ctypes.CDLL(None, use_errno=True).mmap
    system_mmap.restype = ctypes.c_void_p
    system_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_int64]
    if system_mmap(address, size, mmap.PROT_READ, mmap.MAP_SHARED | _MAP_FIXED, handle, 0) != address:
        error = ctypes.get_errno()
        raise OSError(error, f"The file could not be mapped into memory: {os.strerror(error)}")
    return pages
