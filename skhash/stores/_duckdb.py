"""`DuckDBCodeStore`: codes in a file that DuckDB scans by columns."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Literal

from skhash.stores._ducktable import DuckDBTable
from skhash.utils import import_optional

__all__ = ["DuckDBCodeStore"]

# Writers of one file wait for each other: DuckDB would refuse the later of two transactions that touch the same rows.
_writers: dict[str, threading.RLock] = {}


class DuckDBCodeStore(DuckDBTable):
    """Hash codes in a file of DuckDB, or in its memory, with ids and metadata.

    All searches are exact: DuckDB scans the columns of codes, on all processors, and reads only those row groups that a
    filter leaves. A file is used by one process at a time, with any number of threads; several processes may read it if
    all of them open it with `read_only=True`.

    Parameters
    ----------
    path : str or path-like, default=None
        The file, which is created if it does not exist. None means in memory.
    bits : int, default=None
        Code length. Needed to create the table; if the table exists, it is only checked.
    table : str, default="codes"
        Name of the table: lower case letters, digits and underscores.
    columns : dict of str to type, default=None
        Columns of metadata and their types: int (64 bits), float, str or bool. If the table exists, None means its
        columns, and others are an error.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: "big" for those of `np.packbits`.
    read_only : bool, default=False
        Whether to open the file without the right to change it.
    verbose : bool, default=False
        Whether to show the progress of `add`.

    See Also
    --------
    PostgresCodeStore : A server, which many processes use.
    skhash.HammingIndex : The same searches in memory, faster.

    Examples
    --------
    >>> from skhash.stores import DuckDBCodeStore
    >>> store = DuckDBCodeStore(bits=3, columns={"kind": str})
    >>> store.add([[0, 0, 0], [0, 1, 1], [1, 1, 1]], metadata={"kind": ["cat", "dog", "dog"]})
    array([0, 1, 2])
    >>> store.kneighbors([[0, 1, 0]], 2)
    (array([[1, 1]], dtype=int32), array([[0, 1]]))
    >>> store.kneighbors([[0, 0, 0]], 1, where={"kind": "dog"})
    (array([[2]], dtype=int32), array([[1]]))
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        bits: int | None = None,
        *,
        table: str = "codes",
        columns: Mapping[str, Any] | None = None,
        n_neighbors: int = 5,
        radius: int = 2,
        bitorder: Literal["little", "big"] = "little",
        read_only: bool = False,
        verbose: bool = False,
    ) -> None:
        self.path = None if path is None else os.path.realpath(path)
        self.read_only = read_only
        self._duckdb = import_optional("duckdb", extra="duckdb", purpose="DuckDBCodeStore")
        self._root: Any = None
        self._writer = threading.RLock() if self.path is None else _writers.setdefault(self.path, threading.RLock())
        self._start()
        super().__init__(
            bits,
            table=table,
            columns=columns,
            n_neighbors=n_neighbors,
            radius=radius,
            bitorder=bitorder,
            verbose=verbose,
        )
