"""Files that are replaced as a whole: a reader never sees half of one, whatever happens to the writer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_replace(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file that takes the place of `path` when the block ends without an error.

    The bytes reach the disk before the name does, and the name before the block ends. If the block raises, `path`
    stays as it was and the temporary file beside it is removed.

    Parameters
    ----------
    path : path-like
        The file to replace or to create. Its folder must exist.

    Yields
    ------
    file : binary file
        To be written.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a directory.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: no such directory: {path.parent}.")
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Flush the names in a folder to the disk, where the system can (Windows does so by itself).

    Parameters
    ----------
    folder : path-like
        An existing folder.

    Raises
    ------
    OSError
        If the system refuses.
    """
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
