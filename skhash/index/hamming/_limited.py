"""Searches with a limit to the work."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_scalar

from skhash.index.engine._limited import search_limited
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState, read_n_neighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import CodesLike

__all__ = ["ProbeMixin"]


class ProbeMixin(_IndexState):
    """The method of `HammingIndex` that trades exactness for time."""

    @on_snapshot
    def kneighbors_limited(
        self,
        X: CodesLike,
        n_neighbors: int | None = None,
        *,
        max_probes: int | None = 100,
        where: IdsLike | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[np.int64]]:
        """Find near codes with limited work, and how many of them are certain to be the nearest.

        The codes of a query's nearest buckets in the tables (see `algorithm="mih"`) are compared with it, and the best
        of them are the result. Whenever all buckets up to some distance have been looked up, all codes up to a certain
        distance are known: the neighbors up to there are those of `kneighbors`. No other search is approximate.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        max_probes : int, default=100
            Largest number of buckets that are looked up for a query; most of them may be empty, and a crowded one may
            contain many codes. A query needs fewer if it knows its nearest codes before. None means no limit: the
            result is that of `kneighbors`.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.

        Returns
        -------
        distances : ndarray of int32 of shape (n_queries, n_neighbors)
            Number of differing bits; -1 where fewer codes were met.
        ids : ndarray of int64 or of object of shape (n_queries, n_neighbors)
            Ids of the neighbors, ordered by (distance, row); -1 where fewer codes were met. Only the distance decides,
            for -1 may also be a user-defined id.
        n_certain : ndarray of int64 of shape (n_queries,)
            How many of each query's first neighbors are certain to be the first ones of `kneighbors`. It never
            decreases if `max_probes` increases.

        Raises
        ------
        ValueError
            If `algorithm` is "brute", which has no tables, if codes are too long for tables, if `max_probes` is less
            than 1, or if `X` is None or does not contain codes of this index's length.

        See Also
        --------
        HammingIndex.kneighbors : The exact search.

        Notes
        -----
        The first call builds the tables and waits for them, also with `algorithm="auto"` and for memory maps. A query
        that would cost more than comparing all codes is answered by doing so, with all neighbors certain. So are the
        codes that were added after the tables were built.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex(n_neighbors=2).fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        >>> distances, ids, n_certain = index.kneighbors_limited([[0, 0, 1]], max_probes=100)
        >>> ids
        array([[0, 1]])
        >>> n_certain
        array([2])
        """
        self._check_fitted()
        if X is None:
            raise ValueError(
                "kneighbors_limited needs queries, got X=None; pass codes_ to search for the indexed codes."
            )
        if max_probes is not None:
            check_scalar(max_probes, "max_probes", Integral, min_val=1)
        if self.algorithm == "brute":
            raise ValueError("kneighbors_limited needs tables, got algorithm='brute'; use 'auto' or 'mih'.")
        k = read_n_neighbors(self.n_neighbors if n_neighbors is None else n_neighbors)
        queries, request = self._nearest_request(X, k, where, "pad")
        engine = self._get_engine()
        if max_probes is None:
            distances, rows = engine.search(queries, request) if request.k else request.scan(engine._state[0], queries)
            n_certain = np.full(len(queries), request.k)
        else:
            distances, rows, n_certain = search_limited(engine, queries, request, int(max_probes))
        missing = [(0, 0), (0, k - request.k)]
        distances = np.pad(distances, missing, constant_values=-1)
        rows = np.pad(rows, missing, constant_values=-1)
        return distances, self._collection.ids_of_padded(rows), n_certain
