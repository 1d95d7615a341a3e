"""`ShardedEmbeddingIndex`: one search over several indexes of vectors, in this process or on other machines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from skhash.index._shard_work import agree, describe_ids, describe_labels, merge, read_part, runner
from skhash.index.collection._labels import vote
from skhash.index.embedding._embedding_index import EmbeddingIndex
from skhash.index.hamming._state import check_missing, read_n_neighbors
from skhash.utils import Labels, available_if

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index._shard_work import Found
    from skhash.utils import SamplesLike

__all__ = ["ShardedEmbeddingIndex"]


def _has_labels(index: ShardedEmbeddingIndex) -> bool:
    """Return True if the parts have labels, else raise AttributeError."""
    if not hasattr(index, "classes_"):
        raise AttributeError("The parts of this ShardedEmbeddingIndex have no labels, so it cannot predict.")
    return True


def find_vectors(index: EmbeddingIndex, queries: NDArray[Any], k: int) -> Found:
    """Find the `k` nearest vectors of each query, all if there are fewer, as `find_codes` finds codes."""
    n_found = min(k, index.n_samples_fit_)
    counts = np.full(len(queries), n_found)
    if n_found == 0:
        return counts, np.empty(0), np.empty(0, np.int64)
    distances, rows = index._nearest_to(queries, n_found, None)
    return counts, distances.ravel(), rows.ravel()


class ShardedEmbeddingIndex:
    """Search over several parts, each an `EmbeddingIndex` of its own.

    Each part is searched separately, and the results are merged by (distance, part, row). Parts that were fitted
    separately have learned other axes, and estimate independently of each other. Parts that share what they learned
    (see Notes) have the results of one index over all vectors, but for `rescore`, with which each part compares
    `oversampling * n_neighbors` candidates of its own again. User-defined ids are not compared between parts; counted
    ids continue from part to part. The parts are fitted already, so this is not a scikit-learn estimator.

    Parameters
    ----------
    parts : list of path or EmbeddingIndex
        Folders of saved indexes (see `EmbeddingIndex.save`), or fitted indexes. All parts have one metric, one number
        of features and one type of copies for `rescore`, and either all or no part has labels, and likewise
        user-defined ids. Queries are read as the first part reads them.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`, and of voters in `predict`.
    executor : int, "joblib", "dask" or distributed.Client, default=None
        How the parts are searched, as for `ShardedHammingIndex`. None: one after the other. A number: in that many
        threads. "joblib", "dask" or a Dask client: by these; saved parts are sent as paths.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of vectors in all parts.
    n_features_in_ : int
        Number of features.
    metric_ : {"cosine", "euclidean", "inner_product"}
        The distance.
    classes_ : ndarray of shape (n_classes,)
        The classes of all parts, sorted; column numbers for multi-hot labels. Only with labels.

    See Also
    --------
    EmbeddingIndex : One part.
    ShardedHammingIndex : The same for codes.

    Notes
    -----
    Two indexes share what they learned if they have one integer `random_state` and the same calls of
    `EmbeddingIndex.learn` before the first vectors are added, or the same `training` in `EmbeddingIndex.from_blocks`.

    Parts are searched in their state when the ShardedEmbeddingIndex was created. Other processes and machines refuse a
    saved part that changed before they opened it: create a new ShardedEmbeddingIndex then.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash import EmbeddingIndex, ShardedEmbeddingIndex
    >>> X = np.random.default_rng(0).normal(size=(2000, 64))
    >>> parts = [EmbeddingIndex(rescore="float16", random_state=0).fit(part) for part in np.split(X, 4)]
    >>> distances, ids = ShardedEmbeddingIndex(parts, executor=2).kneighbors(X[[5, 1500]], 3)
    >>> ids[:, 0]
    array([   5, 1500])
    """

    n_neighbors: int
    executor: Any
    n_samples_fit_: int
    n_features_in_: int
    metric_: str
    classes_: NDArray[Any]

    def __init__(self, parts: Sequence[Any], *, n_neighbors: int = 5, executor: Any = None) -> None:
        self.n_neighbors, self.executor = n_neighbors, executor
        if isinstance(parts, (str, os.PathLike, np.ndarray, EmbeddingIndex)):
            raise TypeError(f"parts must be a list of paths or fitted indexes, got {type(parts).__name__}.")
        for part in parts:
            if not isinstance(part, (str, os.PathLike, EmbeddingIndex)):
                raise TypeError(f"parts must be paths or fitted EmbeddingIndexes, got {type(part).__name__}.")
        read = [read_part(part, EmbeddingIndex, "embedding") for part in parts]
        if not read:
            raise ValueError("parts is empty, expected at least one part.")
        sent, indexes = zip(*read, strict=True)
        self._indexes: tuple[EmbeddingIndex, ...] = indexes
        self.metric_ = agree("metric", [index._stored.quantizer.metric for index in self._indexes])
        self.n_features_in_ = agree("number of features", [index.n_features_in_ for index in self._indexes])
        agree("rescore", [index._stored.copies.kind for index in self._indexes])
        agree("ids", [describe_ids(index._collection) for index in self._indexes])
        found = [index._collection.labels for index in self._indexes]
        if agree("labels", [describe_labels(labels) for labels in found]) is not None:
            self.classes_ = np.unique(np.concatenate([labels.classes for labels in found if labels is not None]))
        self.n_samples_fit_ = sum(index.n_samples_fit_ for index in self._indexes)
        self._run = runner(executor, sent, self._indexes, find_vectors)

    def __len__(self) -> int:
        """Return the number of vectors in all parts."""
        return self.n_samples_fit_

    def __repr__(self) -> str:
        return (
            f"ShardedEmbeddingIndex({len(self._indexes)} parts, {len(self)} vectors of {self.n_features_in_} features)"
        )

    @overload
    def kneighbors(
        self,
        X: SamplesLike,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]]: ...
    @overload
    def kneighbors(
        self,
        X: SamplesLike,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    def kneighbors(
        self,
        X: SamplesLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.float64], NDArray[Any]] | NDArray[Any]:
        """Find the nearest vectors of each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer vectors than `n_neighbors`: raise an error, or return those that there are,
            followed by the id -1 at the distance NaN.

        Returns
        -------
        distances : ndarray of float64 of shape (n_queries, n_neighbors)
            As from `EmbeddingIndex.kneighbors`; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, part, row).

        Raises
        ------
        ValueError
            If there are fewer vectors than `n_neighbors` and `missing` is "raise", or if `X` has another number of
            features or values that are not finite.
        """
        check_missing(missing)
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries = self._indexes[0]._validate(X, reset=False)
        n_found = min(k, self.n_samples_fit_)
        if n_found < k and missing == "raise":
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {len(queries)}. "
                'missing="pad" returns those that there are.'
            )
        found = merge(self._run(queries, False, n_found), n_found)
        distances, ids = np.full((len(queries), k), np.nan), np.full((len(queries), k), -1, found.ids.dtype)
        distances[:, :n_found] = found.distances.reshape(len(queries), n_found)
        ids[:, :n_found] = found.ids.reshape(len(queries), n_found)
        return (distances, ids) if return_distance else ids

    @available_if(_has_labels)
    def predict(self, X: SamplesLike) -> NDArray[Any]:
        """Predict labels by a vote of the `n_neighbors` nearest vectors (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            As from `EmbeddingIndex.predict`.
        """
        if self.n_samples_fit_ == 0:
            raise ValueError("The parts must have at least one vector to predict, got 0 vectors.")
        queries, k = self._indexes[0]._validate(X, reset=False), min(int(self.n_neighbors), self.n_samples_fit_)
        labels = merge(self._run(queries, True, k), k).labels
        assert labels is not None  # or the method would not be available
        codes = labels if labels.ndim == 2 else np.searchsorted(self.classes_, labels)
        rows = np.arange(len(queries) * k).reshape(-1, k)
        return vote(Labels(codes, self.classes_), rows).decode()
