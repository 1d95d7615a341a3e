"""`MilvusCodeStore`: codes in collections of Milvus, in a file with its embedded server or on a real one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skhash.stores._base import known_error
from skhash.stores._errors import StoreError, StoreMissingError
from skhash.stores._hooks import Hits
from skhash.stores._milvus_client import DROPPED, MilvusConnection, Shared
from skhash.stores._schema import Schema
from skhash.stores._store import CodeStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.stores._where import Condition

__all__ = ["MilvusCodeStore"]

LIMIT = 16384  # the most neighbors that one search of Milvus returns
# All that milvus-lite understands: control characters are written as they are.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
_IDS = 8192  # ids in one request
_BYTES = 2**25  # of texts in one request; a server accepts 64 MB


class MilvusCodeStore(CodeStore):
    """Hash codes in a collection of Milvus, with ids and metadata.

    All searches are exact: the index is BIN_FLAT, which compares all codes, and ties at the last neighbor, which Milvus
    decides in any way, are completed and decided by the id. A file is used by one process at a time, with any number of
    threads: Milvus runs an embedded server for it, which ends when the last store of the file is closed.

    Parameters
    ----------
    uri : str or path-like
        A file whose name ends with ".db", which is created if it does not exist, or the address of a server, such as
        "http://localhost:19530".
    bits : int, default=None
        Code length. Needed to create the table; if the table exists, it is only checked. Codes are padded to whole
        bytes.
    token : str, default=None
        The token of a server, or "user:password".
    database : str, default=""
        The database of a server; the default one if it is empty.
    table : str, default="codes"
        Name of the collection: lower case letters, digits and underscores. A second one, with "_state" after the name,
        holds a single row: the next id, and which batch of codes was stored completely.
    columns : dict of str to type, default=None
        Columns of metadata and their types: int (64 bits), float, str (at most 65,535 bytes) or bool. If the table
        exists, None means its columns, and others are an error.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: "big" for those of `np.packbits`.
    verbose : bool, default=False
        Whether to show the progress of `add`.

    See Also
    --------
    DuckDBCodeStore : A file, which is smaller and is loaded faster.
    skhash.HammingIndex : The same searches in memory, faster.

    Notes
    -----
    Milvus has no transactions, so that this store promises less than the others:

    - `add` happens as a whole: its codes have the number of a batch, and no search sees them before the batch is
      complete. Codes of a process that was killed in the middle are never seen, and the next `add` removes them.
    - `remove` and `update` are seen at once, in parts of 65,536 codes. If there is an error, in one of them or later in
      the transaction, what was done is undone, from memory: not if the process is killed or the connection is lost.
    - Writers of one process take turns. For a server, only one process may write at a time, because Milvus cannot
      count ids or check that they are new for several of them. Any number may read.

    Examples
    --------
    >>> import tempfile
    >>> from skhash.stores import MilvusCodeStore
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = MilvusCodeStore(f"{folder.name}/codes.db", bits=3, columns={"kind": str})  # doctest: +SKIP
    >>> store.add([[0, 0, 0], [0, 1, 1], [1, 1, 1]], metadata={"kind": ["cat", "dog", "dog"]})  # doctest: +SKIP
    array([0, 1, 2])
    >>> store.kneighbors([[0, 1, 0]], 2)  # doctest: +SKIP
    (array([[1, 1]], dtype=int32), array([[0, 1]]))
    >>> store.close()  # doctest: +SKIP
    >>> folder.cleanup()
    """

    max_rows = 2**16

    def __init__(
        self,
        uri: str | os.PathLike[str],
        bits: int | None = None,
        *,
        token: str | None = None,
        database: str = "",
        table: str = "codes",
        columns: Mapping[str, Any] | None = None,
        n_neighbors: int = 5,
        radius: int = 2,
        bitorder: Literal["little", "big"] = "little",
        verbose: bool = False,
    ) -> None:
        self._milvus = MilvusConnection(uri, token, database)
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
        return self._milvus.describe()

    def _disconnect(self) -> None:
        self._milvus.close()

    def _translate(self, error: Exception, doing: str) -> Exception | None:
        return self._milvus.translate(error, lambda why: self._refuse(doing, why))

    @property
    def _shared(self) -> Shared:
        return Shared.of(self._milvus.place, self.table)

    @property
    def _state(self) -> str:
        return f"{self.table}_state"

    def _load(self) -> Schema | None:
        if not self._milvus.call("has_collection", self.table):
            return None
        self._shared.committed = None  # another process may have written since the last store was closed
        schema = Schema.from_json(self._milvus.call("describe_collection", self.table)["description"])
        if schema is None:
            raise StoreError(f"Table {self.table!r} in {self._describe()} is not one of a store; choose another name.")
        for name in (self.table, self._state):
            self._milvus.call("load_collection", name)
        return schema

    def _create(self, schema: Schema) -> None:
        kinds = self._milvus.types
        types: dict[str, dict[str, Any]] = {
            "int": {"datatype": kinds.INT64},
            "float": {"datatype": kinds.DOUBLE},
            "str": {"datatype": kinds.VARCHAR, "max_length": 65535},
            "bool": {"datatype": kinds.BOOL},
        }
        with self._shared.writer:
            if self._milvus.call("has_collection", self.table):
                return
            self._milvus.call("drop_collection", self._state)  # left by a process that was killed here
            for name, description, fields in (
                (self._state, "", dict.fromkeys(("next", "batch", "committed"), types["int"])),
                (self.table, schema.to_json(), {_field(name): types[kind] for name, kind in schema.columns.items()}),
            ):
                collection = self._milvus.schema(description)
                collection.add_field("id", kinds.INT64, is_primary=True)
                bits = 8 * _n_bytes(schema.bits) if name == self.table else 8
                collection.add_field("code", kinds.BINARY_VECTOR, dim=bits)
                if name == self.table:
                    collection.add_field("_batch", kinds.INT64)
                for field, type_ in fields.items():
                    collection.add_field(field, **type_)
                self._milvus.call(
                    "create_collection",
                    name,
                    schema=collection,
                    index_params=self._milvus.index("code"),
                    consistency_level="Strong",
                )
                if name == self._state:
                    self._write_state(0, 0, 0)

    def _destroy(self) -> None:
        with self._shared.writer:
            if not self._milvus.call("has_collection", self.table):
                raise StoreMissingError(self._refuse("drop", DROPPED))
            for name in (self.table, self._state):
                self._milvus.call("drop_collection", name)
            self._shared.committed = None

    # A transaction: one batch of new codes, and what undoes the other changes. The row of the state begins a batch and,
    # written again, commits it; rows of later batches than the committed one are seen by nobody else.

    def _begin(self) -> None:
        self._shared.writer.acquire()
        self._local.change = _Change()

    def _commit(self) -> None:
        change = self._local.change
        if change.batch is not None:
            self._write_state(change.following, change.batch, change.batch)
            self._shared.committed = change.batch
        self._end()

    def _rollback(self) -> None:
        change = getattr(self._local, "change", None)
        if change is None:  # a commit has failed after it ended
            return
        try:
            for rows in reversed(change.undo):
                self._milvus.write("upsert", self.table, rows)
            if change.batch is not None:
                self._delete_unfinished(change.batch)
        except Exception as error:
            # New codes are never seen, and the next `add` removes them. Nothing can bring back what else was changed.
            if self._translate(error, "undo a change of") is None:
                raise
            change.tell_lost(self.table)
        finally:
            self._end()

    def _end(self) -> None:
        self._local.change = None
        self._shared.writer.release()

    def _read_state(self) -> tuple[int, int, int]:
        (row,) = self._milvus.call("query", self._state, filter="id == 0", output_fields=["next", "batch", "committed"])
        return row["next"], row["batch"], row["committed"]

    def _write_state(self, following: int, batch: int, committed: int) -> None:
        row = {"id": 0, "code": b"\0", "next": following, "batch": batch, "committed": committed}
        self._milvus.write("upsert", self._state, [row])

    def _reserve(self, n: int, least: int | None = None) -> int:
        change = self._local.change
        following, batch, committed = self._read_state()
        if change.batch is None:
            if batch != committed:  # a process was killed, or lost the server
                self._delete_unfinished(committed + 1)
            change.batch = batch + 1
        first = max(following, 0 if least is None else min(least, 2**63 - 1))
        change.following = first + n
        self._write_state(change.following, change.batch, committed)
        self._shared.committed = committed
        return first

    def _delete_unfinished(self, batch: int) -> None:
        """Delete codes of batches that were not committed, from this one on."""
        text = f"_batch >= {batch}"
        while rows := self._milvus.call("query", self.table, filter=text, output_fields=["id"], limit=LIMIT - 1):
            self._milvus.write("delete", self.table, [row["id"] for row in rows])

    def _seen(self) -> str:
        """Return the condition for rows that this thread may see."""
        change = getattr(self._local, "change", None)
        if change is not None and change.batch is not None:
            return f"_batch <= {change.batch}"
        committed = self._shared.committed
        if committed is None or not self._milvus.is_file:  # another process may write
            committed = self._shared.committed = self._read_state()[2]
        return f"_batch <= {committed}"

    def _conditions(self, where: tuple[Condition, ...]) -> str:
        texts = [self._seen()]
        for condition in where:
            if condition.values.dtype.kind == "f" and not np.isfinite(condition.values).all():
                raise ValueError(f"where[{condition.column!r}] must be finite: Milvus cannot compare with infinity.")
            field = "id" if condition.column == "id" else _field(condition.column)
            if condition.op not in ("in", "not in"):
                texts.append(f"{field} {condition.op} {_literal(condition.value)}")
            elif len(condition.values):
                texts.append(f"{field} {condition.op} {_literal(condition.values.tolist())}")
            elif condition.op == "in":
                texts.append("id < 0 and id > 0")  # never
        return " and ".join(texts)

    def _rows(
        self,
        ids: NDArray[np.int64],
        words: NDArray[np.uint64],
        columns: dict[str, NDArray[Any]],
        batches: NDArray[np.int64],
    ) -> list[list[dict[str, Any]]]:
        """Return rows as Milvus wants them, in lists that are small enough for one request."""
        lists = {"id": ids.tolist(), "code": list(map(bytes, self._bytes(words))), "_batch": batches.tolist()}
        lists |= {_field(name): values.tolist() for name, values in columns.items()}
        size = 0
        for name, kind in self._schema.columns.items():
            lengths = [len(text.encode()) for text in columns[name]] if kind == "str" else [0]
            if max(lengths) > 65535:
                raise ValueError(f"metadata[{name!r}]: Milvus holds texts of 65,535 bytes, got one of {max(lengths)}.")
            size += sum(lengths)
        rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
        n = -(-len(rows) * _BYTES // max(size, _BYTES)) if size > _BYTES else len(rows)
        return [rows[start : start + n] for start in range(0, len(rows), n)]

    def _bytes(self, words: NDArray[np.uint64]) -> NDArray[np.uint8]:
        little = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
        return np.ascontiguousarray(little[:, : _n_bytes(self._schema.bits)])

    def _insert(
        self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]], counted: bool
    ) -> None:
        if not counted:
            known, _, _ = self._fetch(ids, what=False)
            if len(known):
                raise known_error(known, self.table)
        batches = np.full(len(ids), self._local.change.batch)
        for rows in self._rows(ids, words, columns, batches):
            self._milvus.write("insert", self.table, rows)

    def _delete(self, ids: NDArray[np.int64]) -> int:
        old = self._remember(ids)
        self._milvus.write("delete", self.table, ids.tolist())
        return old

    def _replace(self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]]) -> None:
        self._remember(ids)
        old = {row["id"]: row["_batch"] for rows in self._local.change.undo[-1:] for row in rows}
        batches = np.array([old[one] for one in ids.tolist()])
        for rows in self._rows(ids, words, columns, batches):
            self._milvus.write("upsert", self.table, rows)

    def _remember(self, ids: NDArray[np.int64]) -> int:
        """Note codes that are about to be changed, so that the change can be undone."""
        rows = self._query(ids, ["*"])
        if rows:
            self._local.change.undo.append(rows)
        return len(rows)

    def _query(self, ids: NDArray[np.int64], fields: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _IDS):
            some = ids[start : start + _IDS].tolist()
            text = f"{self._seen()} and id in {some}"
            for row in self._milvus.call("query", self.table, filter=text, output_fields=fields, limit=len(some)):
                row = dict(row)
                if isinstance(row.get("code"), list):
                    (row["code"],) = row["code"]
                found.append(row)
        return found

    def _fetch(
        self, ids: NDArray[np.int64], what: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], dict[str, NDArray[Any]]]:
        rows = self._query(ids, ["*"] if what else ["id"])
        found = np.array([row["id"] for row in rows], dtype=np.int64)
        words = np.zeros((len(rows), 8 * self._schema.n_words if what else 0), np.uint8)
        if not what:
            return found, words.view(np.uint64), {}
        n_bytes = _n_bytes(self._schema.bits)
        codes = np.frombuffer(b"".join(row["code"] for row in rows), np.uint8)
        words[:, :n_bytes] = codes.reshape(len(rows), n_bytes)
        dtypes: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}
        columns = {
            name: np.fromiter((row[_field(name)] for row in rows), dtypes[kind], len(rows))
            for name, kind in self._schema.columns.items()
        }
        return found, words.view("<u8").astype(np.uint64), columns

    def _count(self, where: tuple[Condition, ...]) -> int:
        text = self._conditions(where)
        return self._milvus.call("query", self.table, filter=text, output_fields=["count(*)"])[0]["count(*)"]

    def _nearest(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        # A few more than k neighbors: mostly there are some beyond the ties, and nothing is left to be done.
        condition, limit = self._conditions(where), min(k + k // 2 + 16, LIMIT)
        hits = self._search(words, limit, condition)
        counts = np.bincount(hits.query, minlength=len(words))
        radii = np.zeros(len(words), np.int32)  # the distance of the k-th neighbor
        starts = counts.cumsum() - counts
        some = np.flatnonzero(counts == limit)
        radii[some] = hits.distance[starts[some] + min(k, limit) - 1]
        some = some[(radii[some] == hits.distance[starts[some] + limit - 1]) | (k > limit)]
        while len(some):
            more = self._all_within(words[some], radii[some], condition)
            rest = ~np.isin(hits.query, some)
            more = more._replace(query=some[more.query])
            hits = _join([Hits(hits.query[rest], hits.distance[rest], hits.id[rest]), more])
            counts = np.bincount(hits.query, minlength=len(words))
            some = some[(counts[some] < k) & (radii[some] < self._schema.bits)]
            radii[some] += max(1, self._schema.bits // 64)
        return hits

    def _within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]) -> Hits:
        return self._all_within(words, radii, self._conditions(where))

    def _all_within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], condition: str) -> Hits:
        parts = []
        for radius in np.unique(radii).tolist():  # one for all queries of a request
            queries = np.flatnonzero(radii == radius)
            hits = self._search(words[queries], LIMIT, condition, radius)
            counts = np.bincount(hits.query, minlength=len(queries))
            full = np.flatnonzero(counts == LIMIT)
            kept = ~np.isin(hits.query, full)
            parts.append(Hits(queries[hits.query[kept]], hits.distance[kept], hits.id[kept]))
            for query in full:  # there may be more: search on both sides of an id in the middle
                middle = int(np.median(hits.id[hits.query == query]))
                for side in (f"id <= {middle}", f"id > {middle}"):
                    one = queries[query : query + 1]
                    found = self._all_within(words[one], radii[one], f"{condition} and {side}")
                    parts.append(found._replace(query=one[found.query]))
        return _join(parts)

    def _search(self, words: NDArray[np.uint64], limit: int, condition: str, radius: int | None = None) -> Hits:
        """Search all queries by one request; hits are in the order of the queries and the distances."""
        parameters: dict[str, Any] = {"metric_type": "HAMMING"}
        if radius is not None:
            parameters["params"] = {"radius": radius + 1, "range_filter": 0}  # from 0, less than the radius
        data = list(map(bytes, self._bytes(words)))
        found = self._milvus.call(
            "search", self.table, data=data, limit=limit, filter=condition, search_params=parameters
        )
        counts = [len(hits) for hits in found]
        ids = np.concatenate([np.array(hits.ids, np.int64) for hits in found])
        distances = np.concatenate([np.array(hits.distances, np.float64) for hits in found])
        query = np.repeat(np.arange(len(words)), counts).astype(np.int64)
        return Hits(query, np.rint(distances).astype(np.int32), ids)


class _Change:
    """What a transaction has done so far: the number of its batch, the next id, and the rows as they were."""

    def __init__(self) -> None:
        self.batch: int | None = None
        self.following = 0
        self.undo: list[list[dict[str, Any]]] = []

    def tell_lost(self, table: str) -> None:
        """Warn if something cannot be undone."""
        import warnings

        n = sum(map(len, self.undo))
        if n:
            warnings.warn(
                f"The connection was lost before {n} removed or updated codes of table {table!r} could be restored.",
                RuntimeWarning,
            )


def _join(parts: list[Hits]) -> Hits:
    """Return the hits of all parts."""
    columns: Any = zip(*parts, strict=True)
    return Hits(*map(np.concatenate, columns))


def _field(column: str) -> str:
    """Return the field of a column: Milvus reserves words such as "in", with more in each version."""
    return f"meta_{column}"


def _n_bytes(bits: int) -> int:
    return -(-bits // 8)


def _literal(value: Any) -> str:
    """Return a checked value as text: milvus-lite has no parameters for expressions."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else repr(value)
