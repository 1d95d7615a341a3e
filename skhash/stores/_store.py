"""`CodeStore`: the methods of an index, over an engine that keeps the codes."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import check_scalar

from skhash.stores._changes import ChangesMixin
from skhash.stores._hits import cut, split, with_ties
from skhash.stores._schema import read_ids
from skhash.stores._where import read_where
from skhash.utils import check_option

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.stores._where import Where
    from skhash.utils import CodesLike

__all__ = ["CodeStore"]


class CodeStore(ChangesMixin):
    """Hash codes in a table of a database, with ids and metadata: the interface that all backends share.

    Exact searches return what `HammingIndex` returns: neighbors ordered by (distance, id). Codes come in any form of
    `skhash.codes`, and ids are integers. A store may be used by several threads; each change is a transaction, which
    happens as a whole or not at all (`MilvusCodeStore` promises less).

    Parameters
    ----------
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
    verbose : bool, default=False
        Whether to show the progress of `add`.

    See Also
    --------
    DuckDBCodeStore : A file, which one process uses.
    PostgresCodeStore : A server, which many processes use.
    MilvusCodeStore : A file or a server of Milvus, with weaker promises.
    skhash.HammingIndex : The same searches in memory, faster.
    """

    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        where: Where | None = None,
        missing: Literal["raise", "pad"] = "raise",
        approximate: bool = False,
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
        where : dict, default=None
            Conditions on metadata, all of which must hold: `{"kind": "cat"}`, `{"kind": ["cat", "dog"]}` (any of
            these), `{"year": (">=", 2000)}`, `{"year": [(">=", 2000), ("<", 2010)]}`. Comparisons: "==", "!=", "<",
            "<=", ">", ">=", "in", "not in". The id is a column named "id". Texts compare by their code points.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`: raise an error, or return those that there are,
            followed by the id -1 at the distance -1.
        approximate : bool, default=False
            Whether an index of the engine may miss neighbors to be faster; see `recall`. Not all backends have one.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, id).

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors` and `missing` is "raise", or if `X` does not contain codes of
            this length.
        """
        check_option("missing", missing, ("raise", "pad"))
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        k = int(check_scalar(k, "n_neighbors", Integral, min_val=1))
        words, conditions = self._read_codes(X), read_where(where, self._schema.columns)
        distances, found = np.full((len(words), k), -1, np.int32), np.full((len(words), k), -1, np.int64)
        with self._calling("search"):
            for start in range(0, len(words), self.max_queries):
                queries = words[start : start + self.max_queries]
                hits = (self._nearest_approximate if approximate else self._nearest)(queries, k, conditions)
                if not (self.ties_by_id or approximate):
                    hits = with_ties(hits, queries, k, lambda some, radii: self._within(some, radii, conditions))
                rows = slice(start, start + len(queries))
                distances[rows], found[rows] = cut(hits, len(queries), k)
        if missing == "raise" and len(words) and (distances[:, -1] < 0).any():
            n = self.count(where)
            passing = f" in the store{'' if where is None else ' for which where holds'}"
            few = f"there are {n} codes{passing}" if n < k else f"the approximate search found fewer of the {n} codes"
            raise ValueError(
                f"Expected n_neighbors <= n_samples, but n_neighbors = {k} and {few}. "
                'missing="pad" returns those that were found.'
            )
        return (distances, found) if return_distance else found

    def radius_neighbors(
        self,
        X: CodesLike,
        radius: int | None = None,
        return_distance: bool = True,
        *,
        where: Where | None = None,
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
        where : dict, default=None
            Conditions on metadata, as in `kneighbors`.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An int64 array per query: ids of the neighbors, ordered by (distance, id).
        """
        radius = self.radius if radius is None else radius
        radius = min(int(check_scalar(radius, "radius", Integral, min_val=0)), self.bits)
        words, conditions = self._read_codes(X), read_where(where, self._schema.columns)
        distances, found = np.empty(len(words), dtype=object), np.empty(len(words), dtype=object)
        with self._calling("search"):
            for start in range(0, len(words), self.max_queries):
                queries = words[start : start + self.max_queries]
                hits = self._within(queries, np.full(len(queries), radius, np.int32), conditions)
                rows = slice(start, start + len(queries))
                distances[rows], found[rows] = split(hits, len(queries))
        return (distances, found) if return_distance else found

    def recall(self, X: CodesLike, n_neighbors: int | None = None, *, where: Where | None = None) -> float:
        """Measure how many of the nearest codes the approximate search finds, against the exact one of this store.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        where : dict, default=None
            Conditions on metadata, as in `kneighbors`.

        Returns
        -------
        recall : float
            Number of codes found that are no farther than the last of the exact neighbors, divided by the number of
            exact neighbors, over all queries. Codes at the same distance are equally good.
        """
        exact, _ = self.kneighbors(X, n_neighbors, where=where, missing="pad")
        found, _ = self.kneighbors(X, n_neighbors, where=where, missing="pad", approximate=True)
        good = (found >= 0) & (found <= exact.max(axis=1, keepdims=True))
        return float(good.sum() / max((exact >= 0).sum(), 1))

    def count(self, where: Where | None = None) -> int:
        """Count codes.

        Parameters
        ----------
        where : dict, default=None
            Conditions on metadata, as in `kneighbors`.

        Returns
        -------
        n : int
            Number of codes.
        """
        conditions = read_where(where, self._schema.columns)
        with self._calling("count codes in"):
            return int(self._count(conditions))

    def get(self, ids: ArrayLike) -> tuple[NDArray[np.uint64], dict[str, NDArray[Any]]]:
        """Return codes and metadata.

        Parameters
        ----------
        ids : array-like of int of shape (n,)
            Ids of codes in the store.

        Returns
        -------
        words : ndarray of uint64 of shape (n, ceil(bits / 64))
            The codes, packed.
        metadata : dict of str to ndarray of shape (n,)
            Values by column.

        Raises
        ------
        ValueError
            If an id is not in the store.
        """
        wanted = read_ids(ids, unique=False)
        with self._calling("read codes of"):
            return self._fetch_in_order(wanted)

    def __len__(self) -> int:
        """Return the number of codes."""
        return self.count()

    def __contains__(self, label: object) -> bool:
        """Check whether a code with this id is in the store."""
        if isinstance(label, bool) or not isinstance(label, Integral) or not -(2**63) <= int(label) < 2**63:
            return False
        with self._calling("read codes of"):
            return len(self._fetch(np.array([int(label)]), what=False)[0]) > 0
