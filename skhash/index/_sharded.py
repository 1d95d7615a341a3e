"""`ShardedHammingIndex`: one exact search over several indexes, here or on other machines."""

import os
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.metaestimators import available_if

from skhash.index._shard_work import merge, read_part, runner
from skhash.index.collection._labels import vote
from skhash.index.hamming._hamming_index import HammingIndex
from skhash.index.hamming._state import split_by_query
from skhash.utils import Labels

__all__ = ["ShardedHammingIndex"]


def _has_labels(index):
    """Hold if the parts have labels."""
    if not hasattr(index, "classes_"):
        raise AttributeError("The parts of this ShardedHammingIndex have no labels, so it cannot predict or score.")
    return True


class ShardedHammingIndex:
    """Exact search over several parts, with the answers of one `HammingIndex` over all of them in a row.

    Each part is searched on its own, and the answers are merged by (distance, part, row). Ids are the user's own, which
    are not compared between parts, or else count on from part to part. The parts are fitted already, so this is no
    scikit-learn estimator; its methods are those of `HammingIndex`.

    Parameters
    ----------
    parts : list of path, HammingIndex or codes
        Folders of saved indexes (see `HammingIndex.save`), fitted indexes, or arrays of codes in a form of
        `skhash.codes` that tells their length. All of one code length, and labels and own ids in all or in none.
        Queries are read as the first part reads them.
    n_neighbors : int, default=5
        Number of neighbours in `kneighbors`, and of voters in `predict`.
    radius : int, default=2
        Largest distance of a neighbour in `radius_neighbors`.
    executor : int, "joblib", "dask" or distributed.Client, default=None
        What searches the parts: None, one after the other; a number of threads (-1: all processors); joblib, by the
        backend and number of workers of the `joblib.parallel_config` around the call; a Dask client, or "dask" for the
        current one. Saved parts are sent to joblib's processes and to Dask's workers as paths, which must lead there to
        the same folders, and stay open there; other parts are sent whole, to Dask once and to joblib with every call.

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

    Notes
    -----
    Parts are searched as they were when the ShardedHammingIndex was made. Processes and machines refuse a saved part
    that has changed before they opened it: make a new ShardedHammingIndex then.

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

    def __init__(self, parts, *, n_neighbors=5, radius=2, executor=None):
        self.n_neighbors, self.radius, self.executor = n_neighbors, radius, executor
        if isinstance(parts, (str, os.PathLike, np.ndarray, HammingIndex)):
            raise TypeError(f"parts must be a list of paths, fitted indexes or arrays, got {type(parts).__name__}.")
        read = [read_part(part) for part in parts]
        if not read:
            raise ValueError("parts is empty; at least one is needed.")
        parts, self._indexes = zip(*read, strict=True)
        self.bits_ = _agree("bits", [index.bits_ for index in self._indexes])
        _agree("ids", ["own ids" if index._collection.next_id is None else "counted ids" for index in self._indexes])
        labels = _agree("labels", [_describe_labels(index.labels_) for index in self._indexes])
        if labels is not None:
            self.classes_ = np.unique(np.concatenate([index.classes_ for index in self._indexes]))
        self.n_samples_fit_ = sum(index.n_samples_fit_ for index in self._indexes)
        self._run = runner(executor, parts, self._indexes)

    def __len__(self):
        """Number of codes in all parts."""
        return self.n_samples_fit_

    def __repr__(self):
        return f"ShardedHammingIndex({len(self._indexes)} parts, {len(self)} codes of {self.bits_} bits)"

    def kneighbors(self, X, n_neighbors=None, return_distance=True):
        """Find the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        n_neighbors : int, default=None
            Number of neighbours; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to give the distances.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbours, ordered by (distance, part, row); without own ids, by (distance, id).

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors`, or if `X` holds no codes of this length.
        """
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1)
        k = int(k)
        queries = self._read_codes(X)
        if k > self.n_samples_fit_:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {len(queries)}."
            )
        found = self._search(queries, k=k)
        distances, ids = found.distances.reshape(-1, k), found.ids.reshape(-1, k)
        return (distances, ids) if return_distance else ids

    def radius_neighbors(self, X, radius=None, return_distance=True):
        """Find all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        radius : int, default=None
            Largest distance of a neighbour; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to give the distances.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An array of int64 or object per query: ids of the neighbours, ordered as by `kneighbors`.
        """
        radius = self.radius if radius is None else radius
        check_scalar(radius, "radius", Integral, min_val=0)
        radius = int(radius)
        found = self._search(self._read_codes(X), radius=radius)
        ids = split_by_query(found.ids, found.counts)
        return (split_by_query(found.distances, found.counts), ids) if return_distance else ids

    @available_if(_has_labels)
    def predict(self, X):
        """Predict labels by a vote of the `n_neighbors` nearest codes (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            As `HammingIndex.predict` gives.
        """
        if self.n_samples_fit_ == 0:
            raise ValueError("The parts hold no codes, so there are no neighbours to vote.")
        queries, k = self._read_codes(X), min(int(self.n_neighbors), self.n_samples_fit_)
        labels = self._search(queries, k=k, labelled=True).labels
        codes = labels if labels.ndim == 2 else np.searchsorted(self.classes_, labels)
        rows = np.arange(len(queries) * k).reshape(-1, k)
        return vote(Labels(codes, self.classes_), rows).decode()

    @available_if(_has_labels)
    def score(self, X, y, **options):
        """Compute the mean average precision of ranking the codes of all parts for each query.

        This is computed here, not by the executor, and takes all codes and labels into memory.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Their labels.
        **options
            Keyword arguments of `skhash.metrics.mean_average_precision`, such as `R=1000`.

        Returns
        -------
        score : float
            From 0 to 1; without options mAP@all with the defaults of `mean_average_precision`.
        """
        from skhash.metrics import mean_average_precision

        codes = np.concatenate([index.codes_ for index in self._indexes])
        labels = np.concatenate([index.labels_.decode() for index in self._indexes])
        return mean_average_precision(self._read_codes(X), codes, y, labels, bits=self.bits_, **options)

    def _read_codes(self, X):
        """Bring queries in any form to packed words."""
        return self._indexes[0]._read_codes(X, reset=False)

    def _search(self, queries, *, k=None, radius=None, labelled=False):
        """Search all parts and merge their answers."""
        return merge(self._run(queries, k, radius, labelled), k)


def _agree(what, values):
    """The one value that all parts have."""
    for number, value in enumerate(values):
        if value != values[0]:
            raise ValueError(f"All parts must have the same {what}: part 0 has {values[0]}, part {number} has {value}.")
    return values[0]


def _describe_labels(labels):
    """What must be the same of the labels of all parts: their kind."""
    if labels is None:
        return None
    if labels.multilabel:
        return f"multi-hot with {len(labels.classes)} columns"
    return "text" if labels.classes.dtype.kind in "OSUT" else "numbers"
