"""A connection to Milvus: a file with the embedded server, or a real one; and what its errors mean."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import warnings
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from skhash.stores._errors import StoreConnectionError, StoreError, StoreFullError, StoreMissingError
from skhash.utils import import_optional

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DROPPED", "MilvusConnection", "Shared"]

DROPPED = "it was dropped. Open a new store with bits= to create it again."

_FILE = re.compile(r"[A-Za-z0-9.\-_]{1,33}\.db")
_guard = threading.Lock()
_shared: dict[tuple[str, str], Shared] = {}
_writers: dict[str, threading.RLock] = {}
_files: dict[str, int] = {}  # number of open stores of each file


class Shared:
    """The state of a table in this process: writers take turns, and readers see whole batches only."""

    def __init__(self, place: str) -> None:
        self.writer = _writers.setdefault(place, threading.RLock())  # for a file, of all tables: see `write`
        self.committed: int | None = None  # number of the last batch; None if the engine has not been asked

    @classmethod
    def of(cls, place: str, table: str) -> Shared:
        """Return that of a table."""
        with _guard:
            if (place, table) not in _shared:
                _shared[place, table] = cls(place)
            return _shared[place, table]


class NotStoredError(Exception):
    """The embedded server has said that a change was made, but it is not in the file."""


class MilvusConnection:
    """One client, which is opened at the first call, and again at the first one after it was lost.

    Parameters
    ----------
    uri : str or path-like
        A file that ends with ".db", or the address of a server.
    token : str or None
        The token of a server, or "user:password".
    database : str
        The database of a server.
    """

    def __init__(self, uri: str | os.PathLike[str], token: str | None, database: str) -> None:
        text = os.fspath(uri)
        self.is_file = "://" not in text
        self._token, self._database = token, database
        self._pymilvus = import_optional("pymilvus", extra="milvus", purpose="MilvusCodeStore")
        self._client: Any = None
        self._reader: sqlite3.Connection | None = None
        self._is_counted = False
        self._lock = threading.Lock()
        if not self.is_file:
            parts = urlsplit(text)
            if parts.scheme not in ("http", "https", "tcp") or not parts.hostname:
                raise ValueError(
                    "uri must be a path that ends with '.db', or an address like 'http://host:19530', "
                    f"got one with scheme {parts.scheme!r}."
                )
            if parts.username or parts.password:
                raise ValueError("uri must not contain a name or a password; pass token='user:password'.")
            self.place, self._uri = f"{parts.scheme}://{parts.netloc}/{database}", text
            return
        path = os.path.realpath(text)
        if not _FILE.fullmatch(os.path.basename(path)):
            raise ValueError(
                "uri: Milvus requires that the name of a file has at most 36 letters, digits, '.', '-' and '_', and "
                f"ends with '.db', got {os.path.basename(path)!r}."
            )
        if not os.path.isdir(os.path.dirname(path)):
            raise FileNotFoundError(f"uri: there is no folder {os.path.dirname(path)!r}.")
        self.place = self._uri = path
        with warnings.catch_warnings():  # milvus-lite uses pkg_resources, which is deprecated
            warnings.simplefilter("ignore")
            import_optional("milvus_lite", extra="milvus", purpose="MilvusCodeStore with a file")
        version = metadata.version("milvus-lite")
        if int(version.partition(".")[0]) > 2:
            raise ImportError(
                f"MilvusCodeStore with a file needs milvus-lite 2.5.1, got {version}: later versions have no binary "
                "vectors. Install it with: pip install 'scikit-hash[milvus]'"
            )

    def describe(self) -> str:
        """Return where the data is, without secrets."""
        return repr(self.place.rstrip("/"))

    def call(self, name: str, *args: Any, **parameters: Any) -> Any:
        """Call a method of the client. pymilvus would repeat what cannot succeed, for minutes."""
        return getattr(self._get(), name)(*args, **parameters, retry_times=0)

    def write(self, name: str, table: str, rows: Any) -> None:
        """Insert or upsert rows, or delete the codes with some ids; and check that the file has changed.

        If the disk is full, the embedded server keeps changes in its memory and reports success. Then it is stopped, so
        that the next call sees what is stored. Only one thread of a file may be here: a server that finds its file
        locked by a reader loses a change in the same way.
        """
        if not self.is_file:
            self.call(name, table, **({"ids": rows} if name == "delete" else {"data": rows}))
            return
        try:
            before = self._ask_file("pragma data_version")
            self.call(name, table, **({"ids": rows} if name == "delete" else {"data": rows}))
            if name == "delete":
                is_stored = self._ask_file("pragma data_version") != before
            else:
                last = self._ask_file(f'select milvus_id from "{table}" order by id desc limit {len(rows)}')
                is_stored = {id_ for (id_,) in last} == {str(row["id"]) for row in rows}
        except sqlite3.Error:
            is_stored = False
        if not is_stored:
            self.lose(stop=True)
            raise NotStoredError
        if name == "upsert":
            text = f"id in {[row['id'] for row in rows]}"
            if self.call("query", table, filter=text, output_fields=["count(*)"])[0]["count(*)"] != len(rows):
                self.lose(stop=True)  # it is in the file, but not in memory; the next call reads the file

    def _ask_file(self, statement: str) -> list[Any]:
        """Read the file itself. With the right to write, because SQLite may have to undo what a killed server did."""
        if self._reader is None:
            self._get()
            self._reader = sqlite3.connect(f"{Path(self._uri).as_uri()}?mode=rw", uri=True, check_same_thread=False)
        return self._reader.execute(statement).fetchall()

    @property
    def types(self) -> Any:
        """Types of fields."""
        return self._pymilvus.DataType

    def schema(self, description: str) -> Any:
        """Return the schema of a new collection."""
        return self._get().create_schema(auto_id=False, enable_dynamic_field=False, description=description)

    def index(self, field: str) -> Any:
        """Return the parameters of an exact index for Hamming distances."""
        parameters = self._get().prepare_index_params()
        parameters.add_index(field, index_type="BIN_FLAT", metric_type="HAMMING")
        return parameters

    def _get(self) -> Any:
        with self._lock:
            if self._client is None:
                parameters = {} if self.is_file else {"token": self._token or "", "db_name": self._database}
                if self.is_file:
                    with _guard:
                        _files[self.place] = _files.get(self.place, 0) + 1
                        self._is_counted = True
                try:
                    self._client = self._pymilvus.MilvusClient(self._uri, timeout=10, **parameters)
                except BaseException:
                    self._release(False)
                    raise
            return self._client

    def close(self, stop: bool = False) -> None:
        """Close the client, and stop the embedded server if no other store of this process uses its file."""
        with self._lock:
            client, self._client = self._client, None
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()
            if client is not None:
                with suppress(Exception):  # the connection may be lost
                    client.close()
            self._release(stop)

    def _release(self, stop: bool) -> None:
        if not self._is_counted:
            return
        self._is_counted = False
        with _guard:
            _files[self.place] -= 1
            if _files[self.place] == 0 or stop:
                servers = _servers()
                if self.place in servers._servers:  # it would write a warning otherwise
                    with suppress(Exception):  # it has ended by itself
                        servers.release_server(self.place)

    def lose(self, stop: bool = False) -> None:
        """Forget a connection that is lost, and an embedded server that has ended or must be stopped."""
        self.close(stop or (self.is_file and _has_ended(self.place)))

    def translate(self, error: Exception, refuse: Callable[[str], str]) -> Exception | None:
        """Return the error of the library that an error of Milvus means, or None if it is none of these."""
        if isinstance(error, NotStoredError):
            why = "the file cannot be written, probably because the disk is full, and nothing was stored. Make room"
            return StoreFullError(refuse(f"{why}, then repeat the call."))
        if not isinstance(error, self._pymilvus.MilvusException) and type(error).__module__.partition(".")[0] != "grpc":
            return None
        code, text = getattr(error, "code", None), str(getattr(error, "message", error)).strip()
        if self._token:
            for secret in {self._token, self._token.partition(":")[2]} - {""}:
                text = text.replace(secret, "***")
        text = re.sub(r"^\[\w+\] Retry run out of 0 retry times,? *(message=)?", "", text)
        lower = text.lower()
        if "open local milvus failed" in lower:
            why = (
                "the file cannot be opened. One process uses it at a time, with any number of threads: another may "
                f"have it open. For many processes there are servers. ({text})"
            )
            return StoreConnectionError(refuse(why))
        if code in (100, 4) or "collection not found" in lower or "can't find collection" in lower:
            return StoreMissingError(refuse(DROPPED))
        if any(sign in lower for sign in ("no space left", "disk is full", "quota exceeded", "disk quota")):
            return StoreFullError(
                refuse(f"disk or memory is full, and nothing was stored. Make room, then repeat the call. ({text})")
            )
        if code == 2 or getattr(code, "name", "") == "UNAVAILABLE" or not hasattr(error, "message"):
            self.lose()
            return StoreConnectionError(refuse(f"the server cannot be reached, or was lost during the call. ({text})"))
        return StoreError(refuse(text))


def _servers() -> Any:
    """Return the embedded servers of this process."""
    return import_module("milvus_lite.server_manager").server_manager_instance


def _has_ended(path: str) -> bool:
    """Check whether the embedded server of a file has ended."""
    server = _servers()._servers.get(path)
    return server is not None and (server._p is None or server._p.poll() is not None)
