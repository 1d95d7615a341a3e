"""The state and the search that the mixins of `HammingIndex` share."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skhash.index.collection._collection import Collection
from skhash.index.engine._engine import NearestRequest, RadiusRequest, SearchEngine
from skhash.index.engine._hits import drop_rows
from skhash.index.engine._nearest_within import nearest_within
from skhash.index.hamming._reading import read_codes
from skhash.index.hamming._snapshot import Snapshot
from skhash.utils import restore_on_error

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import CodesLike, Labels

__all__ = ["_IndexState", "check_missing", "read_n_neighbors", "split_by_query"]


class _IndexState(BaseEstimator):
    """Codes with their search engine, the base class of every mixin of `HammingIndex`.

    The chapters (`UpdateMixin`, `GraphMixin` and the others) inherit from it and are the bases of `HammingIndex`, each
    with the public methods of one topic.

    Attributes
    ----------
    _snapshot : Snapshot
        The codes with ids and labels, and their search engine; set by `fit`, and replaced as a whole by each change.
    """

    n_neighbors: int
    radius: int
    bits: int | None
    bitorder: Literal["little", "big"]
    binarize: float | None
    algorithm: Literal["auto", "brute", "mih"]
    n_jobs: int | None
    bits_: int
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _snapshot: Snapshot

    @property
    def _collection(self) -> Collection:
        """The codes with ids and labels. Read it once, or in a method `on_snapshot`: a change replaces it."""
        return self._snapshot.collection

    @property
    def codes_(self) -> NDArray[np.uint64]:
        """The codes as packed words."""
        collection = self._collection
        return collection.live(collection.codes)

    @property
    def ids_(self) -> NDArray[Any]:
        """The ids of the codes."""
        collection = self._collection
        return collection.ids_of(collection.live_rows())

    @property
    def labels_(self) -> Labels | None:
        """The labels of the codes, or None."""
        collection = self._collection
        labels = collection.labels
        return None if labels is None else replace(labels, codes=collection.live(labels.codes))

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes; the attribute does not exist without labels."""
        labels = self._collection.labels
        if labels is None:
            raise AttributeError("HammingIndex was fitted without labels, so it has no classes_.")
        return labels.classes

    @property
    def n_samples_fit_(self) -> int:
        """Number of codes."""
        return len(self._collection)

    @property
    def last_search_(self) -> dict[str, Any]:
        """Algorithm and number of queries of the last search."""
        return self._get_engine().last_search

    def _check_fitted(self) -> None:
        """Raise NotFittedError before `fit`; scikit-learn's check alone would take a third of a short search."""
        if "_snapshot" not in vars(self):
            check_is_fitted(self)

    def _build(self, X: CodesLike, y: ArrayLike | None = None, ids: IdsLike | None = None) -> Self:
        """Replace the indexed codes; on error the estimator is unchanged."""
        with restore_on_error(self):
            codes = self._read_codes(X, reset=True)
            return self._keep(Collection.build(codes, y, ids))

    def _read_codes(self, X: CodesLike, *, reset: bool) -> NDArray[np.uint64]:
        """Read codes as packed words, see `read_codes`."""
        return read_codes(self, X, reset=reset)

    def _keep(self, collection: Collection, engine: SearchEngine | None = None) -> Self:
        """Store a collection, with an engine that knows its codes or a new one, in one step."""
        engine = engine or SearchEngine(collection.codes, self.bits_, self.algorithm)
        self._snapshot = Snapshot(collection, self.bits_, engine)
        return self

    def _get_engine(self) -> SearchEngine:
        """Return the engine, or a new one after unpickling and for another algorithm."""
        return self._snapshot.engine(self.algorithm)

    def _nearest(
        self,
        X: CodesLike | None,
        n_neighbors: int | None = None,
        where: IdsLike | None = None,
        missing: str | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return distances and rows of the nearest codes, both of shape (n_queries, n_neighbors)."""
        queries, request = self._nearest_request(X, n_neighbors, where, missing)
        distances, rows = self._get_engine().search(queries, request)
        if X is None:
            k = request.k - 1
            # Among many equal codes a code may not be one of its own k + 1 nearest: then the last one goes.
            others = rows != self._collection.live_rows()[:, None]
            others[others.all(axis=1), -1] = False
            distances, rows = distances[others].reshape(-1, k), rows[others].reshape(-1, k)
        return distances, rows

    def _nearest_padded(
        self, X: CodesLike | None, n_neighbors: int | None, where: IdsLike | None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the same as `_nearest`, with -1 for both where there are fewer neighbors."""
        queries, request = self._nearest_request(X, n_neighbors, where, "pad")
        k = int(self.n_neighbors if n_neighbors is None else n_neighbors)
        distances = np.full((len(queries), max(k, request.k)), -1, np.int32)
        rows = np.full(distances.shape, -1, np.int64)
        if request.k:
            distances[:, : request.k], rows[:, : request.k] = self._get_engine().search(queries, request)
        if X is None:
            own = rows == self._collection.live_rows()[:, None]
            distances[own] = rows[own] = -1
            order = np.argsort(rows < 0, axis=1, kind="stable")  # closes the gap that the code itself leaves
            distances, rows = np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return distances[:, :k], rows[:, :k]

    def _within(
        self,
        X: CodesLike | None,
        radius: int | None = None,
        where: IdsLike | None = None,
        max_neighbors: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Return the number of neighbors of each query, and their distances and rows, query after query."""
        most = None if max_neighbors is None else read_n_neighbors(max_neighbors, "max_neighbors")
        queries, request = self._radius_request(X, radius, where)
        own = None if X is not None else self._collection.live_rows()
        if most is not None:
            k = most + (own is not None)
            if k < request.n_allowed(len(self._collection.codes)):
                return nearest_within(self._get_engine(), queries, request, k, own)
        counts, distances, rows = self._get_engine().search(queries, request)
        if own is not None:
            return drop_rows(counts, distances, rows, own)
        return counts, distances, rows

    def _nearest_request(
        self, X: CodesLike | None, n_neighbors: int | None, where: IdsLike | None, missing: str | None = None
    ) -> tuple[NDArray[np.uint64], NearestRequest]:
        """Read the arguments of `_nearest`; without `X` the request is for one neighbor more, the code itself.

        `missing` is the argument of the public method, None if it has no such argument.
        """
        self._check_fitted()
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries, allowed = self._read_search(X, where)
        return queries, self._request(k, len(queries), where, allowed, missing, int(X is None))

    def _request(
        self,
        k: int,
        n_queries: int,
        where: IdsLike | None,
        allowed: NDArray[np.bool_] | None,
        missing: str | None,
        own: int = 0,
    ) -> NearestRequest:
        """Return the request for `k` neighbors and `own` more, or as many as there are for `missing="pad"`."""
        n_allowed = len(self._collection) if where is None or allowed is None else int(np.count_nonzero(allowed))
        if k + own > n_allowed and missing != "pad":
            passing = "" if where is None else f", of which where passes {n_allowed}"
            hint = "" if missing is None else ' missing="pad" returns those that there are.'
            raise ValueError(
                f"Expected n_neighbors {'<' if own else '<='} n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}{passing}, n_samples = {n_queries}.{hint}"
            )
        return NearestRequest(min(k + own, n_allowed), n_jobs=self.n_jobs, allowed=allowed)

    def _radius_request(
        self, X: CodesLike | None, radius: int | None, where: IdsLike | None
    ) -> tuple[NDArray[np.uint64], RadiusRequest]:
        """Read the arguments of `_within`."""
        self._check_fitted()
        radius = self.radius if radius is None else radius
        if type(radius) is not int or radius < 0:
            check_scalar(radius, "radius", Integral, min_val=0)
        queries, allowed = self._read_search(X, where)
        return queries, RadiusRequest(min(int(radius), self.bits_), n_jobs=self.n_jobs, allowed=allowed)

    def _read_search(
        self, X: CodesLike | None, where: IdsLike | None
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_] | None]:
        """Return the queries and the mask of rows that may be found (None for all)."""
        queries = self.codes_ if X is None else self._read_codes(X, reset=False)
        return queries, self._collection.select(where)

    def __getstate__(self) -> dict[str, Any]:
        # Of a pickle, or of a shallow copy, which must share neither memory that is written to nor the engine.
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        if "_snapshot" in state:
            state["_snapshot"] = state["_snapshot"].share()
        return state


def read_n_neighbors(n_neighbors: object, name: str = "n_neighbors") -> int:
    """Check a number of neighbors."""
    if type(n_neighbors) is int and n_neighbors >= 1:
        return n_neighbors
    check_scalar(n_neighbors, name, Integral, min_val=1)
    return int(cast("int", n_neighbors))  # numpy's narrow integers overflow


def check_missing(missing: object) -> None:
    """Raise ValueError for an unknown way to answer where there are fewer codes than neighbors."""
    if not isinstance(missing, str) or missing not in ("raise", "pad"):
        raise ValueError(f"missing must be 'raise' or 'pad', got {missing!r}.")


def split_by_query(values: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.object_]:
    """Split an array into one array per query, in an array of objects."""
    pieces, start = np.empty(len(counts), dtype=object), 0
    for query, end in enumerate(counts.cumsum().tolist()):
        pieces[query], start = values[start:end], end
    return pieces
