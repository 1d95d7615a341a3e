"""`DuckDBCodeStore`: codes in a file that DuckDB scans by columns."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skhash.stores._base import known_error
from skhash.stores._errors import StoreConnectionError, StoreError, StoreFullError, StoreMissingError
from skhash.stores._hooks import Hits
from skhash.stores._schema import Schema
from skhash.stores._sql import SQLCodeStore
from skhash.utils import import_optional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.stores._where import Condition

__all__ = ["DuckDBCodeStore"]

# Writers of one file wait for each other: DuckDB would refuse the later of two transactions that touch the same rows.
_writers: dict[str, threading.RLock] = {}


class DuckDBCodeStore(SQLCodeStore):
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

    _TYPES = {"int": "BIGINT", "float": "DOUBLE", "str": "VARCHAR", "bool": "BOOLEAN"}
    max_rows = 2**20

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
        self.path = None if path is None else os.path.abspath(os.fspath(path))
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

    def _describe(self) -> str:
        return "memory" if self.path is None else repr(self.path)

    def _open_session(self) -> Any:
        with self._guard:
            if self._root is None:
                self._root = self._duckdb.connect(self.path or ":memory:", read_only=self.read_only)
            return self._root.cursor()

    def _close_session(self, session: Any) -> None:
        session.close()

    def _is_usable(self, session: Any) -> bool:
        return self._root is not None

    def _disconnect(self) -> None:
        super()._disconnect()
        with self._guard:
            root, self._root = self._root, None
        if root is not None:
            root.close()

    def _load(self) -> Schema | None:
        with self._session() as session:
            found = session.execute(
                "select comment from duckdb_tables() where table_name = $name and schema_name = current_schema()"
                " and database_name = current_database()",
                {"name": self.table},
            ).fetchall()  # not fetchone: a session does no more until all rows of a result are fetched
        if not found:
            return None
        schema = Schema.from_json(found[0][0])
        if schema is None:
            raise StoreError(f"Table {self.table!r} in {self._describe()} is not one of a store; choose another name.")
        return schema

    def _create(self, schema: Schema) -> None:
        columns = [f'"{name}" {self._TYPES[kind]} not null' for name, kind in schema.columns.items()]
        words = [f"{name} UBIGINT not null" for name in self._words(schema)]
        comment = schema.to_json()  # of checked names and numbers only: no quote is in it
        with self._writer, self._session() as session:
            session.execute("begin")
            try:
                if self._load() is None:
                    session.execute(
                        f'create table "{self.table}" ({", ".join(["id BIGINT not null", *words, *columns])})'
                    )
                    session.execute(f"comment on table \"{self.table}\" is '{comment}'")
                    session.execute(f'create table "{self.table}_counter" as select 0::BIGINT as next')
                session.execute("commit")
            except BaseException:
                session.execute("rollback")
                raise

    def _destroy(self) -> None:
        with self._writer, self._session() as session:
            session.execute(f'drop table "{self.table}"')
            session.execute(f'drop table if exists "{self.table}_counter"')

    def _begin(self) -> None:
        self._writer.acquire()
        try:
            session = self._acquire()
            session.execute("begin")
        except BaseException:
            self._writer.release()
            raise
        self._local.session = session

    def _commit(self) -> None:
        self._local.session.execute("commit")
        self._end()

    def _rollback(self) -> None:
        session = getattr(self._local, "session", None)
        if session is not None:  # else a commit has failed after it ended
            with suppress(self._duckdb.Error):  # an error has ended the transaction already, or the whole database
                session.execute("rollback")
            self._end()

    def _end(self) -> None:
        """End this thread's transaction."""
        session, self._local.session = self._local.session, None
        self._release(session)
        self._writer.release()

    def _reserve(self, n: int, least: int | None = None) -> int:
        with self._session() as session:
            ((following,),) = session.execute(
                f'update "{self.table}_counter" set next = greatest(next, $least::BIGINT) + $n::BIGINT returning next',
                {"n": n, "least": 0 if least is None else min(least, 2**63 - 1)},
            ).fetchall()
        return following - n

    def _insert(
        self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]], counted: bool
    ) -> None:
        arrays = {"id": ids, **{name: words[:, i].copy() for i, name in enumerate(self._words())}, **columns}
        with self._session() as session, _registered(session, arrays) as rows:
            if not counted:
                known = session.execute(
                    f'select id from "{self.table}" where id in (select id from {rows})'
                ).fetchnumpy()
                if len(known["id"]):
                    raise known_error(known["id"], self.table)
            names = ", ".join(f'"{name}"' for name in arrays)
            session.execute(f'insert into "{self.table}" ({names}) select {names} from {rows}')

    def _delete(self, ids: NDArray[np.int64]) -> int:
        with self._session() as session, _registered(session, {"id": ids}) as rows:
            return session.execute(f'delete from "{self.table}" where id in (select id from {rows})').fetchall()[0][0]

    def _fetch(
        self, ids: NDArray[np.int64], what: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], dict[str, NDArray[Any]]]:
        names = ["id", *self._words(), *self._schema.columns] if what else ["id"]
        chosen = ", ".join(f'"{name}"' for name in names)
        with self._session() as session, _registered(session, {"id": ids}) as rows:
            found = session.execute(
                f'select {chosen} from "{self.table}" where id in (select id from {rows})'
            ).fetchnumpy()
        found = {name: np.asarray(values) for name, values in found.items()}
        if not what:
            return found["id"], np.empty((len(found["id"]), 0), np.uint64), {}
        words = np.stack([found[name] for name in self._words()], axis=1)
        return found["id"], words, {name: found[name] for name in self._schema.columns}

    def _count(self, where: tuple[Condition, ...]) -> int:
        values: dict[str, Any] = {}
        text = f'select count(*) from "{self.table}" where {self._conditions(where, values)}'
        with self._session() as session:
            return session.execute(text, values).fetchall()[0][0]

    def _nearest(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        # One selection for each query, in one statement: an aggregate over all pairs takes longer.
        values: dict[str, Any] = {}
        condition, names = self._conditions(where, values), self._words()
        parts = []
        for number, query in enumerate(words.tolist()):
            values |= {f"query_{number}_{i}": word for i, word in enumerate(query)}
            distance = _distance(names, [f"$query_{number}_{i}::UBIGINT" for i in range(len(names))])
            parts.append(
                f'(select {number} as query, {distance} as distance, id from "{self.table}" where {condition} '
                f"order by distance, id limit {int(k)})"
            )
        with self._session() as session:
            return _hits(session.execute(" union all ".join(parts), values).fetchnumpy())

    def _within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]) -> Hits:
        values: dict[str, Any] = {}
        condition, names = self._conditions(where, values), self._words()
        queries = {"query": np.arange(len(words)), "radius": radii}
        queries |= {f"query_{i}": words[:, i].copy() for i in range(len(names))}
        distance = _distance([f"stored.{name}" for name in names], [f"query_{i}" for i in range(len(names))])
        with self._session() as session, _registered(session, queries) as rows:
            return _hits(
                session.execute(
                    f"select query, {distance} as distance, id "
                    f'from (select * from "{self.table}" where {condition}) as stored, {rows} '
                    f"where {distance} <= radius",
                    values,
                ).fetchnumpy()
            )

    def _words(self, schema: Schema | None = None) -> list[str]:
        """Return the names of the columns that hold a code."""
        return [f"code_{i}" for i in range((schema or self._schema).n_words)]

    def _placeholder(self, name: str, kind: str) -> str:
        return f"${name}::{kind}"

    def _translate(self, error: Exception, doing: str) -> Exception | None:
        if not isinstance(error, self._duckdb.Error):
            return None
        text = str(error)
        if "set lock on file" in text or "file is already open" in text.lower():
            why = (
                "another process has the file open. DuckDB lets one process use a file, with any number of threads, or "
                f"several with read_only=True; for many processes there is PostgresCodeStore. ({text})"
            )
            return StoreConnectionError(self._refuse(doing, why))
        if "No space left" in text or isinstance(error, self._duckdb.OutOfMemoryException):
            self._forget(error)
            why = f"disk or memory is full, and nothing was stored. Make room, then repeat the call. ({text})"
            return StoreFullError(self._refuse(doing, why))
        if isinstance(error, self._duckdb.CatalogException) and "does not exist" in text:
            why = "it was dropped. Open a new store with bits= to create it again."
            return StoreMissingError(self._refuse(doing, why))
        if isinstance(error, self._duckdb.TransactionException) and "onflict" in text:
            return StoreError(
                self._refuse(doing, f"another connection changed it meanwhile. Repeat the call. ({text})")
            )
        self._forget(error)
        return StoreError(self._refuse(doing, text))

    def _forget(self, error: Exception) -> None:
        """Close the database after an error that ends it, so that the next call opens it again."""
        if isinstance(error, self._duckdb.FatalException) or "invalidated" in str(error):
            self._disconnect()


@contextmanager
def _registered(session: Any, arrays: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Make arrays a table of this session, without a copy, and give its name."""
    session.register("skhash_arrays", dict(arrays))
    try:
        yield "skhash_arrays"
    except BaseException:
        with suppress(Exception):  # refused in a transaction that has failed; the next arrays replace these
            session.unregister("skhash_arrays")
        raise
    session.unregister("skhash_arrays")


def _distance(words: list[str], others: list[str]) -> str:
    """Return the Hamming distance of two codes as text."""
    pairs = zip(words, others, strict=True)
    return "(" + " + ".join(f"bit_count(xor({word}, {other}))::SMALLINT" for word, other in pairs) + ")"


def _hits(found: Mapping[str, NDArray[Any]]) -> Hits:
    return Hits(*(np.asarray(found[name]) for name in Hits._fields))
