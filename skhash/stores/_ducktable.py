"""Hooks of `DuckDBCodeStore` as statements of DuckDB."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.stores._base import known_error
from skhash.stores._errors import StoreConnectionError, StoreError, StoreFullError, StoreMissingError
from skhash.stores._hits import limit_radii
from skhash.stores._hooks import Hits
from skhash.stores._schema import Schema
from skhash.stores._sql import SQLCodeStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.stores._where import Condition

__all__ = ["DuckDBTable"]

# From this number of queries on, a sample of the codes limits the distances of neighbors first.
_MANY_QUERIES, _SAMPLE, _MOST_CANDIDATES = 8, 40_000, 5_000_000


class DuckDBTable(SQLCodeStore):
    """A table in a file or in memory: the base of `DuckDBCodeStore`, which knows where it is."""

    _TYPES = {"int": "BIGINT", "float": "DOUBLE", "str": "VARCHAR", "bool": "BOOLEAN"}
    max_rows = 2**20
    path: str | None
    read_only: bool
    _duckdb: Any
    _root: Any
    _writer: threading.RLock

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
                    # A counter that is left of a dropped table counts on; other tables are an error.
                    session.execute(f'create table if not exists "{self.table}_counter" as select 0::BIGINT as next')
                    session.execute(f'select next from "{self.table}_counter"').fetchone()
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
        with self._session() as session:
            if len(words) < _MANY_QUERIES:
                return self._select_nearest(session, words, k, where)
            # In one transaction: radii that codes of the sample have set are too small when these are removed.
            own = getattr(self._local, "session", None) is None
            if own:
                session.execute("begin")
            try:
                radii = self._limit(session, words, k, where)
                if radii is None:
                    return self._select_nearest(session, words, k, where)
                return self._select_within(session, words, radii, where)
            finally:
                if own:
                    session.execute("rollback")

    def _limit(
        self, session: Any, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]
    ) -> NDArray[np.int32] | None:
        """Return radii that leave few codes besides the neighbors, found in a sample; None where that does not pay."""
        ((n,),) = session.execute(f'select count(*) from "{self.table}"').fetchall()
        share = _SAMPLE / max(n, 1)
        if share > 0.25:
            return None
        values: dict[str, Any] = {}
        found = session.execute(
            f'select {", ".join(self._words())} from "{self.table}" where {self._conditions(where, values)} '
            f"using sample {100 * share:.6f} percent (bernoulli)",
            values,
        ).fetchnumpy()
        sample = np.stack([np.asarray(found[name]) for name in self._words()], axis=1)
        return limit_radii(sample, words, k, share, most=_MOST_CANDIDATES)

    def _select_nearest(self, session: Any, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
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
        return _hits(session.execute(" union all ".join(parts), values).fetchnumpy())

    def _within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]) -> Hits:
        with self._session() as session:
            return self._select_within(session, words, radii, where)

    def _select_within(
        self, session: Any, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]
    ) -> Hits:
        values: dict[str, Any] = {}
        condition, names = self._conditions(where, values), self._words()
        queries = {"query": np.arange(len(words)), "radius": radii.astype(np.int16)}
        queries |= {f"query_{i}": words[:, i].copy() for i in range(len(names))}
        # Qualified, because columns of metadata may have the same names.
        distance = _distance([f"stored.{name}" for name in names], [f"asked.query_{i}" for i in range(len(names))])
        with _registered(session, queries) as rows:
            found = session.execute(
                f"select asked.query, {distance} as distance, stored.id "
                f'from (select * from "{self.table}" where {condition}) as stored, {rows} as asked '
                f"where {distance} <= asked.radius",
                values,
            )
            return _hits(found.fetchnumpy())

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
    """Register arrays as a table of this session, without a copy; yields its name."""
    name = "_skhash_arrays"  # which no table of a store can have
    session.register(name, dict(arrays))
    try:
        yield name
    except BaseException:
        with suppress(Exception):  # refused in a transaction that has failed; the next arrays replace these
            session.unregister(name)
        raise
    session.unregister(name)


def _distance(words: list[str], others: list[str]) -> str:
    """Return the Hamming distance of two codes as text."""
    pairs = zip(words, others, strict=True)
    return "(" + " + ".join(f"bit_count(xor({word}, {other}))::SMALLINT" for word, other in pairs) + ")"


def _hits(found: Mapping[str, NDArray[Any]]) -> Hits:
    return Hits(*(np.asarray(found[name]) for name in Hits._fields))
