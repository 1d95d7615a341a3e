"""`DistributedHammingIndex`: one exact search over shards that live in the workers of a Dask cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import check_scalar

from skhash.distributed._build import MANIFEST, header_crc32, saved_parts
from skhash.distributed._changes import ChangesMixin
from skhash.distributed._merge import merge
from skhash.distributed._shard import Part, Request
from skhash.index import HammingIndex
from skhash.utils import check_option, import_optional

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import CodesLike

__all__ = ["DistributedHammingIndex"]


class DistributedHammingIndex(ChangesMixin):
    """Exact search over saved parts that the workers of a Dask cluster keep open, each by several of them.

    The results are those of one `HammingIndex` of all codes. Each shard is an actor of Dask, on `replicas` workers. A
    query goes to one of them. If its worker is lost, the query goes to another one or waits until another worker has
    opened the shard: no call fails while a worker is left. Workers that join take their share.

    Parameters
    ----------
    parts : path or list of path
        A folder that `build_index` has written, or folders of saved indexes (see `HammingIndex.save`). All workers and
        this process must reach them by these paths.
    client : distributed.Client, default=None
        The client of the cluster; None means the current one.
    replicas : int, default=1
        Number of workers that keep each shard open; fewer if there are fewer workers. With two or more a lost worker
        costs a few hundredths of a second, with one the time to open the shard elsewhere.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    hedge : float, default=5.0
        Seconds after which a request without an answer is sent to another replica, too.
    timeout : float, default=120.0
        Seconds after which a call raises TimeoutError if a shard does not answer, or no worker can open it.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of codes.
    bits_ : int
        Code length.
    placement_ : dict of str to list of int
        Numbers of the shards that each worker holds.
    n_lost_ : int
        Number of replicas that were lost with their workers.

    See Also
    --------
    ShardedHammingIndex : Parts that do not change, searched by threads, processes or tasks of Dask.
    build_index : Parts from Dask arrays.

    Notes
    -----
    Added codes are in the memory of the workers, and in that of this process, which sends them to a worker that opens a
    shard anew. `save` writes them. There must be one DistributedHammingIndex that changes its codes; others are
    unaffected by its changes. A search in another thread during a change sees each shard before the change or after it.
    Several threads may search and change.

    Each worker searches with one thread, unless the saved indexes have the parameter `n_jobs`; start a worker for each
    core. Labels of the parts are not used.

    Examples
    --------
    >>> import tempfile
    >>> import dask.array as da
    >>> import numpy as np
    >>> from distributed import Client
    >>> from skhash.distributed import DistributedHammingIndex, build_index
    >>> codes = np.random.default_rng(0).integers(0, 2, (1000, 64), np.uint8)
    >>> folder = tempfile.mkdtemp()
    >>> parts = build_index(folder, da.from_array(codes, chunks=(250, 64)))
    >>> with Client("tcp://scheduler:8786") as client:  # doctest: +SKIP
    ...     index = DistributedHammingIndex(folder, client=client, replicas=2)
    ...     distances, ids = index.kneighbors(codes[[700]], 1)
    """

    n_neighbors: int
    radius: int

    def __init__(
        self,
        parts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        client: Any = None,
        replicas: int = 1,
        n_neighbors: int = 5,
        radius: int = 2,
        hedge: float = 5.0,
        timeout: float = 120.0,
    ) -> None:
        check_scalar(replicas, "replicas", Integral, min_val=1)
        for name, seconds in (("hedge", hedge), ("timeout", timeout)):
            check_scalar(seconds, name, Real, min_val=0, include_boundaries="neither")
        self.n_neighbors, self.radius = n_neighbors, radius
        read = _read_parts(parts)
        if client is None:
            client = import_optional("distributed", extra="dask", purpose="DistributedHammingIndex").get_client()
        self._start(client, read, int(replicas), hedge, timeout)

    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        where: Any = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> Any:
        """Find the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `HammingIndex.kneighbors`; a mask is in the order of `ids_`.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`, as in `HammingIndex.kneighbors`.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, id); user-defined ids in the order in which codes were added.

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors` and `missing` is "raise", or if `X` does not contain codes of
            this length.
        TimeoutError
            If a shard did not answer within `timeout`.
        """
        distances, ids = self._nearest("nearest", self._read_codes(X), n_neighbors, where, missing)
        return (distances, ids) if return_distance else ids

    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        query_bits: int = 4,
        where: Any = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> Any:
        """Find the nearest codes by asymmetric distance, in which each bit counts by how sure the query is of it.

        Parameters
        ----------
        X : array-like of float of shape (n_queries, bits)
            Continuous codes, what `decision_function` of a hasher returns.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        query_bits : int, default=4
            Bits to which each element of a query is rounded, 1 to 8.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`, as in `kneighbors`.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            As from `HammingIndex.kneighbors_asymmetric`; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered as by `kneighbors`.
        """
        check_scalar(query_bits, "query_bits", Integral, min_val=1, max_val=8)
        self._reader.kneighbors_asymmetric(X, 1, query_bits=query_bits)  # refuses what workers would refuse
        z = np.asarray(X)
        distances, ids = self._nearest("asymmetric", z, n_neighbors, where, missing, query_bits)
        return (distances, ids) if return_distance else ids

    def radius_neighbors(
        self,
        X: CodesLike,
        radius: int | None = None,
        return_distance: bool = True,
        *,
        where: Any = None,
        max_neighbors: int | None = None,
    ) -> Any:
        """Find all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        radius : int, default=None
            Largest distance of a neighbor; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.
        max_neighbors : int, default=None
            Largest number of neighbors of a query, the nearest ones; None means all.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An array of int64 or object per query: ids of the neighbors, ordered as by `kneighbors`.
        """
        radius = self.radius if radius is None else radius
        check_scalar(radius, "radius", Integral, min_val=0)
        if max_neighbors is not None:
            check_scalar(max_neighbors, "max_neighbors", Integral, min_val=1)
        request = Request("within", self._read_codes(X), max_neighbors, int(radius))
        with self._placement.lock:
            passed = self._read_where(where)[0]
        found = merge(self._ask(request, passed), max_neighbors)
        ids = _split(found.ids.astype(self._id_type, copy=False), found.counts)
        return (_split(found.distances, found.counts), ids) if return_distance else ids

    def _nearest(
        self, kind: str, queries: NDArray[Any], n_neighbors: Any, where: Any, missing: str, query_bits: Any = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return distances and ids of the nearest codes, -1 for both where there are fewer."""
        check_option("missing", missing, ("raise", "pad"))
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1)
        k, n_queries = int(k), len(queries)
        with self._placement.lock:
            passed, n_allowed = self._read_where(where)
        if k > n_allowed and missing == "raise":
            passing = "" if where is None else f", of which where passes {n_allowed}"
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, n_samples_fit = {self.n_samples_fit_}"
                f'{passing}, n_samples = {n_queries}. missing="pad" returns those that there are.'
            )
        kind_of_distance = np.int32 if kind == "nearest" else np.float64
        distances = np.full((n_queries, k), -1, kind_of_distance)
        ids = np.full((n_queries, k), -1, self._id_type)
        n_found = min(k, n_allowed)
        if n_found:
            found = merge(self._ask(Request(kind, queries, n_found, None, query_bits), passed), n_found)
            if (found.counts < n_found).any():  # another thread has removed codes that were counted on
                return self._nearest(kind, queries, n_neighbors, where, missing, query_bits)
            distances[:, :n_found] = found.distances.reshape(n_queries, n_found)
            ids[:, :n_found] = found.ids.reshape(n_queries, n_found)
        return distances, ids


def _read_parts(parts: Any) -> list[tuple[Part, HammingIndex]]:
    """Open the parts in this process, and describe their state."""
    if isinstance(parts, (str, os.PathLike)):
        parts = [parts] if not (Path(parts) / MANIFEST).exists() and _is_index(parts) else saved_parts(parts)
    paths: list[str] = []
    for part in parts:
        if not isinstance(part, (str, os.PathLike)):
            raise TypeError(f"parts must be paths of saved indexes, which workers open, got {type(part).__name__}.")
        paths.append(str(Path(part).absolute()))
    if not paths:
        raise ValueError("parts is empty, expected at least one part.")
    read: list[tuple[Part, HammingIndex]] = []
    first_id = 0
    for number, path in enumerate(paths):
        crc32, index = header_crc32(path), HammingIndex.open(path)
        next_id = json.loads((Path(path) / "header.json").read_bytes())["next_id"]
        part = Part(number, path, crc32, None if next_id is None else first_id, next_id or 0, len(index))
        first_id += part.n_counted
        for name, own, others in (
            ("bits", index.bits_, read[0][1].bits_ if read else index.bits_),
            ("ids", _kind_of_ids(part), _kind_of_ids(read[0][0] if read else part)),
        ):
            if own != others:
                raise ValueError(f"All parts must have the same {name}: part 0 has {others}, part {number} has {own}.")
        read.append((part, index))
    return read


def _is_index(path: Any) -> bool:
    """Check whether a folder is one saved index."""
    return (Path(path) / "header.json").exists()


def _kind_of_ids(part: Part) -> str:
    """Describe the ids of a part."""
    return "user-defined ids" if part.first_id is None else "counted ids"


def _split(values: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.object_]:
    """Split an array into one array per query, in an array of objects."""
    pieces, start = np.empty(len(counts), dtype=object), 0
    for query, end in enumerate(counts.cumsum().tolist()):
        pieces[query], start = values[start:end], end
    return pieces
