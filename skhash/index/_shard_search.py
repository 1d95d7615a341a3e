"""The search that the methods of `ShardedHammingIndex` share, and its search by continuous queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from skhash.index._shard_work import merge
from skhash.index.hamming._asymmetric import read_query_bits
from skhash.index.hamming._state import check_missing, read_n_neighbors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.index._shard_work import Answer, Run
    from skhash.index.hamming._hamming_index import HammingIndex
    from skhash.utils import CodesLike

__all__ = ["ShardedAsymmetricMixin"]


class _ShardedSearch:
    """The search of all parts, the base class of `ShardedHammingIndex` and its mixin.

    Attributes
    ----------
    _indexes : tuple of HammingIndex
        The parts, as they are open in this process.
    _run : callable
        Searches all parts, see `runner`.
    """

    n_neighbors: int
    n_samples_fit_: int
    _indexes: tuple[HammingIndex, ...]
    _run: Run

    def _read_codes(self, X: CodesLike) -> NDArray[np.uint64]:
        """Read queries in any form as packed words."""
        return self._indexes[0]._read_codes(X, reset=False)

    def _nearest(
        self, queries: NDArray[Any], k: int, missing: str, query_bits: int | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return distances and ids of the nearest codes, -1 for both where there are fewer."""
        n_found = min(k, self.n_samples_fit_)
        if n_found < k and missing == "raise":
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {len(queries)}. "
                'missing="pad" returns those that there are.'
            )
        if n_found == 0:
            shape, number = (len(queries), k), np.int32 if query_bits is None else np.float64
            return np.full(shape, -1, number), np.full(shape, -1, self._indexes[0].ids_.dtype)
        found = self._search(queries, k=n_found, query_bits=query_bits)
        distances, ids = found.distances.reshape(-1, n_found), found.ids.reshape(-1, n_found)
        if n_found < k:
            fills = distances.dtype.type(-1), -1 if ids.dtype == object else np.int64(-1)
            distances, ids = (
                np.concatenate([array, np.full((len(queries), k - n_found), fill, array.dtype)], axis=1)
                for array, fill in zip((distances, ids), fills, strict=True)
            )
        return distances, ids

    def _search(
        self,
        queries: NDArray[Any],
        *,
        k: int | None = None,
        radius: int | None = None,
        with_labels: bool = False,
        query_bits: int | None = None,
    ) -> Answer:
        """Search all parts and merge their answers."""
        return merge(self._run(queries, with_labels, k, radius, query_bits), k)


class ShardedAsymmetricMixin(_ShardedSearch):
    """The method of `ShardedHammingIndex` that searches by continuous codes."""

    @overload
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        query_bits: int = 4,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
    @overload
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        query_bits: int = 4,
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    @overload
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        query_bits: int = 4,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]: ...
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        query_bits: int = 4,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]:
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
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`, as in `kneighbors`.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            Asymmetric distances, as from `HammingIndex.kneighbors_asymmetric`; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, part, row); without user-defined ids by (distance, id).

        See Also
        --------
        HammingIndex.kneighbors_asymmetric : The search of one part.
        """
        check_missing(missing)
        n_planes = read_query_bits(query_bits)
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        distances, ids = self._nearest(self._indexes[0]._read_continuous(X), k, missing, n_planes)
        return (distances, ids) if return_distance else ids
