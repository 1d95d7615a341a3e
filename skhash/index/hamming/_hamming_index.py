"""`HammingIndex`: nearest neighbors of binary codes, with scikit-learn's API."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, overload

from skhash.index.hamming._explanation import ExplanationMixin
from skhash.index.hamming._graph import GraphMixin
from skhash.index.hamming._limited import ProbeMixin
from skhash.index.hamming._prediction import LabeledMixin
from skhash.index.hamming._radius import RadiusMixin
from skhash.index.hamming._reranked import TwoStageMixin
from skhash.index.hamming._saving import SavedIndexMixin
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import check_missing
from skhash.index.hamming._updates import UpdateMixin
from skhash.utils import Interval, StrOptions, fit_context

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import CodesLike

__all__ = ["HammingIndex"]


class HammingIndex(
    UpdateMixin,
    RadiusMixin,
    GraphMixin,
    ProbeMixin,
    TwoStageMixin,
    LabeledMixin,
    ExplanationMixin,
    SavedIndexMixin,
):
    """Exact search for the nearest binary codes by Hamming distance.

    Results are ordered by (distance, row), where rows are the codes in the order of insertion. They do not depend on
    the algorithm, on threads, on the form of the codes, or on codes that were removed. Without user-defined ids the id
    of a code is the number of codes that were ever added before it, so that the order is by (distance, id).

    With labels the index also predicts, by a vote of the nearest codes, and scores rankings, so that it can end a
    pipeline: `make_pipeline(OrthoHasher(bits=64), HammingIndex())`.

    `kneighbors_asymmetric` takes continuous queries, which find more true neighbors among the same codes.

    Codes come in any form of `skhash.codes`, and queries may have another form than the codes of `fit`: one bit per
    column (0 / 1, -1 / +1 or bool), packed words (uint64), packed bytes (uint8; `fit` then needs `bits`, and those of
    `np.packbits` need `bitorder="big"`), or a list of `bitarray`. The form follows from type and width, and is never
    guessed from values.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`, and of voters in `predict`.
    radius : int, default=2
        Largest distance of a neighbor in `radius_neighbors`.
    bits : int, default=None
        Code length. Needed for packed bytes, and for packed words that are not full; otherwise it is only checked.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: "big" for those of `np.packbits`, whose first bit is the highest of a byte.
    binarize : float, default=None
        Threshold for continuous codes: floats and signed integers become bit 1 where they are `>= binarize`. With None
        the input must be codes, and other values are refused. Bool, unsigned integers and bitarrays are codes in
        either case.
    algorithm : {"auto", "brute", "mih"}, default="auto"
        How to search, which changes the time and the memory, never the result:

        - "brute" compares each query with every code, and needs no memory beyond the codes.
        - "mih" looks codes up by parts of their bits, in tables that are built at the first search (multi-index
          hashing [1]_): far less work for small radii and many codes, more for long codes that differ widely. Codes of
          more than 32,768 bits are always compared.
        - "auto" begins as "brute", builds tables in a background thread when they would have paid for themselves by
          now, and takes the faster of both for each kind of query. `explain` shows its choice.

    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context, -1 means all processors.

    Attributes
    ----------
    codes_ : ndarray of uint64 of shape (`n_samples_fit_`, ceil(`bits_` / 64))
        The codes as packed words, without removed ones; not a copy where `fit` was given this form, which may be a
        memory map.
    ids_ : ndarray of int64 or of object of shape (`n_samples_fit_`,)
        The ids of the codes.
    labels_ : skhash.utils.Labels or None
        The labels of the codes, if any.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; column numbers for multi-hot labels. Only with labels. A class stays when its last code
        is removed.
    bits_ : int
        Code length.
    last_search_ : dict
        The last search: "algorithm", "brute" or "mih"; "n_queries", and "n_probed", the number of queries that went to
        the tables.
    n_samples_fit_ : int
        Number of codes, the same as `len(index)`.
    n_features_in_ : int
        Number of features, which are the bits, packed or not: the same as `bits_`.
    feature_names_in_ : ndarray of str of shape (`bits_`,)
        Column names, if the codes were a data frame with one bit per column.

    See Also
    --------
    HammingNeighborsTransformer : The same search as a step before scikit-learn's estimators that take graphs.
    ShardedHammingIndex : The same search over several parts.
    skhash.codes : The forms of codes.
    skhash.metrics.mean_average_precision : What `score` computes, with all its options.

    Notes
    -----
    The comparison with every code works in blocks that fit the processor's cache and on its vector instructions:
    several billion comparisons per second and core for codes of 64 bits. Time grows with the number of 64-bit words.
    `add` appends codes in batches of any size at a cost that depends on the new codes only.

    Any number of threads may search one index while one other thread changes it by `add`, `remove`, `update` or
    `compact`: each call sees the index before a change or after it.

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index hashing",
       IEEE TPAMI 36(6), 2014.

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
        "bitorder": [StrOptions({"little", "big"})],
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "algorithm": [StrOptions({"auto", "brute", "mih"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        radius: int = 2,
        bits: int | None = None,
        bitorder: Literal["little", "big"] = "little",
        binarize: float | None = None,
        algorithm: Literal["auto", "brute", "mih"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.bits = bits
        self.bitorder = bitorder
        self.binarize = binarize
        self.algorithm = algorithm
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: CodesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Index codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels (integers or strings) or a multi-hot 0 / 1 matrix.
        ids : array-like of shape (n_samples,), default=None
            Ids, all different: integers (int64), or hashable labels such as strings or tuples, but not floats or
            bools. None means 0 to n_samples - 1.

        Returns
        -------
        self : HammingIndex
            The fitted index.
        """
        return self._build(X, y, ids)

    @overload
    def kneighbors(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
        *,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]]: ...
    @overload
    def kneighbors(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> NDArray[Any]: ...
    @overload
    def kneighbors(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]] | NDArray[Any]: ...
    @on_snapshot
    def kneighbors(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        where: IdsLike | None = None,
        missing: Literal["raise", "pad"] = "raise",
    ) -> tuple[NDArray[np.int32], NDArray[Any]] | NDArray[Any]:
        """Find the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbor.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search: a mask in the order of `ids_`, or the ids themselves. Bools are always a
            mask, anything else ids.
        missing : {"raise", "pad"}, default="raise"
            What to do where there are fewer codes than `n_neighbors`: raise an error, or return those that there are,
            followed by the id -1 at the distance -1. Only the distance decides, for -1 may also be a user-defined id.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; only if `return_distance`.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, row); without user-defined ids by (distance, id).

        Raises
        ------
        ValueError
            If there are fewer codes than `n_neighbors` and `missing` is "raise", or if `X` does not contain codes
            of this index's length.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex().fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        >>> index.kneighbors([[0, 0, 0]], 1, where=[False, True, True])
        (array([[2]], dtype=int32), array([[1]]))
        >>> index.kneighbors([[0, 0, 0]], 2, where=[1], missing="pad")
        (array([[ 2, -1]], dtype=int32), array([[ 1, -1]]))
        """
        check_missing(missing)
        if missing == "raise":
            distances, rows = self._nearest(X, n_neighbors, where, missing)
            ids = self._collection.ids_of(rows)
        else:
            distances, rows = self._nearest_padded(X, n_neighbors, where)
            ids = self._collection.ids_of_padded(rows)
        return (distances, ids) if return_distance else ids
