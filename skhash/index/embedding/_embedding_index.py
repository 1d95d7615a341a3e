"""`EmbeddingIndex`: nearest neighbors of float vectors in a fraction of their memory, with scikit-learn's API."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from skhash.index.embedding._saving import SavedEmbeddingsMixin
from skhash.index.embedding._search import SearchMixin
from skhash.index.embedding._updates import UpdateMixin
from skhash.utils import Interval, StrOptions, fit_context

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import RandomStateLike, SamplesLike

__all__ = ["EmbeddingIndex"]


class EmbeddingIndex(SearchMixin, UpdateMixin, SavedEmbeddingsMixin):
    r"""Search for the nearest float vectors, such as embeddings, in records of a few bits per dimension.

    Each vector becomes a record of `bytes_per_vector` bytes, by default 32 times less than in float32. A search
    compares each query, in several bits per element, with all records, and estimates all distances. With `rescore` the
    index also keeps copies of the vectors, and compares the best candidates with the query again.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbors in `kneighbors`, and of voters in `predict`.
    metric : {"cosine", "euclidean", "inner_product"}, default="cosine"
        The distance; see `kneighbors`.
    bytes_per_vector : int, default=None
        Bytes of a record, all included: a multiple of 8, of at most about 8 bits per dimension. None means one bit per
        dimension. Axes of large variance get more bits than others, so that any number is of use. `fit` uses it, as it
        does `metric` and `rescore`: setting them later has no effect on a fitted index.
    rescore : {"int8", "float16", "float32"}, default=None
        Type of the copies of vectors that are kept to compare the best candidates with the query again: 1, 2 or 4 bytes
        per dimension more. "float32" does not copy a C-contiguous memory map of this type.
    oversampling : float, default=4
        Number of candidates that are compared again, as a multiple of `n_neighbors`; at least 1. Used with `rescore`
        only. It may be changed after `fit`.
    query_bits : int or "auto", default="auto"
        Bits per element of a query, 1 to 8: time grows with them, and so does precision. "auto" means 4 for records of
        one bit per axis, else 6 or 8.
    max_samples : int, default=100_000
        Number of vectors, evenly spaced, that `fit` learns mean and axes from; None means all.
    n_jobs : int, default=None
        Number of threads of a search. None means 1 unless in a `joblib.parallel_config` context, -1 means all
        processors.
    random_state : int, RandomState instance or None, default=None
        Seeds the rotations.

    Attributes
    ----------
    ids_ : ndarray of int64 or of object of shape (`n_samples_fit_`,)
        The ids of the vectors.
    n_samples_fit_ : int
        Number of vectors, the same as `len(index)`.
    bytes_per_vector_ : int
        Bytes of a record.
    classes_ : ndarray of shape (n_classes,)
        The classes; column numbers for multi-hot labels. Only with labels.
    bits_per_axis_ : ndarray of int64 of shape (n_axes,)
        The number of bits of each principal axis, in descending order of variance; those without are left out.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    HammingIndex : Exact search of hash codes.
    LSHHasher : One bit per random direction.
    skhash.metrics.knn_recall : The share of the true neighbors that a search finds.

    Notes
    -----
    Vectors are centered, rotated to their principal axes and rounded to a few bits per axis, more for those of large
    variance [3]_; among axes with the same number of bits a random rotation makes all alike. The scale at which a
    vector is rounded is the one that turns it least [2]_. A factor makes the estimate of inner products unbiased
    [1]_, up to the axes that are dropped, and an offset adds the exact part that is due to the mean. Queries are
    rounded to `query_bits` bits. Their inner products with the records are sums of Hamming distances, which the kernels
    of `HammingIndex` compute, and the ranking of these scores is exact: it does not depend on threads, batches or
    removed vectors.

    Vectors may come in a memory map of any size: `fit` reads it in blocks. `from_blocks` and `append_blocks` do not
    hold records in memory either. Any number of threads may search one index while one other thread changes it.

    References
    ----------
    .. [1] J. Gao, C. Long. "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate
       nearest neighbor search". SIGMOD 2024.
    .. [2] J. Gao et al. "Practical and asymptotically optimal quantization of high-dimensional vectors in Euclidean
       space for approximate nearest neighbor search". SIGMOD 2025.
    .. [3] H. Li et al. "SAQ: pushing the limits of vector quantization through code adjustment and dimension
       segmentation". arXiv 2509.12086, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash import EmbeddingIndex
    >>> X = np.random.default_rng(0).normal(size=(2000, 256)).astype(np.float32)
    >>> index = EmbeddingIndex(bytes_per_vector=64, rescore="float16", random_state=0).fit(X)
    >>> distances, ids = index.kneighbors(X[:2], 3)
    >>> ids[:, 0]
    array([0, 1])
    >>> index.memory_usage()["records"] / X.nbytes
    0.0625
    """

    _parameter_constraints: dict[str, Any] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"cosine", "euclidean", "inner_product"})],
        "bytes_per_vector": [Interval(Integral, 8, None, closed="left"), None],
        "rescore": [StrOptions({"int8", "float16", "float32"}), None],
        "oversampling": [Interval(Real, 1, None, closed="left")],
        "query_bits": [Interval(Integral, 1, 8, closed="both"), StrOptions({"auto"})],
        "max_samples": [Interval(Integral, 2, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        metric: Literal["cosine", "euclidean", "inner_product"] = "cosine",
        bytes_per_vector: int | None = None,
        rescore: Literal["int8", "float16", "float32"] | None = None,
        oversampling: float = 4,
        query_bits: int | Literal["auto"] = "auto",
        max_samples: int | None = 100_000,
        n_jobs: int | None = None,
        random_state: RandomStateLike = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.bytes_per_vector = bytes_per_vector
        self.rescore = rescore
        self.oversampling = oversampling
        self.query_bits = query_bits
        self.max_samples = max_samples
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SamplesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Learn mean, axes and steps from vectors, and index them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors. They are read in blocks: a memory map may be larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix, for `predict`.
        ids : array-like of shape (n_samples,), default=None
            Ids of the vectors, unique: integers, strings or other hashable objects. None means that the index counts.

        Returns
        -------
        self : EmbeddingIndex
            The fitted index.

        Warns
        -----
        UserWarning
            If vectors are so much longer than those that the index learned from that their estimates are wrong.
        """
        return self._build(X, y, ids)
