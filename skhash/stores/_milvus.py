"""`MilvusCodeStore`: codes in collections of Milvus, in a file with its embedded server or on a real one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from skhash.stores._errors import StoreError, StoreMissingError
from skhash.stores._milvus_client import DROPPED, MilvusConnection
from skhash.stores._milvustable import MilvusTable, field_of, n_bytes_of
from skhash.stores._schema import Schema

__all__ = ["MilvusCodeStore"]


class MilvusCodeStore(MilvusTable):
    """Hash codes in a collection of Milvus, with ids and metadata (experimental).

    Milvus has no transactions, and its embedded server was seen to lose rows: the guide says what is promised.

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
            self._drop_old_state()
            for name, description, fields in (
                (self._state, "", dict.fromkeys(("next", "batch", "committed"), types["int"])),
                (self.table, schema.to_json(), {field_of(name): types[kind] for name, kind in schema.columns.items()}),
            ):
                collection = self._milvus.schema(description)
                collection.add_field("id", kinds.INT64, is_primary=True)
                bits = 8 * n_bytes_of(schema.bits) if name == self.table else 8
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

    def _drop_old_state(self) -> None:
        """Drop the collection of the state that a process has left which was killed here, but no other of its name."""
        if not self._milvus.call("has_collection", self._state):
            return
        fields = {field["name"] for field in self._milvus.call("describe_collection", self._state)["fields"]}
        if not {"next", "batch", "committed"} <= fields:
            raise StoreError(self._refuse("open", f"there is a collection {self._state!r} of others; choose a name."))
        self._milvus.call("drop_collection", self._state)

    def _destroy(self) -> None:
        with self._shared.writer:
            if not self._milvus.call("has_collection", self.table):
                raise StoreMissingError(self._refuse("drop", DROPPED))
            for name in (self.table, self._state):
                self._milvus.call("drop_collection", name)
            self._shared.committed = None
