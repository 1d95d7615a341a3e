"""Codes in a collection of Milvus: transactions, rows, conditions as text, and searches completed at ties."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.stores._base import known_error
from skhash.stores._errors import StoreError
from skhash.stores._hooks import Hits
from skhash.stores._milvus_client import MilvusConnection, Shared
from skhash.stores._store import CodeStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.stores._where import Condition

__all__ = ["MilvusTable", "field_of", "n_bytes_of"]

LIMIT = 16384  # the most neighbors that one search of Milvus returns
# All that milvus-lite understands; other control characters are written as they are.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
_IDS = 8192  # ids in one request
_BYTES = 2**25  # of texts in one request; a server accepts 64 MB


class MilvusTable(CodeStore):
    """The hooks that change and search a collection; those that open it are in `MilvusCodeStore`."""

    max_rows = 2**16

    _milvus: MilvusConnection

    @property
    def _shared(self) -> Shared:
        return Shared.of(self._milvus.place, self.table)

    @property
    def _state(self) -> str:
        return f"{self.table}_state"

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
        fields = ["next", "batch", "committed"]
        for _ in range(3):
            rows = self._milvus.call("query", self._state, filter="id == 0", output_fields=fields)
            if rows:
                return rows[0]["next"], rows[0]["batch"], rows[0]["committed"]
            # Seen once after two million additions: milvus-lite had lost a row from its memory that was in the file.
            self._milvus.lose(stop=True)
        raise StoreError(self._refuse("read", f"the row of collection {self._state!r} is missing."))

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
            if condition.values.dtype == object and any(set("\n\r") & set(text) for text in condition.values):
                raise ValueError(
                    f"where[{condition.column!r}] must have no line ends: Milvus cannot compare with them."
                )
            field = "id" if condition.column == "id" else field_of(condition.column)
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
        lists |= {field_of(name): values.tolist() for name, values in columns.items()}
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
        return np.ascontiguousarray(little[:, : n_bytes_of(self._schema.bits)])

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
        n_bytes = n_bytes_of(self._schema.bits)
        codes = np.frombuffer(b"".join(row["code"] for row in rows), np.uint8)
        words[:, :n_bytes] = codes.reshape(len(rows), n_bytes)
        dtypes: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}
        columns = {
            name: np.fromiter((row[field_of(name)] for row in rows), dtypes[kind], len(rows))
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
    """The changes of a transaction so far: the number of its batch, the next id, and the rows as they were."""

    def __init__(self) -> None:
        self.batch: int | None = None
        self.following = 0
        self.undo: list[list[dict[str, Any]]] = []

    def tell_lost(self, table: str) -> None:
        """Warn if something cannot be undone."""
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


def field_of(column: str) -> str:
    """Return the field of a column: Milvus reserves words such as "in", with more in each version."""
    return f"meta_{column}"


def n_bytes_of(bits: int) -> int:
    return -(-bits // 8)


def _literal(value: Any) -> str:
    """Return a checked value as text: milvus-lite has no parameters for expressions."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else repr(value)
