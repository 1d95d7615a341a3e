"""Search by continuous queries, which know how sure they are of each bit."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
from sklearn.utils import check_scalar

from skhash.index.hamming._reading import read_continuous
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState, check_missing, read_n_neighbors
from skhash.index.scan._score_queries import nearest_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike

__all__ = ["AsymmetricMixin", "read_query_bits"]


class AsymmetricMixin(_IndexState):
    """The method of `HammingIndex` that searches by continuous codes."""

    @overload
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        query_bits: int = 4,
        where: IdsLike | None = None,
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
        where: IdsLike | None = None,
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
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]: ...
    @on_snapshot
    def kneighbors_asymmetric(
        self,
        X: ArrayLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        query_bits: int = 4,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]:
        """Find the nearest codes by asymmetric distance, in which each bit counts by how sure the query is of it.

        The distance of a code is the sum of `abs(z)` over the bits in which it differs from the signs of the query
        `z` [1]_: the Hamming distance if all elements are -1 or +1, and far fewer ties and a better order otherwise.
        Only the query is continuous; the codes are those of `kneighbors`.

        Parameters
        ----------
        X : array-like of float of shape (n_queries, bits)
            Continuous codes, what `decision_function` of a hasher returns: the signs are bits, and the absolute values
            say how sure they are. If the index has the parameter `binarize`, it is subtracted first.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        query_bits : int, default=4
            Bits to which each element of a query is rounded, 1 to 8. The time of a search grows with them, and more
            than 4 seldom change a result. With 1 all bits count the same: the result is that of `kneighbors`.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`, as in `kneighbors`; the distance of padding is
            -1.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            Asymmetric distances from the rounded queries; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, row).

        Raises
        ------
        ValueError
            If `X` does not contain continuous codes of this index's length, if `query_bits` is not from 1 to 8, or if
            there are fewer codes than `n_neighbors` and `missing` is "raise".

        See Also
        --------
        HammingIndex.kneighbors : The search by Hamming distance.
        HammingIndex.rerank : The same distance from the query as it is, for candidates only.

        Notes
        -----
        Each query is rounded to odd multiples of a step of its own, chosen by least squares. The order is exact for
        the rounded query. Its bits are `query_bits` planes, so that the distance is a weighted sum of as many Hamming
        distances [2]_: every code is compared, whatever the `algorithm`.

        References
        ----------
        .. [1] A. Gordo, F. Perronnin, Y. Gong, S. Lazebnik, "Asymmetric distances for binary embeddings", IEEE TPAMI
           36(1), 2014.
        .. [2] J. Gao, C. Long, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for
           approximate nearest neighbor search", SIGMOD 2024.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex().fit([[1, 1, 1], [1, 0, 1], [0, 1, 1]])
        >>> index.kneighbors([[0, 1, 0]], 2)
        (array([[1, 2]], dtype=int32), array([[2, 0]]))
        >>> distances, ids = index.kneighbors_asymmetric([[-0.25, 0.5, 2.0]], 3, query_bits=8)
        >>> ids
        array([[2, 0, 1]])
        >>> distances.round(1)
        array([[0. , 0.2, 0.7]])
        """
        self._check_fitted()
        check_missing(missing)
        n_planes = read_query_bits(query_bits)
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        distances, rows = self._nearest_asymmetric(self._read_continuous(X), k, n_planes, where, missing)
        collection = self._collection
        ids = collection.ids_of(rows) if missing == "raise" else collection.ids_of_padded(rows)
        return (distances, ids) if return_distance else ids

    def _nearest_asymmetric(
        self,
        z: NDArray[np.float64],
        k: int,
        n_planes: int,
        where: IdsLike | None = None,
        missing: str = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return distances and rows of the nearest codes, -1 for both where there are fewer."""
        collection = self._collection
        allowed = collection.select(where)
        n_found = self._request(k, len(z), where, allowed, missing).k
        distances, rows = np.full((len(z), k), -1.0), np.full((len(z), k), -1, np.int64)
        if n_found:
            found = nearest_codes(collection.codes, z, n_planes, n_found, self.n_jobs, allowed=allowed)
            distances[:, :n_found], rows[:, :n_found] = found
        return distances, rows

    def _read_continuous(self, X: ArrayLike) -> NDArray[np.float64]:
        """Read continuous codes; refuse bits as floats, of which all would be ones."""
        z = read_continuous(self, X)
        if not self.binarize and z[0, 0] in (0, 1) and z.min() == 0 and z.max() == 1 and ((z == 0) | (z == 1)).all():
            raise ValueError(
                "X contains only 0 and 1, which are bits and not continuous codes. Pass what decision_function of the "
                "hasher returns; kneighbors takes codes."
            )
        return z


def read_query_bits(query_bits: object) -> int:
    """Check a number of bits per element of a query."""
    check_scalar(query_bits, "query_bits", Integral, min_val=1, max_val=8)
    if isinstance(query_bits, bool):
        raise TypeError("query_bits must be an instance of int, not bool.")
    return int(cast("int", query_bits))
