"""Searches of `EmbeddingIndex`: estimates from all records, then distances of the best from copies of the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from sklearn.utils import check_scalar

from skhash.index.collection._labels import vote
from skhash.index.embedding._learning import read_finite
from skhash.index.embedding._state import _EmbeddingState
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import check_missing, read_n_neighbors
from skhash.index.scan._scores import nearest_by_score
from skhash.utils import available_if

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import SamplesLike

__all__ = ["EmbeddingPlan", "SearchMixin"]

_QUERIES = 512  # at once, as many as are projected at once


@dataclass(frozen=True)
class EmbeddingPlan:
    """Description of a search, and of how far its answers can be relied on; see `EmbeddingIndex.explain`.

    Parameters
    ----------
    n_vectors : int
        Number of vectors, whose distances are all estimated.
    n_candidates : int
        How many of the best estimates are compared again; 0 without `rescore`.
    bytes_per_vector : int
        Bytes of a record.
    query_bits : int
        Bits per element of a query.
    distances : str
        What the returned distances are.
    neighbors : str
        What the returned neighbors are.
    """

    n_vectors: int
    n_candidates: int
    bytes_per_vector: int
    query_bits: int
    distances: str
    neighbors: str


def _has_labels(index: Any) -> bool:
    """Return True before `fit` (so that `predict` raises NotFittedError) and after a `fit` with labels."""
    if "_stored" in vars(index) and index._collection.labels is None:
        raise AttributeError("EmbeddingIndex was fitted without labels, so it cannot predict; use fit(X, y).")
    return True


class SearchMixin(_EmbeddingState):
    """The methods of `EmbeddingIndex` that search."""

    @overload
    def kneighbors(
        self,
        X: SamplesLike | None = None,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
    @overload
    def kneighbors(
        self,
        X: SamplesLike | None = None,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    @on_snapshot
    def kneighbors(
        self,
        X: SamplesLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]:
        """Find the nearest vectors of each query.

        Without `rescore` neighbors and distances are estimates. With it the `oversampling * n_neighbors` vectors of the
        best estimates are compared with the query again, so that the distances are those of the copies, and the
        neighbors are the nearest of these candidates. `explain` says it for this index.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), default=None
            Queries. None means the indexed vectors, each of which is then not its own neighbor; this needs `rescore`.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The vectors among which to search: a mask in the order of `ids_`, or the ids themselves. Bools are always a
            mask, anything else ids.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer vectors than `n_neighbors`: raise an error, or return those that there are,
            followed by the id -1 at the distance NaN.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            "cosine": 1 minus the cosine similarity, which is 0 with a vector of zeros. "euclidean": the distance.
            "inner_product": minus the inner product. Without `rescore` these are estimates, good for ranking: with
            few bytes the distance of a vector and itself is far from 0. Only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, row).

        Raises
        ------
        ValueError
            If there are fewer vectors than `n_neighbors` and `missing` is "raise", or if `X` has another number of
            features or values that are not finite.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> X = np.random.default_rng(0).normal(size=(1000, 128))
        >>> index = EmbeddingIndex(n_neighbors=3, rescore="float32", random_state=0).fit(X)
        >>> distances, ids = index.kneighbors(X[:1])
        >>> int(ids[0, 0]), round(float(distances[0, 0]), 6)
        (0, 0.0)
        """
        check_missing(missing)
        distances, rows = self._nearest(X, n_neighbors, where, pad=missing == "pad")
        collection = self._collection
        ids = collection.ids_of_padded(rows) if missing == "pad" else collection.ids_of(rows)
        return (distances, ids) if return_distance else ids

    @on_snapshot
    def explain(self, n_neighbors: int | None = None) -> EmbeddingPlan:
        """Describe a search, and which of its results are estimates.

        Parameters
        ----------
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.

        Returns
        -------
        plan : EmbeddingPlan
            Its numbers, and what its distances and neighbors are, in words.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> EmbeddingIndex(rescore="float32").fit(np.eye(64)).explain(2).n_candidates
        8
        """
        self._check_fitted()
        k, kind = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors), self._stored.copies.kind
        n_candidates = 0 if kind is None else min(self._n_candidates(k), self.n_samples_fit_)
        levels = len(self._stored.quantizer.layout.sizes)
        estimate = f"estimates from records of up to {levels} bits per axis"
        copies = f"exact for the {kind} copies of the vectors"
        return EmbeddingPlan(
            n_vectors=self.n_samples_fit_,
            n_candidates=n_candidates,
            bytes_per_vector=self.bytes_per_vector_,
            query_bits=self._n_planes(),
            distances=estimate if kind is None else copies,
            neighbors=estimate if kind is None else f"the nearest of the {n_candidates} best estimates",
        )

    @available_if(_has_labels)
    @on_snapshot
    def predict(self, X: SamplesLike | None) -> NDArray[Any]:
        """Predict labels by a vote of the `n_neighbors` nearest vectors (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features) or None
            Queries. None means the indexed vectors, which do not vote for themselves.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            The class that most of the neighbors have; of equally frequent classes, the one whose first neighbor comes
            first. For multi-hot labels a 0 / 1 matrix of uint8: all labels that at least half of the neighbors have.
        """
        self._check_fitted()
        labels = self._collection.labels
        assert labels is not None  # or the method would not be available
        k = max(1, min(self.n_neighbors, self.n_samples_fit_ - (X is None)))
        return vote(labels, self._nearest(X, k, None)[1]).decode()

    def _nearest(
        self, X: Any, n_neighbors: int | None, where: IdsLike | None, *, pad: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return distances and rows of the nearest vectors; NaN and -1 where `pad` and there are fewer."""
        self._check_fitted()
        queries = None if X is None else self._validate(X, reset=False)
        return self._nearest_to(queries, n_neighbors, where, pad=pad)

    def _nearest_to(
        self, queries: NDArray[Any] | None, n_neighbors: int | None, where: IdsLike | None, *, pad: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the same as `_nearest` for a matrix, whose values are not looked at yet."""
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        collection, own = self._collection, int(queries is None)
        allowed = collection.select(where)
        n_allowed = len(collection) if where is None or allowed is None else int(np.count_nonzero(allowed))
        if queries is None and self._stored.copies.kind is None:
            raise ValueError(
                "kneighbors without X searches for the indexed vectors, which are kept only with rescore='int8', "
                "'float16' or 'float32'; pass them as X."
            )
        n_queries = len(collection) if queries is None else len(queries)
        if k + own > n_allowed and not pad:
            passing = "" if where is None else f", of which where passes {n_allowed}"
            raise ValueError(
                f"Expected n_neighbors {'<' if own else '<='} n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}{passing}, n_samples = {n_queries}. "
                'missing="pad" returns those that there are.'
            )
        distances, rows = np.full((n_queries, k), np.nan), np.full((n_queries, k), -1)
        found = min(k + own, n_allowed)
        n_candidates = min(self._n_candidates(found), n_allowed) if collection.vectors is not None else found
        live = collection.live_rows() if queries is None else None
        for start in range(0, n_queries, _QUERIES):
            part = slice(start, start + _QUERIES)
            if queries is None:
                assert collection.vectors is not None
                assert live is not None
                some = self._stored.copies.read(collection.vectors[live[part]])
            else:
                some = read_finite(queries[part])
            near, near_rows = self._search(some, found, n_candidates, allowed)
            if live is not None:
                near, near_rows = _drop(near, near_rows, live[part])
            width = min(k, near.shape[1])
            distances[part, :width], rows[part, :width] = near[:, :width], near_rows[:, :width]
        return distances, rows

    def _n_candidates(self, k: int) -> int:
        """Return how many of the best estimates are compared again."""
        check_scalar(self.oversampling, "oversampling", Real, min_val=1)
        return ceil(self.oversampling * k)

    def _search(
        self, queries: NDArray[np.float32], k: int, n_candidates: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return distances and rows of the k nearest vectors of a few queries, from so many candidates."""
        quantizer, collection = self._stored.quantizer, self._collection
        if k == 0 or len(queries) == 0:
            return np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
        scores = quantizer.prepare(queries, self._n_planes())
        found, rows = nearest_by_score(collection.codes, scores.queries, n_candidates, self.n_jobs, allowed=allowed)
        if collection.vectors is not None:
            return self._rescore(queries, rows, k)
        estimates = scores.bases[:, None] - scores.slopes[:, None] * found
        if quantizer.metric == "euclidean":
            return np.sqrt(np.maximum(-2 * estimates, 0.0)), rows
        return (1 - estimates if quantizer.metric == "cosine" else -estimates), rows

    def _rescore(
        self, queries: NDArray[np.float32], rows: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the nearest of some candidates, by their copies."""
        copies, metric, collection = self._stored.copies, self._stored.quantizer.metric, self._collection
        assert collection.vectors is not None
        rows = np.sort(rows, axis=1)  # candidates at one distance come in the order of rows
        distances = np.empty(rows.shape)
        for q, query in enumerate(queries):
            # Double precision, for squares of large numbers; no matrix product, whose rounding depends on its size.
            vectors = copies.read(collection.vectors[rows[q]])
            if metric == "euclidean":
                distances[q] = np.sqrt(np.square(np.subtract(vectors, query, dtype=np.float64)).sum(axis=1))
            else:
                distances[q] = -np.multiply(vectors, query, dtype=np.float64).sum(axis=1)
            if metric == "cosine":
                lengths = _length(vectors) * _length(query[None])
                distances[q] = np.clip(1 + distances[q] / np.where(lengths > 0, lengths, 1), 0, 2)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _drop(
    distances: NDArray[np.float64], rows: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Close the gap that the row of each query leaves among its own neighbors; NaN and -1 fill the end."""
    is_own = rows == own[:, None]
    distances[is_own], rows[is_own] = np.nan, -1
    order = np.argsort(is_own, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _length(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the lengths of vectors."""
    return np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
