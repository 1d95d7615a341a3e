"""Search in two stages by one call: candidates by their codes, and the order of these by their vectors."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np
from sklearn.utils import check_scalar

from skhash.index.hamming._asymmetric import AsymmetricMixin, read_query_bits
from skhash.index.hamming._rerank import RerankMixin, read_floats
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import check_missing, read_n_neighbors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.index.hamming._vectors import VectorsLike
    from skhash.utils import CodesLike

__all__ = ["TwoStageMixin"]


class TwoStageMixin(AsymmetricMixin, RerankMixin):
    """The method of `HammingIndex` that searches by codes and sorts by vectors."""

    @overload
    def kneighbors_reranked(
        self,
        X: CodesLike,
        queries: ArrayLike,
        vectors: VectorsLike,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        scoring: Literal["euclidean", "cosine"] = "euclidean",
        oversampling: float = 4,
        vector_ids: IdsLike | None = None,
        query_bits: int | None = None,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
    @overload
    def kneighbors_reranked(
        self,
        X: CodesLike,
        queries: ArrayLike,
        vectors: VectorsLike,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        scoring: Literal["euclidean", "cosine"] = "euclidean",
        oversampling: float = 4,
        vector_ids: IdsLike | None = None,
        query_bits: int | None = None,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    @overload
    def kneighbors_reranked(
        self,
        X: CodesLike,
        queries: ArrayLike,
        vectors: VectorsLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        scoring: Literal["euclidean", "cosine"] = "euclidean",
        oversampling: float = 4,
        vector_ids: IdsLike | None = None,
        query_bits: int | None = None,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]: ...
    @on_snapshot
    def kneighbors_reranked(
        self,
        X: CodesLike,
        queries: ArrayLike,
        vectors: VectorsLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        scoring: Literal["euclidean", "cosine"] = "euclidean",
        oversampling: float = 4,
        vector_ids: IdsLike | None = None,
        query_bits: int | None = None,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]:
        """Find the nearest vectors among the nearest codes: a search and `rerank` in one call.

        The distances are those of the vectors, and so is the order of what is found. A vector whose code is not among
        the nearest `oversampling * n_neighbors` ones is missed.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Codes of the queries, or their continuous codes if there are `query_bits`.
        queries : array-like of shape (n_queries, n_dims)
            Vectors of the queries.
        vectors : array-like of shape (n_vectors, n_dims), mapping or callable
            The vectors from which the indexed codes were computed, as in `rerank`: a matrix, which may be a memory map
            (only the rows of candidates are read), a mapping from ids to vectors, or a callable that returns a matrix
            for an array of ids.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        scoring : {"euclidean", "cosine"}, default="euclidean"
            Distance of the vectors, as in `rerank`.
        oversampling : float, default=4
            Number of candidates for each neighbor, at least 1. More of them miss fewer neighbors, and take time in
            proportion.
        vector_ids : array-like of shape (n_vectors,), default=None
            Ids of the rows of the matrix `vectors`, as in `rerank`; needed for user-defined ids.
        query_bits : int, default=None
            Find the candidates by `kneighbors_asymmetric` with so many bits: fewer candidates are enough then. None
            means by `kneighbors`.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`, as in `kneighbors`; the distance of padding is
            -1.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            Distances of the vectors, smallest first; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors. Those at equal distances are in the order of the distances of their codes.

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors` and `missing` is "raise", or if shapes do not fit.
        TypeError
            If `vectors` are not real numbers.

        See Also
        --------
        HammingIndex.rerank : The second stage alone, with more ways to score.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> vectors = [[1.0, 1.0], [3.0, 2.0], [1.0, -1.0]]
        >>> index = HammingIndex(binarize=0.0).fit(vectors)
        >>> index.kneighbors([[3.0, 3.0]], 1)
        (array([[0]], dtype=int32), array([[0]]))
        >>> index.kneighbors_reranked([[3.0, 3.0]], [[3.0, 3.0]], vectors, 1)
        (array([[1.]]), array([[1]]))
        """
        self._check_fitted()
        check_missing(missing)
        if scoring not in ("euclidean", "cosine"):
            raise ValueError(f"scoring must be 'euclidean' or 'cosine', got {scoring!r}; rerank takes others.")
        if getattr(vectors, "ndim", 2) == 3:
            raise ValueError("vectors must be a matrix, a mapping or a callable: the candidates are not known before.")
        check_scalar(oversampling, "oversampling", Real, min_val=1)
        if not np.isfinite(oversampling):
            raise ValueError(f"oversampling must be a finite number, got {oversampling}.")
        query_vectors = read_floats(queries, "queries")
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        n_candidates = max(k, int(min(np.ceil(float(oversampling) * k), len(self._collection))))
        if query_bits is None:
            found, rows = self._nearest_padded(X, n_candidates, where)
        else:
            z = self._read_continuous(cast("ArrayLike", X))
            found, rows = self._nearest_asymmetric(z, n_candidates, read_query_bits(query_bits), where, "pad")
        if len(query_vectors) != len(found):
            raise ValueError(
                f"queries must have a row for each of X: X has {len(found)}, queries has {len(query_vectors)}."
            )
        n_found = int((found[0] >= 0).sum())
        if n_found < k:
            self._request(k, len(found), where, self._collection.select(where), missing)
        distances, neighbors = np.full((len(found), k), -1.0), np.full((len(found), k), -1, np.int64)
        neighbors = self._collection.ids_of_padded(neighbors)
        if n_found:
            candidates = self._collection.ids_of(rows[:, :n_found])
            some = slice(min(k, n_found))
            distances[:, some], neighbors[:, some] = self.rerank(
                query_vectors,
                candidates,
                min(k, n_found),
                scoring=scoring,
                vectors=vectors,
                vector_ids=vector_ids,
            )
        return (distances, neighbors) if return_distance else neighbors
