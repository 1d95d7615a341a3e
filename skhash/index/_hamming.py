"""`HammingIndex`: nearest neighbours of binary codes, with scikit-learn's grammar."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from bitarray import bitarray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skhash.codes import as_packed, binarize, from_bitarray
from skhash.index._growth import append
from skhash.index._neighbour_labels import read_more_labels, vote
from skhash.index._search import nearest, within
from skhash.utils import Interval, fit_context, read_labels

__all__ = ["HammingIndex"]


def _was_given_labels(index):
    """Hold before `fit` (so that `predict` asks to be fitted) and after a `fit` with labels."""
    if getattr(index, "labels_", True) is None:
        raise AttributeError("HammingIndex was fitted without labels, so it cannot predict or score; use fit(X, y).")
    return True


class HammingIndex(BaseEstimator):
    """Exact search for the nearest binary codes by Hamming distance.

    Every answer is ordered by (distance, id), where the id of a code is its row in `fit`: results do not depend on
    threads or on how the codes were given. With labels the index also predicts, by a vote of the nearest codes, and
    scores rankings, so that it can end a pipeline: `make_pipeline(OrthoHasher(bits=64), HammingIndex())`.

    Codes come in any form of `skhash.codes`, and queries in another than `fit` had, if they like: one bit per column
    (0 / 1, -1 / +1 or bool), packed words (uint64), packed bytes (uint8; `fit` then needs `bits`), or a list of
    `bitarray`. The form is told by type and width, never guessed from values.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours in `kneighbors`, and of voters in `predict`.
    radius : int, default=2
        Largest distance of a neighbour in `radius_neighbors`.
    bits : int, default=None
        Code length. Needed for packed bytes, and for packed words that are not full; otherwise it is only checked.
    binarize : float, default=None
        Threshold for continuous codes: floats and signed integers become bit 1 where they are `>= binarize`. With None
        the input is presumed to be codes, and other values are refused. Bool, unsigned integers and bitarrays are
        codes in either case.
    n_jobs : int, default=None
        Number of threads, over slices of the queries. None means 1 unless in a `joblib.parallel_config` context, -1
        means all processors.

    Attributes
    ----------
    codes_ : ndarray of uint64 of shape (`n_samples_fit_`, ceil(`bits_` / 64))
        The codes as packed words; not a copy where `fit` was given just this, which may be a memory map.
    bits_ : int
        Code length.
    labels_ : skhash.utils.Labels or None
        The labels, if any.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; column numbers for multi-hot labels. Only with labels.
    n_samples_fit_ : int
        Number of codes.
    n_features_in_ : int
        Number of features, which are the bits, packed or not: the same as `bits_`.
    feature_names_in_ : ndarray of str of shape (`bits_`,)
        Column names, if the codes were a data frame with one bit per column.

    See Also
    --------
    skhash.codes : The forms that codes come in.
    skhash.metrics.mean_average_precision : What `score` computes, with all its choices.

    Notes
    -----
    Each query is compared with every code, in blocks that fit the processor's cache and by its vector instructions:
    several billion comparisons per second and core for codes of 64 bits. Time grows with the number of 64-bit words.
    Append codes by `partial_fit` in batches of any size: its cost is that of the new codes, not of those there.

    Examples
    --------
    >>> from skhash import HammingIndex
    >>> index = HammingIndex(n_neighbors=2).fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]], ["cat", "dog", "dog"])
    >>> distances, ids = index.kneighbors([[0, 1, 0]])
    >>> distances
    array([[1, 1]], dtype=int32)
    >>> ids
    array([[0, 1]])
    >>> index.predict([[1, 1, 0]])
    array(['dog'], dtype='<U3')
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Integral, 0, None, closed="left")],
        "bits": [Interval(Integral, 1, None, closed="left"), None],
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(self, n_neighbors=5, *, radius=2, bits=None, binarize=None, n_jobs=None):
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.bits = bits
        self.binarize = binarize
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Index codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels (integers or strings) or a multi-hot 0 / 1 matrix.

        Returns
        -------
        self : HammingIndex
            The fitted index.
        """
        codes = self._read_codes(X, reset=True)
        labels = None if y is None else read_labels(y, n_samples=len(codes))
        self._rooms = None, None
        return self._keep(codes, labels)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Index more codes, whose ids go on from those that are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels, of the same kind as before; given always or never. Single labels may bring new classes.

        Returns
        -------
        self : HammingIndex
            The index.
        """
        if not hasattr(self, "codes_"):
            return self.fit(X, y)
        if (y is None) != (self.labels_ is None):
            there = "without" if self.labels_ is None else "with"
            raise ValueError(
                f"The index holds codes {there} labels, got y {'missing' if y is None else 'given'}: "
                "labels must be given always or never."
            )
        code_room, label_room = getattr(self, "_rooms", (None, None))
        codes = self._read_codes(X, reset=False)
        labels = self.labels_
        if y is not None:
            labels, new = read_more_labels(self.labels_, y, len(codes))
            if labels is not self.labels_:  # encoded anew, for new classes
                label_room = None
            grown, label_room = append(labels.codes, new.codes, label_room)
            labels = replace(labels, codes=grown)
        codes, code_room = append(self.codes_, codes, code_room)
        self._rooms = code_room, label_room
        return self._keep(codes, labels)

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """Find the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbour.
        n_neighbors : int, default=None
            Number of neighbours; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to give the distances.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 of shape (n_queries, n_neighbors)
            Rows of the neighbours, ordered by (distance, id).

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors`, or if `X` holds no codes of this index's length.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1)
        queries = self.codes_ if X is None else self._read_codes(X, reset=False)
        own = int(X is None)
        if k + own > self.n_samples_fit_:
            raise ValueError(
                f"Expected n_neighbors {'<' if own else '<='} n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, n_samples = {len(queries)}."
            )
        distances, ids = nearest(self.codes_, queries, k + own, self.n_jobs)
        if own:
            # Among many equal codes a code may not be one of its own k + 1 nearest: then the last one goes.
            others = ids != np.arange(len(ids))[:, None]
            others[others.all(axis=1), -1] = False
            distances, ids = distances[others].reshape(-1, k), ids[others].reshape(-1, k)
        return (distances, ids) if return_distance else ids

    def radius_neighbors(self, X=None, radius=None, return_distance=True):
        """Find all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbour.
        radius : int, default=None
            Largest distance of a neighbour; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to give the distances.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An int64 array per query: rows of the neighbours, ordered by (distance, id).
        """
        counts, distances, ids = self._within(X, radius)
        ids = _split(ids, counts)
        return (_split(distances, counts), ids) if return_distance else ids

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """Compute the graph of the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbour.
        n_neighbors : int, default=None
            Number of neighbours; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether an edge weighs 1 or the distance.

        Returns
        -------
        graph : csr_matrix of float64 of shape (n_queries, `n_samples_fit_`)
            Edges of each row ordered by (distance, id); those of weight 0 are stored too.
        """
        _check_mode(mode)
        distances, ids = self.kneighbors(X, n_neighbors)
        return self._graph(np.full(len(ids), ids.shape[1]), distances.ravel(), ids.ravel(), mode)

    def radius_neighbors_graph(self, X=None, radius=None, mode="connectivity"):
        """Compute the graph of all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbour.
        radius : int, default=None
            Largest distance of a neighbour; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether an edge weighs 1 or the distance.

        Returns
        -------
        graph : csr_matrix of float64 of shape (n_queries, `n_samples_fit_`)
            Edges of each row ordered by (distance, id); those of weight 0 are stored too.
        """
        _check_mode(mode)
        return self._graph(*self._within(X, radius), mode)

    @available_if(_was_given_labels)
    def predict(self, X):
        """Predict labels by a vote of the `n_neighbors` nearest codes (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            The class that most of the neighbours have; of equally frequent classes, the one whose first neighbour by
            (distance, id) comes first. For multi-hot labels a 0 / 1 matrix of uint8: all labels that at least half of
            the neighbours have.
        """
        check_is_fitted(self)
        ids = self.kneighbors(X, min(self.n_neighbors, self.n_samples_fit_), return_distance=False)
        return vote(self.labels_, ids).decode()

    @available_if(_was_given_labels)
    def score(self, X, y, **options):
        """Compute the mean average precision of ranking all indexed codes for each query.

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

        check_is_fitted(self)
        queries = self._read_codes(X, reset=False)
        labels = self.labels_.decode()
        options = {"n_jobs": self.n_jobs, **options}
        return mean_average_precision(queries, self.codes_, y, labels, bits=self.bits_, **options)

    def _read_codes(self, X, *, reset):
        """Bring codes in any form to packed words; `reset` takes their length and names, else these are checked."""
        if isinstance(X, bitarray) or (isinstance(X, (list, tuple)) and X and isinstance(X[0], bitarray)):
            X = from_bitarray(X)
        elif isinstance(X, (list, tuple)):
            X = np.asarray(X)
        elif hasattr(X, "detach"):
            X = X.detach().cpu().numpy()
        bits = self.bits if reset else self.bits_
        packed = _is_packed(X, bits)
        # scikit-learn's check of the names and number of features is not for packed codes: their features are bits.
        codes = check_array(X, input_name="X", estimator=self) if packed else validate_data(self, X, reset=reset)
        if codes.dtype == np.uint64 and not packed:
            raise ValueError(f"Packed words (uint64) must be an array, got {type(X).__name__}.")
        if self.binarize is not None and codes.dtype.kind in "if":
            codes = binarize(codes, self.binarize)
        words, bits = as_packed(codes, bits)
        if packed and reset:
            validate_data(self, codes, skip_check_array=True)  # forgets the names of an earlier fit
        if reset:
            self.bits_ = self.n_features_in_ = bits
        return words

    def _keep(self, codes, labels):
        """Set what `fit` sets."""
        self.codes_, self.n_samples_fit_, self.labels_ = codes, len(codes), labels
        if labels is not None:
            self.classes_ = labels.classes
        elif hasattr(self, "classes_"):
            del self.classes_
        return self

    def _within(self, X, radius):
        """Neighbours within a radius, query after query: how many, their distances, their ids."""
        check_is_fitted(self)
        radius = self.radius if radius is None else radius
        check_scalar(radius, "radius", Integral, min_val=0)
        queries = self.codes_ if X is None else self._read_codes(X, reset=False)
        counts, distances, ids = within(self.codes_, queries, radius, self.n_jobs)
        if X is None:
            others = ids != np.repeat(np.arange(len(counts)), counts)
            counts, distances, ids = counts - 1, distances[others], ids[others]
        return counts, distances, ids

    def _graph(self, counts, distances, ids, mode):
        weights = np.ones(len(ids)) if mode == "connectivity" else distances.astype(np.float64)
        row_ends = np.concatenate([[0], np.cumsum(counts)])
        return csr_matrix((weights, ids, row_ends), shape=(len(counts), self.n_samples_fit_))

    def __getstate__(self):
        # Room for more codes is no state: a pickle holds the codes only.
        return {name: value for name, value in super().__getstate__().items() if name != "_rooms"}


def _is_packed(X, bits):
    """Whether X is an array of packed words or, by the rule of `as_packed`, of packed bytes."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "u":
        return False
    width = X.shape[1]
    return X.itemsize == 8 or (X.itemsize == 1 and bits is not None and width != bits and width == -(-bits // 8))


def _check_mode(mode):
    if mode not in ("connectivity", "distance"):
        raise ValueError(f"mode must be 'connectivity' or 'distance', got {mode!r}.")


def _split(rows, counts):
    """Cut an array into one array per query, in an array of objects."""
    pieces = np.empty(len(counts), dtype=object)
    pieces[:] = np.split(rows, np.cumsum(counts)[:-1])
    return pieces
