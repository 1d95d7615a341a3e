"""Atomic replacement of files: a reader never sees a partly written file, even if the writer is interrupted."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_replace(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file that replaces `path` when the block ends without an error.

    The content is flushed to the disk before the file is renamed, and the new name before the block ends. If the block
    raises, `path` is unchanged and the temporary file in the same folder is removed.

    Parameters
    ----------
    path : path-like
        The file to replace or create. Its folder must exist.

    Yields
    ------
    file : binary file
        The temporary file, open for writing.

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
    """Flush the names in a folder to the disk. On Windows, which does this itself, do nothing.

    Parameters
    ----------
    folder : path-like
        An existing folder.

    Raises
    ------
    OSError
        If the folder cannot be opened or flushed.
    """
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
