"""A cache of feature vectors on disk, found by the content of the images."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FeatureCache"]

_NAME = "features.sqlite"
_SECONDS = 60.0  # that a process waits for another one's writing
_AT_ONCE = 500  # keys of a query
_TABLES = (
    "CREATE TABLE IF NOT EXISTS features "
    "(key BLOB PRIMARY KEY, type TEXT NOT NULL, bytes INTEGER NOT NULL, vector BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS sizes ON features (bytes)",  # the sum of which is then found without the vectors
)


class FeatureCache:
    """Vectors on disk by key, oldest first out; safe for several processes.

    Parameters
    ----------
    folder : str or Path
        Folder, made if needed. It may hold the vectors of several networks.
    limit : int, default=2**33
        Most bytes of vectors that are kept. The oldest ones are removed.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from skhash.features import FeatureCache
    >>> cache = FeatureCache(tempfile.mkdtemp())
    >>> cache.store([b"a", b"b"], np.eye(2))
    >>> sorted(cache.load([b"a", b"c"])), len(cache)
    ([b'a'], 2)
    """

    def __init__(self, folder: str | os.PathLike[str], limit: int = 2**33) -> None:
        self.path, self.limit = Path(folder) / _NAME, limit
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cache={os.fspath(folder)!r} is not a folder and cannot be made one: {error}.") from error
        with self._connected() as connection:
            for statement in _TABLES:
                connection.execute(statement)

    def load(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.floating]]:
        """Return the vectors of those keys that are there.

        Parameters
        ----------
        keys : sequence of bytes
            The keys.

        Returns
        -------
        vectors : dict of bytes to ndarray
            Read-only vectors by key.
        """
        found: dict[bytes, NDArray[np.floating]] = {}
        with self._connected() as connection:
            for part in _parts(keys):
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT key, type, vector FROM features WHERE key IN ({marks})", part)
                found.update((key, np.frombuffer(vector, np.dtype(kind))) for key, kind, vector in rows)
        return found

    def store(self, keys: Iterable[bytes], vectors: NDArray[np.floating]) -> None:
        """Add vectors in one transaction, and remove the oldest ones beyond the limit.

        Parameters
        ----------
        keys : iterable of bytes
            One key per vector. A vector that is there already is kept.
        vectors : ndarray of shape (n, n_features)
            The vectors.
        """
        rows = [
            (key, vector.dtype.str, vector.nbytes, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)
        ]
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO features VALUES (?, ?, ?, ?)", rows)
            (held,) = connection.execute("SELECT TOTAL(bytes) FROM features").fetchone()
            if held > self.limit:
                # Running totals from the newest one on: what lies beyond the limit goes.
                connection.execute(
                    "DELETE FROM features WHERE rowid IN (SELECT rowid FROM (SELECT rowid, "
                    "SUM(bytes) OVER (ORDER BY rowid DESC) AS held FROM features) WHERE held > ?)",
                    (self.limit,),
                )

    def clear(self) -> None:
        """Remove all vectors."""
        with self._connected() as connection:
            connection.execute("DELETE FROM features")

    def __len__(self) -> int:
        with self._connected() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM features").fetchone()[0])

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: connections belong to a thread and a process."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_SECONDS)) as connection, connection:
                yield connection
        except sqlite3.OperationalError as error:  # of the system: the disk is full, another process writes for long
            raise OSError(f"The cache of features {str(self.path)!r} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"The cache of features {str(self.path)!r} is damaged or another kind of file: {error}. Delete it, or "
                "choose another folder."
            ) from error


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut keys into parts: SQL statements have a limit on their values."""
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
