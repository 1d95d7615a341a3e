"""One process at a time in a folder, without a file that would outlive the process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a folder cannot be locked
    fcntl = None

LEFT = re.compile(r"(settings\.json|files\.jsonl)\.[0-9a-f]+\.tmp")  # of a process that was killed while it wrote


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Lock a folder while the block runs, and remove what a process that was killed left there.

    The lock ends with the process, however it ends. Where folders cannot be locked, on Windows and on some network
    disks, the block runs without a lock.

    Parameters
    ----------
    folder : Path
        The folder.

    Yields
    ------
    nothing : None
        The block runs once.

    Raises
    ------
    OSError
        If another process is in such a block.
    """
    if fcntl is None:
        yield
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{str(folder)!r} is being updated by another process; wait until it has ended.") from None
        except OSError:  # this disk has no locks
            pass
        else:
            for path in folder.iterdir():
                if LEFT.fullmatch(path.name):
                    with suppress(OSError):  # a disk that is read only
                        path.unlink()
        yield
    finally:
        os.close(number)
