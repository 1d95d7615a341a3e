"""Codes to the graph of their neighbors, for scikit-learn's estimators that take graphs in place of distances."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skhash.index.hamming._hamming_index import HammingIndex
from skhash.index.hamming._reading import read_codes
from skhash.utils import Interval, StrOptions, fit_context

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from skhash.utils import CodesLike

__all__ = ["HammingNeighborsTransformer"]


class HammingNeighborsTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Transform binary codes into the sparse graph of their neighbors by Hamming distance.

    It follows the contract of `sklearn.neighbors.KNeighborsTransformer` and `RadiusNeighborsTransformer`, so that it
    can precede every estimator that takes `metric="precomputed"` with sparse graphs or an affinity of that kind:
    DBSCAN, TSNE, Isomap, LocalOutlierFactor, SpectralClustering, KNeighborsClassifier and others. The search is exact.

    Parameters
    ----------
    mode : {"distance", "connectivity"}, default="distance"
        Whether the weight of an edge is the Hamming distance or 1.
    n_neighbors : int, default=5
        Number of neighbors of each code; not used with a `radius`. A code is a neighbor of itself, so `mode="distance"`
        finds one more: the next estimator usually leaves the code itself out.
    radius : int, default=None
        Largest distance of a neighbor: the graph then has all neighbors within it. None means the `n_neighbors`
        nearest.
    bits : int, default=None
        Code length. Needed for packed bytes, and for packed words that are not full; otherwise it is only checked.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: "big" for those of `np.packbits`, whose first bit is the highest of a byte.
    binarize : float, default=None
        Threshold for continuous codes: floats and signed integers become bit 1 where they are `>= binarize`. With None
        the input must be codes, and other values are refused.
    algorithm : {"auto", "brute", "mih"}, default="auto"
        How to search, see `HammingIndex`. It changes the time, never the graph.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context, -1 means all processors.

    Attributes
    ----------
    index_ : HammingIndex
        The codes of `fit`.
    bits_ : int
        Code length.
    n_samples_fit_ : int
        Number of codes in `index_`, and of columns of the graphs.
    n_features_in_ : int
        Number of features, which are the bits, packed or not: the same as `bits_`.
    feature_names_in_ : ndarray of str of shape (`bits_`,)
        Column names, if the codes were a data frame with one bit per column.

    See Also
    --------
    HammingIndex : The search itself; it computes graphs, too.

    Notes
    -----
    Each row of the graph is ordered by (distance, column), and weights of 0 are stored, as scikit-learn needs them. A
    code is in its own row, unless too many codes before it are equal to it: then one of these takes its place, at the
    same distance of 0, and scikit-learn's estimators leave that one out. With a `radius` it is always in its row.

    Examples
    --------
    >>> from skhash.index import HammingNeighborsTransformer
    >>> from sklearn.cluster import DBSCAN
    >>> from sklearn.pipeline import make_pipeline
    >>> codes = [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 0], [1, 1, 1, 1]]
    >>> HammingNeighborsTransformer(n_neighbors=1).fit_transform(codes).toarray()
    array([[0., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 0., 0., 1.],
           [0., 0., 1., 0.]])
    >>> clusters = make_pipeline(
    ...     HammingNeighborsTransformer(radius=2), DBSCAN(eps=2, min_samples=2, metric="precomputed")
    ... )
    >>> clusters.fit_predict(codes)
    array([0, 0, 1, 1])
    """

    _parameter_constraints: dict = {
        "mode": [StrOptions({"distance", "connectivity"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Integral, 0, None, closed="left"), None],
        "bits": [Interval(Integral, 1, None, closed="left"), None],
        "bitorder": [StrOptions({"little", "big"})],
        "binarize": [Interval(Real, None, None, closed="neither"), None],
        "algorithm": [StrOptions({"auto", "brute", "mih"})],
        "n_jobs": [Integral, None],
    }

    mode: Literal["distance", "connectivity"]
    n_neighbors: int
    radius: int | None
    bits: int | None
    bitorder: Literal["little", "big"]
    binarize: float | None
    algorithm: Literal["auto", "brute", "mih"]
    n_jobs: int | None
    index_: HammingIndex
    bits_: int
    n_samples_fit_: int
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        mode: Literal["distance", "connectivity"] = "distance",
        *,
        n_neighbors: int = 5,
        radius: int | None = None,
        bits: int | None = None,
        bitorder: Literal["little", "big"] = "little",
        binarize: float | None = None,
        algorithm: Literal["auto", "brute", "mih"] = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.mode = mode
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.bits = bits
        self.bitorder = bitorder
        self.binarize = binarize
        self.algorithm = algorithm
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: CodesLike, y: object = None) -> Self:
        """Index the codes among which neighbors are searched.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : ignored
            Not used; exists for pipelines.

        Returns
        -------
        self : HammingNeighborsTransformer
            The fitted transformer.
        """
        codes = read_codes(self, X, reset=True)
        self.index_ = HammingIndex(bits=self.bits_, algorithm=self.algorithm, n_jobs=self.n_jobs).fit(codes)
        self.n_samples_fit_ = self._n_features_out = len(codes)
        return self

    def transform(self, X: CodesLike) -> csr_matrix:
        """Compute the graph of the neighbors of codes among those of `fit`.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Codes.

        Returns
        -------
        graph : csr_matrix of float64 of shape (n_queries, `n_samples_fit_`)
            `n_neighbors` edges in each row with `mode="connectivity"`, one more with `mode="distance"`, or all within
            the radius; ordered by (distance, column).

        Raises
        ------
        ValueError
            If there are fewer codes than edges in a row.
        """
        check_is_fitted(self)
        queries = read_codes(self, X, reset=False)
        if self.radius is not None:
            return self.index_.radius_neighbors_graph(queries, self.radius, self.mode)
        # A fitted code is one of its own neighbors, and the next estimator will leave it out.
        return self.index_.kneighbors_graph(queries, self.n_neighbors + (self.mode == "distance"), self.mode)
