"""The folder of a saved pipeline with indexes: one file that names the folders of the indexes, replaced at once.

Indexes get folders with names that were never used. Until `estimator.skh` is replaced, which is the only commit point,
new folders do not count; afterwards the old ones do not. The next writer removes what does not count.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skhash.utils import atomic_replace, sync_folder

if TYPE_CHECKING:
    from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: writers do not exclude each other there
    fcntl = None

__all__ = ["FILE", "index_folder", "write_folder"]

FILE = "estimator.skh"
_INDEX = re.compile("index-[0-9a-f]{16}")
_TEMPORARY = re.compile(r"estimator\.skh\.[0-9a-f]{16}\.tmp")


def write_folder(folder: Path, indexes: dict[str, Any], write: Callable[[BinaryIO], None]) -> None:
    """Save indexes and the file that names them.

    Parameters
    ----------
    folder : Path
        New, empty, or a saved pipeline, which is replaced.
    indexes : dict of str to index
        Fitted indexes by the names of their folders.
    write : callable
        Writes the file, which is given open.

    Raises
    ------
    ValueError
        If the folder holds other files.
    """
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    try:
        with _locked(folder):
            foreign = [name for name in sorted(os.listdir(folder)) if not _is_ours(name)]
            if foreign:
                raise ValueError(f"{folder} holds other files, such as {foreign[0]!r}, expected a new folder.")
            try:
                for name, index in indexes.items():
                    index.save(folder / name)
                sync_folder(folder)  # the names of the indexes must be on the disk before the file that names them
                with atomic_replace(folder / FILE) as file:
                    write(file)
            except BaseException:
                _sweep(folder, indexes, remove=True)
                raise
            _sweep(folder, indexes, remove=False)
        sync_folder(folder.parent)
    except BaseException:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


def index_folder(folder: Path, name: Any) -> Path:
    """Return the folder of an index, after a check of its name: a file must not lead elsewhere."""
    if not isinstance(name, str) or not _INDEX.fullmatch(name):
        raise ValueError(f"the name of an index folder must be index- and 16 hexadecimal digits, got {name!r}")
    path = folder / name
    if path.is_symlink() or not path.is_dir():
        raise FileNotFoundError(f"{path} is not a folder.")
    linked = [entry.name for entry in os.scandir(path) if entry.is_symlink()]
    if linked:
        raise ValueError(f"{path / linked[0]} is a link, expected a file")
    return path


def _is_ours(name: str) -> bool:
    return name == FILE or any(pattern.fullmatch(name) for pattern in (_INDEX, _TEMPORARY))


def _sweep(folder: Path, indexes: dict[str, Any], *, remove: bool) -> None:
    """Remove these indexes, or all others and what interrupted writers have left."""
    for name in os.listdir(folder):
        if _INDEX.fullmatch(name) and (name in indexes) == remove:
            shutil.rmtree(folder / name, ignore_errors=True)  # Windows keeps files that are mapped
        elif _TEMPORARY.fullmatch(name):
            with suppress(OSError):
                os.unlink(folder / name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other writers; the system releases the lock when the process ends, even if killed."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
