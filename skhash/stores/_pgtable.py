"""Hooks of `PostgresCodeStore` as statements of PostgreSQL."""

from __future__ import annotations

import re
import selectors
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from skhash.stores._base import known_error
from skhash.stores._errors import StoreConnectionError, StoreError, StoreFullError, StoreMissingError
from skhash.stores._hooks import Hits
from skhash.stores._pgcopy import FOOTER, HEADER, bit_texts, read_bits, to_rows
from skhash.stores._schema import Schema
from skhash.stores._sql import SQLCodeStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.stores._pgserver import EmbeddedServer
    from skhash.stores._where import Condition

__all__ = ["PostgresTable"]

_CREATION = 0x736B68617368  # the lock of those who create a table: "skhash"


class PostgresTable(SQLCodeStore):
    """A table on a server: the base of `PostgresCodeStore`, which knows how to get there."""

    _TYPES = {"int": "bigint", "float": "float8", "str": 'text collate "C"', "bool": "boolean"}
    _psycopg: Any
    _server: EmbeddedServer | None
    _address: dict[str, Any]
    _has_vector: bool
    _scans_on: bool  # whether the graph is searched until enough codes pass a filter
    ef_search: int

    def _describe(self) -> str:
        if self._server is not None:
            return repr(str(self._server.folder))
        names = ("host", "port", "dbname")
        return "PostgreSQL at " + " ".join(f"{name}={self._address[name]}" for name in names if name in self._address)

    def _open_session(self) -> Any:
        try:
            return self._connect()
        except self._psycopg.OperationalError:
            if self._server is None:
                raise
            self._server.restart()
            return self._connect()

    def _connect(self) -> Any:
        # Statements are not prepared on the server: between it and us may be a pool that does not keep them.
        return self._psycopg.connect(**self._address, autocommit=True, prepare_threshold=None)

    def _close_session(self, session: Any) -> None:
        with suppress(self._psycopg.Error):
            session.close()

    def _is_usable(self, session: Any) -> bool:
        # An idle connection has nothing to read, unless the server has closed it.
        return not session.closed and not _can_be_read(session.fileno())

    def _load(self) -> Schema | None:
        with self._session() as session:
            exists, comment, self._has_vector, version = session.execute(
                "select to_regclass(%s) is not null, obj_description(to_regclass(%s), 'pg_class'),"
                " to_regtype('sparsevec') is not null,"  # which came with distances of bits, in version 0.7
                " (select extversion from pg_extension where extname = 'vector')",
                [f'"{self.table}"'] * 2,
            ).fetchone()
        self._scans_on = [int(part) for part in re.findall(r"\d+", version or "")[:2]] >= [0, 8]
        if not exists:
            return None
        schema = Schema.from_json(comment)
        if schema is None:
            raise StoreError(f"Table {self.table!r} in {self._describe()} is not one of a store; choose another name.")
        return schema

    def _create(self, schema: Schema) -> None:
        columns = [f'"{name}" {self._TYPES[kind]} not null' for name, kind in schema.columns.items()]
        fields = ", ".join(["id bigint primary key", f"code bit({schema.bits}) not null", *columns])
        with self._session() as session:
            with suppress(self._psycopg.Error):  # the extension is not there, or the user may not create it
                session.execute("create extension if not exists vector")
            # Locked before the transaction begins: within one, a table that another session made may stay unseen.
            session.execute("select pg_advisory_lock(%s)", [_CREATION])
            try:
                with session.transaction():
                    self._create_tables(session, fields, schema.to_json())
            finally:
                session.execute("select pg_advisory_unlock(%s)", [_CREATION])

    def _create_tables(self, session: Any, fields: str, comment: str) -> None:
        if not session.execute("select to_regclass(%s) is null", [f'"{self.table}"']).fetchone()[0]:
            return  # another process was faster
        sql = self._psycopg.sql
        session.execute(f'create table "{self.table}" ({fields})')
        # A counter that is left of a dropped table counts on; other tables are an error.
        session.execute(f'create table if not exists "{self.table}_counter" as select 0::bigint as next')
        session.execute(f'select next from "{self.table}_counter"').fetchone()
        text = sql.SQL("comment on table {} is {}").format(sql.Identifier(self.table), sql.Literal(comment))
        session.execute(text)

    def _destroy(self) -> None:
        with self._session() as session, session.transaction():
            session.execute(f'drop table "{self.table}"')
            session.execute(f'drop table if exists "{self.table}_counter"')

    def _begin(self) -> None:
        session = self._acquire()
        try:
            session.execute("begin")
        except BaseException:
            self._close_session(session)
            raise
        self._local.session = session

    def _commit(self) -> None:
        status = self._local.session.execute("commit").statusmessage
        if status != "COMMIT":  # after a statement that failed the server undoes all, and calls this a success
            raise StoreError(
                self._refuse(
                    "change", "a statement failed in this transaction, so that none of its changes was stored."
                )
            )
        self._end()

    def _rollback(self) -> None:
        session = getattr(self._local, "session", None)
        if session is not None:
            try:
                session.execute("rollback")
            except self._psycopg.Error:
                self._close_session(session)
            self._end()

    def _end(self) -> None:
        session, self._local.session = self._local.session, None
        self._release(session)

    def _reserve(self, n: int, least: int | None = None) -> int:
        # In a session of its own, which commits at once: writers need not wait for each other's transactions.
        session = self._acquire()
        try:
            (following,) = session.execute(
                f'update "{self.table}_counter" set next = greatest(next, %s::bigint) + %s::bigint returning next',
                [0 if least is None else min(least, 2**63 - 1), n],
            ).fetchone()
        finally:
            self._release(session)
        return following - n

    def _insert(
        self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]], counted: bool
    ) -> None:
        names = ", ".join(f'"{name}"' for name in ["id", "code", *columns])
        text = f'copy "{self.table}" ({names}) from stdin (format binary)'
        with self._session() as session, session.cursor() as cursor, cursor.copy(text) as copy:
            copy.write(HEADER)
            for start in range(0, len(ids), 2**14):
                part = slice(start, start + 2**14)
                values = [column[part] for column in columns.values()]
                copy.write(to_rows(ids[part], words[part], self._schema.bits, values))
            copy.write(FOOTER)

    def _delete(self, ids: NDArray[np.int64]) -> int:
        with self._session() as session:
            return session.execute(f'delete from "{self.table}" where id = any(%s::bigint[])', [ids.tolist()]).rowcount

    def _fetch(
        self, ids: NDArray[np.int64], what: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], dict[str, NDArray[Any]]]:
        names = ["id", "code", *self._schema.columns] if what else ["id"]
        chosen = ", ".join(f'"{name}"' for name in names)
        text = f'select {chosen} from "{self.table}" where id = any(%s::bigint[])'
        with self._session() as session, session.cursor(binary=True) as cursor:
            rows = cursor.execute(text, [ids.tolist()]).fetchall()
        fields = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        found = np.array(fields[0], dtype=np.int64)
        if not what:
            return found, np.empty((len(found), 0), np.uint64), {}
        dtypes = {"int": np.int64, "float": np.float64, "str": object, "bool": bool}
        columns = {
            name: np.array(values, dtype=dtypes[kind])
            for (name, kind), values in zip(self._schema.columns.items(), fields[2:], strict=True)
        }
        return found, read_bits(list(fields[1]), self._schema.n_words), columns

    def _count(self, where: tuple[Condition, ...]) -> int:
        values: dict[str, Any] = {}
        text = f'select count(*) from "{self.table}" where {self._conditions(where, values)}'
        with self._session() as session:
            return session.execute(text, values).fetchone()[0]

    def _nearest(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        return self._select(words, where, "{condition} order by distance, id limit {k}", k=int(k))

    def _within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]) -> Hits:
        return self._select(words, where, "{condition} and {distance} <= {radius}", radii=radii)

    def _nearest_approximate(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        with self._session() as session, session.transaction():
            found = session.execute("select to_regclass(%s) is not null", [f'"{self.table}_hnsw"']).fetchone()[0]
            if not found:
                raise ValueError("approximate=True needs an index; call create_index() first.")
            session.execute("select set_config('hnsw.ef_search', %s, true)", [str(max(self.ef_search, min(k, 1000)))])
            if self._scans_on:
                session.execute("set local hnsw.iterative_scan = strict_order")
            return self._select(words, where, "{condition} order by {bare} limit {k}", k=int(k), session=session)

    def _select(
        self,
        words: NDArray[np.uint64],
        where: tuple[Condition, ...],
        rest: str,
        *,
        k: int = 0,
        radii: NDArray[np.int32] | None = None,
        session: Any = None,
    ) -> Hits:
        """Run one statement for all queries: a selection for each, which the server scans with several processes."""
        values: dict[str, Any] = {}
        condition, bits, parts = self._conditions(where, values), self._schema.bits, []
        for number, text in enumerate(bit_texts(words, bits)):
            values[f"query_{number}"] = text
            query = f"%(query_{number})s::bit({bits})"
            bare = f"code <~> {query}"
            # No index knows the cast distance, so that exact searches scan.
            distance = f"({bare})::int" if self._has_vector else f"bit_count(code # {query})::int"
            radius = 0 if radii is None else int(radii[number])
            chosen = rest.format(condition=condition, bare=bare, distance=distance, radius=radius, k=k)
            parts.append(f'(select {number} as query, {distance} as distance, id from "{self.table}" where {chosen})')
        with self._session() if session is None else nullcontext(session) as one, one.cursor(binary=True) as cursor:
            rows = cursor.execute(" union all ".join(parts), values).fetchall()
        found = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return Hits(found[:, 0], found[:, 1].astype(np.int32), found[:, 2])

    def _placeholder(self, name: str, kind: str) -> str:
        return f"%({name})s::{kind}"

    def _translate(self, error: Any, doing: str) -> Exception | None:
        if not isinstance(error, self._psycopg.Error):
            return None
        state, text = error.sqlstate or "", str(error).strip()
        for secret in {str(self._address.get("password", "")), quote(str(self._address.get("password", "")))} - {""}:
            text = text.replace(secret, "***")
        if state == "42P01":
            why = "it was dropped. Open a new store with bits= to create it again."
            return StoreMissingError(self._refuse(doing, why))
        if state == "23505":
            known = re.search(r"=\((-?\d+)\)", error.diag.message_detail or "")
            if known is not None:
                return known_error(np.array([int(known[1])]), self.table)
        if state in ("53100", "53200"):
            why = "disk or memory of the server is full, and nothing was stored. Make room, then repeat the call."
            return StoreFullError(self._refuse(doing, f"{why} ({text})"))
        is_lost = not state or state[:2] in ("08", "57", "53", "28", "3D")
        if isinstance(error, self._psycopg.OperationalError) and is_lost:
            stored = "whether the changes were stored is unknown: count them" if "store changes" in doing else ""
            stored = stored or "nothing of a change was stored"
            why = f"the server cannot be reached; {stored}. When it runs, repeat the call. ({text})"
            return StoreConnectionError(self._refuse(doing, why))
        hint = " Repeat the call." if state[:2] == "40" else ""
        return StoreError(self._refuse(doing, f"{text}{hint}"))


def _can_be_read(file: int) -> bool:
    """Check whether a socket has something to read; `select.select` would refuse numbers from 1024 on."""
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        return bool(selector.select(0))
