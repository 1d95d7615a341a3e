"""The second stage of a search: candidates in the order of a finer score than the Hamming distance."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from sklearn.utils import check_array, check_scalar

from skhash.bitops import kernel, popcount
from skhash.codes import as_packed, binarize
from skhash.index.collection._ids import read_ids
from skhash.index.hamming._reading import read_continuous
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState
from skhash.index.hamming._vectors import find_vectors
from skhash.utils import read_only, to_numpy, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.index.hamming._vectors import VectorsLike
    from skhash.utils import CodesLike

__all__ = ["RerankMixin", "read_floats", "vector_scores", "weighted_scores"]

_SCORINGS = ("asymmetric", "weighted", "cosine", "euclidean")


@kernel
def weighted_scores(codes, rows, queries, weights, scores):
    """Sum the weights of the bits in which codes and query differ, lowest bit first.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    rows : ndarray of int64 of shape (n_queries, n_candidates)
        Candidates of each query.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Packed queries.
    weights : ndarray of float64 of shape (n_queries, bits)
        Weight of each bit for each query.
    scores : ndarray of float64 of shape (n_queries, n_candidates)
        Filled with the sums.
    """
    one = np.uint64(1)
    for q in range(len(rows)):
        for i in range(rows.shape[1]):
            total = 0.0
            for w in range(codes.shape[1]):
                differing = codes[rows[q, i], w] ^ queries[q, w]
                while differing != np.uint64(0):
                    # The bits below the lowest set one are those of ~x & (x - 1); their number is its position.
                    total += weights[q, 64 * w + np.int64(popcount(~differing & (differing - one)))]
                    differing &= differing - one
            scores[q, i] = total


@kernel
def vector_scores(vectors, query, cosine, scores):
    """Compute cosine or Euclidean distances.

    Sums run over the dimensions in order, so that equal vectors get equal scores; a matrix product would not do so.

    Parameters
    ----------
    vectors : ndarray of float64 of shape (n_candidates, n_dims)
        Vectors of the candidates.
    query : ndarray of float64 of shape (n_dims,)
        Vector of the query.
    cosine : bool
        Whether to compute 1 - cosine, which is 1 for a vector of zeros, rather than the Euclidean distance.
    scores : ndarray of float64 of shape (n_candidates,)
        Filled with the distances.
    """
    norm = 0.0
    for d in range(len(query)):
        norm += query[d] * query[d]
    for i in range(len(vectors)):
        product, length, squares = 0.0, 0.0, 0.0
        for d in range(len(query)):
            product += vectors[i, d] * query[d]
            length += vectors[i, d] * vectors[i, d]
            squares += (vectors[i, d] - query[d]) ** 2
        if not cosine:
            scores[i] = np.sqrt(squares)
        elif product == 0.0:
            scores[i] = 1.0
        else:
            scores[i] = 1.0 - product / (np.sqrt(length) * np.sqrt(norm))


class RerankMixin(_IndexState):
    """The second stage of a search in `HammingIndex`."""

    @on_snapshot
    def rerank(
        self,
        X: CodesLike,
        ids: ArrayLike,
        n_neighbors: int | None = None,
        *,
        scoring: Literal["asymmetric", "weighted", "cosine", "euclidean"] = "asymmetric",
        weights: ArrayLike | None = None,
        vectors: VectorsLike | None = None,
        vector_ids: IdsLike | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Sort candidates, such as those that `kneighbors` found, by a finer score.

        The order of the candidates is exact, but a code that is not a candidate is never found, however good its score
        would be. Take several times as many candidates as neighbors.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Queries: continuous codes for "asymmetric", codes in any form for "weighted", vectors otherwise.
        ids : array-like of shape (n_queries, n_candidates)
            Ids of the candidates of each query.
        n_neighbors : int, default=None
            Number of candidates to return; None means all.
        scoring : {"asymmetric", "weighted", "cosine", "euclidean"}, default="asymmetric"
            Score of a candidate, smallest first:

            - "asymmetric": the sum of `|z|` over the bits in which the code differs from that of the continuous query
              `z`. The order is that of the inner product of `z` with codes of -1 and +1, and so of their Euclidean
              distance, too [1]_ [2]_. If the index has the parameter `binarize`, it is subtracted from the query first.
            - "weighted": the sum of `weights` over the bits in which code and query differ.
            - "cosine": 1 - cosine of the angle between `vectors`; 1 for a vector of zeros.
            - "euclidean": the Euclidean distance between `vectors`.

        weights : array-like of shape (bits,) or (n_queries, bits), default=None
            Weight of each bit, not negative; needed for "weighted".
        vectors : array-like of shape (n_vectors, n_dims) or (n_queries, n_candidates, n_dims), mapping or callable, \
                default=None
            Needed for "cosine" and "euclidean": the vectors of the candidates, found by id.

            - A matrix, which may be a memory map (only the rows of candidates are read). With `vector_ids` it may have
              any rows in any order. Without, row `i` is the vector of the id `i`, for each id that the index ever
              counted; an index with user-defined ids needs `vector_ids`.
            - An array of three dimensions: the vectors of the candidates of each query.
            - A mapping from ids to vectors, or a callable that returns a matrix for an array of ids, with a row for
              each. It is called once for each query.

        vector_ids : array-like of shape (n_vectors,), default=None
            Ids of the rows of the matrix `vectors`, all different. They are read in each call, in about 60 ms for a
            million integers: pass a mapping or a function for single queries.

        Returns
        -------
        scores : ndarray of float64 of shape (n_queries, n_neighbors)
            Smallest first.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids, ordered by score; candidates with equal scores keep their order, which is that of (Hamming distance,
            row) for candidates from `kneighbors`.

        Raises
        ------
        ValueError
            If an id is not in the index, or if shapes do not fit.
        TypeError
            If `vectors` are not real numbers.

        References
        ----------
        .. [1] W. Dong, M. Charikar, K. Li, "Asymmetric distance estimation with sketches for similarity search in
           high-dimensional spaces", SIGIR 2008.
        .. [2] A. Gordo, F. Perronnin, Y. Gong, S. Lazebnik, "Asymmetric distances for binary embeddings", IEEE TPAMI
           36(1), 2014.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex(binarize=0.0).fit([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]])
        >>> z = [[-0.25, 0.5, -2.0]]
        >>> distances, ids = index.kneighbors(z, 2)
        >>> distances, ids
        (array([[1, 2]], dtype=int32), array([[2, 0]]))
        >>> index.rerank(z, ids)
        (array([[2.  , 2.25]]), array([[2, 0]]))
        """
        self._check_fitted()
        if scoring not in _SCORINGS:
            raise ValueError(f"scoring must be one of {_SCORINGS}, got {scoring!r}.")
        _check_given(scoring, "weights", weights, ("weighted",))
        _check_given(scoring, "vectors", vectors, ("cosine", "euclidean"))
        if vectors is None and vector_ids is not None:
            raise ValueError("vector_ids must not be passed without vectors.")
        candidates = _read_candidates(ids)
        rows = self._collection.rows_of(candidates.ravel()).reshape(candidates.shape)
        k = candidates.shape[1] if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1, max_val=candidates.shape[1])
        k = int(k)
        if vectors is None:
            queries, bit_weights = self._read_weighted(X, scoring, weights)
            _check_number(len(queries), candidates)
            scores = np.empty(candidates.shape)
            weighted_scores(read_only(self._collection.codes), rows, read_only(queries), read_only(bit_weights), scores)
        else:
            queries = read_floats(X, "X")
            _check_number(len(queries), candidates)
            find = find_vectors(vectors, vector_ids, candidates, queries.shape[1], self._collection)
            scores = _score_vectors(queries, candidates.shape[1], find, scoring)
        order = np.argsort(scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(candidates, order, axis=1)

    def _read_weighted(
        self, X: CodesLike, scoring: str, weights: ArrayLike | None
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Return packed queries, and the weight of each bit for each of them."""
        if scoring == "weighted":
            queries = self._read_codes(X, reset=False)
            bit_weights = read_floats(np.atleast_2d(to_numpy(weights, "weights")), "weights")
            if bit_weights.shape not in {(1, self.bits_), (len(queries), self.bits_)}:
                raise ValueError(
                    f"weights must have shape ({self.bits_},) or {len(queries), self.bits_}, got {bit_weights.shape}."
                )
            if (bit_weights < 0).any():
                raise ValueError(f"weights must not be negative, got {bit_weights.min()}.")
            return queries, np.ascontiguousarray(np.broadcast_to(bit_weights, (len(queries), self.bits_)))
        z = read_continuous(self, X, " for scoring='asymmetric'")
        return as_packed(binarize(z))[0], np.abs(z)


def _check_given(scoring: str, name: str, value: object, scorings: tuple[str, ...]) -> None:
    """Raise ValueError for an argument that the scoring does not use, and for a missing one that it does."""
    if (value is None) == (scoring in scorings):
        verb = "needs" if value is None else "takes no"
        raise ValueError(f"scoring={scoring!r} {verb} {name}.")


def _read_candidates(ids: Any) -> NDArray[Any]:
    """Return ids of shape (n_queries, n_candidates)."""
    lists = isinstance(ids, (list, tuple)) and all(isinstance(row, (list, tuple)) for row in ids)
    if lists and len({len(row) for row in ids}) == 1:
        ids = np.stack([read_ids(row) for row in ids])  # numpy alone would make strings of integers and strings
    ids = to_numpy(ids, "ids")
    if ids.ndim != 2:
        raise ValueError(f"ids must have shape (n_queries, n_candidates), as from kneighbors, got {ids.shape}.")
    return ids


def _check_number(n_queries: int, ids: NDArray[Any]) -> None:
    """Raise ValueError if there is not a row of candidates for each query."""
    if n_queries != len(ids):
        raise ValueError(f"ids must have a row for each query: X has {n_queries}, ids has {len(ids)}.")


def read_floats(array: object, name: str) -> NDArray[np.float64]:
    """Return a finite matrix of float64."""
    return cast("NDArray[np.float64]", check_array(unwrap(array, name), dtype=cast("Any", np.float64), input_name=name))


def _score_vectors(
    queries: NDArray[np.float64], n_candidates: int, find: Callable[[int], NDArray[np.float64]], scoring: str
) -> NDArray[np.float64]:
    """Compute the distances of the candidates' vectors from those of the queries."""
    scores = np.empty((len(queries), n_candidates))
    for q, query in enumerate(queries):
        vector_scores(find(q), query, scoring == "cosine", scores[q])
    if not np.isfinite(scores).all():
        raise ValueError("vectors of candidates contain NaN or inf.")
    return scores
