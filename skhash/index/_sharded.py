"""`ShardedHammingIndex`: one exact search over several indexes, in this process or on other machines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from sklearn.utils import check_scalar

from skhash.index._shard_search import ShardedAsymmetricMixin
from skhash.index._shard_work import agree, describe_ids, describe_labels, read_part, runner
from skhash.index.collection._labels import checked, vote
from skhash.index.hamming._hamming_index import HammingIndex
from skhash.index.hamming._state import check_missing, read_n_neighbors, split_by_query
from skhash.utils import Labels, available_if, read_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import CodesLike

__all__ = ["ShardedHammingIndex"]


def _has_labels(index: ShardedHammingIndex) -> bool:
    """Return True if the parts have labels, else raise AttributeError."""
    if not hasattr(index, "classes_"):
        raise AttributeError("The parts of this ShardedHammingIndex have no labels, so it cannot predict or score.")
    return True


class ShardedHammingIndex(ShardedAsymmetricMixin):
    """Exact search over several parts, with the results of one `HammingIndex` over their concatenation.

    Each part is searched separately, and the results are merged by (distance, part, row). User-defined ids are not
    compared between parts; counted ids continue from part to part. The parts are fitted already, so this is not a
    scikit-learn estimator; its methods are those of `HammingIndex`.

    Parameters
    ----------
    parts : list of path, HammingIndex or codes
        Folders of saved indexes (see `HammingIndex.save`), fitted indexes, or arrays of codes in a form of
        `skhash.codes` from which their length follows. All parts have one code length, and either all or no part has
        labels, and likewise user-defined ids. Queries are read as the first part reads them.
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`, and of voters in `predict`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    executor : int, "joblib", "dask" or distributed.Client, default=None
        How the parts are searched. None: one after the other. A number: in that many threads (-1: all processors).
        "joblib": with the backend and number of workers of the `joblib.parallel_config` around the call. A Dask client,
        or "dask" for the current one: on its cluster. Saved parts are sent to joblib's processes and to Dask's workers
        as paths, which must lead to the same folders everywhere, and stay open; other parts are sent as a whole, to
        Dask once and to joblib with every call.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of codes in all parts.
    bits_ : int
        Code length.
    classes_ : ndarray of shape (n_classes,)
        The classes of all parts, sorted; column numbers for multi-hot labels. Only with labels.

    See Also
    --------
    HammingIndex : One part.
    skhash.distributed.DistributedHammingIndex : Shards that live in the workers of a Dask cluster.

    Notes
    -----
    Parts are searched in their state when the ShardedHammingIndex was created. Other processes and machines refuse a
    saved part that changed before they opened it: create a new ShardedHammingIndex then.

    Examples
    --------
    >>> from skhash import HammingIndex, ShardedHammingIndex
    >>> parts = [HammingIndex().fit([[0, 0, 0], [1, 1, 1]]), HammingIndex().fit([[0, 1, 0], [0, 0, 0]])]
    >>> distances, ids = ShardedHammingIndex(parts, executor=2).kneighbors([[0, 0, 0]], 3)
    >>> distances
    array([[0, 0, 1]], dtype=int32)
    >>> ids
    array([[0, 3, 2]])
    """

    n_neighbors: int
    radius: int
    executor: Any
    n_samples_fit_: int
    bits_: int
    classes_: NDArray[Any]

    def __init__(self, parts: Sequence[Any], *, n_neighbors: int = 5, radius: int = 2, executor: Any = None) -> None:
        self.n_neighbors, self.radius, self.executor = n_neighbors, radius, executor
        if isinstance(parts, (str, os.PathLike, np.ndarray, HammingIndex)):
            raise TypeError(f"parts must be a list of paths, fitted indexes or arrays, got {type(parts).__name__}.")
        read = [read_part(part) for part in parts]
        if not read:
            raise ValueError("parts is empty, expected at least one part.")
        sent, indexes = zip(*read, strict=True)
        self._indexes: tuple[HammingIndex, ...] = indexes
        self.bits_ = agree("bits", [index.bits_ for index in self._indexes])
        agree("ids", [describe_ids(index._collection) for index in self._indexes])
        labels = agree("labels", [describe_labels(index.labels_) for index in self._indexes])
        if labels is not None:
            self.classes_ = np.unique(np.concatenate([index.classes_ for index in self._indexes]))
        self.n_samples_fit_ = sum(index.n_samples_fit_ for index in self._indexes)
        self._run = runner(executor, sent, self._indexes)

    def __len__(self) -> int:
        """Return the number of codes in all parts."""
        return self.n_samples_fit_

    def __repr__(self) -> str:
        return f"ShardedHammingIndex({len(self._indexes)} parts, {len(self)} codes of {self.bits_} bits)"

    @overload
    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]]: ...
    @overload
    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    @overload
    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]] | NDArray[Any]: ...
    def kneighbors(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]] | NDArray[Any]:
        """Find the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`: raise an error, or return those that there are,
            followed by the id -1 at the distance -1. Only the distance decides, for -1 may also be a user-defined id.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, part, row); without user-defined ids by (distance, id).

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors` and `missing` is "raise", or if `X` does not contain codes
            of this length.
        """
        check_missing(missing)
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        distances, ids = self._nearest(self._read_codes(X), k, missing)
        return (distances, ids) if return_distance else ids

    @overload
    def radius_neighbors(
        self,
        X: CodesLike,
        radius: int | None = None,
        return_distance: Literal[True] = True,
        *,
        max_neighbors: int | None = None,
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]]: ...
    @overload
    def radius_neighbors(
        self,
        X: CodesLike,
        radius: int | None = None,
        *,
        return_distance: Literal[False],
        max_neighbors: int | None = None,
    ) -> NDArray[np.object_]: ...
    @overload
    def radius_neighbors(
        self, X: CodesLike, radius: int | None = None, return_distance: bool = True, *, max_neighbors: int | None = None
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]: ...
    def radius_neighbors(
        self, X: CodesLike, radius: int | None = None, return_distance: bool = True, *, max_neighbors: int | None = None
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]:
        """Find all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        radius : int, default=None
            Largest distance of a neighbor; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        max_neighbors : int, default=None
            Largest number of neighbors of a query, the nearest ones, as by `HammingIndex.radius_neighbors`: a query
            with exactly so many may have more within the radius. None means all. Each part finds so many.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An array of int64 or object per query: ids of the neighbors, ordered as by `kneighbors`.
        """
        radius = self.radius if radius is None else radius
        check_scalar(radius, "radius", Integral, min_val=0)
        radius = int(radius)
        k = None if max_neighbors is None else read_n_neighbors(max_neighbors, "max_neighbors")
        found = self._search(self._read_codes(X), k=k, radius=radius)
        ids = split_by_query(found.ids, found.counts)
        return (split_by_query(found.distances, found.counts), ids) if return_distance else ids

    @available_if(_has_labels)
    def predict(self, X: CodesLike) -> NDArray[Any]:
        """Predict labels by a vote of the `n_neighbors` nearest codes (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            As from `HammingIndex.predict`.
        """
        if self.n_samples_fit_ == 0:
            raise ValueError("The parts must have at least one code to predict, got 0 codes.")
        queries, k = self._read_codes(X), min(int(self.n_neighbors), self.n_samples_fit_)
        labels = self._search(queries, k=k, with_labels=True).labels
        assert labels is not None  # or the method would not be available
        codes = labels if labels.ndim == 2 else np.searchsorted(self.classes_, labels)
        rows = np.arange(len(queries) * k).reshape(-1, k)
        return vote(Labels(codes, self.classes_), rows).decode()

    @available_if(_has_labels)
    def score(self, X: CodesLike, y: ArrayLike, **options: Any) -> float:
        """Compute the mean average precision of ranking the codes of all parts for each query.

        The executor is not used: the score is computed in this process, with all codes and labels in memory.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Labels of the queries.
        **options
            Keyword arguments of `skhash.metrics.mean_average_precision`, such as `R=1000`.

        Returns
        -------
        score : float
            From 0 to 1; without options mAP@all with the defaults of `mean_average_precision`.
        """
        from skhash.metrics import mean_average_precision  # here, because metrics import index

        codes = np.concatenate([index.codes_ for index in self._indexes])
        parts = [index.labels_ for index in self._indexes]
        labels = np.concatenate([checked(part).decode() for part in parts if part is not None])
        read_labels(labels).warn_of_unknown(y, stacklevel=3)
        return mean_average_precision(self._read_codes(X), codes, y, labels, bits=self.bits_, **options)
