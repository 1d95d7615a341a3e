"""Neighbors as sparse graphs, as scikit-learn's estimators take them in place of distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_matrix

from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import CodesLike

__all__ = ["GraphMixin"]


class GraphMixin(_IndexState):
    """The methods of `HammingIndex` that compute graphs."""

    @on_snapshot
    def kneighbors_graph(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        mode: Literal["connectivity", "distance"] = "connectivity",
    ) -> csr_matrix:
        """Compute the graph of the nearest codes.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbor.
        n_neighbors : int, default=None
            Number of neighbors; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the weight of an edge is 1 or the distance.

        Returns
        -------
        graph : csr_matrix of float64 of shape (n_queries, `n_samples_fit_`)
            Edges of each row, ordered by (distance, column); those of weight 0 are stored, too. Column `i` is the code
            whose id is `ids_[i]`.

        Raises
        ------
        ValueError
            If `mode` is not accepted, or as by `kneighbors`.
        """
        _check_mode(mode)
        distances, rows = self._nearest(X, n_neighbors)
        counts = np.full(len(rows), rows.shape[1])
        return self._graph(counts, distances.ravel(), self._columns(rows.ravel()), mode)

    @on_snapshot
    def radius_neighbors_graph(
        self,
        X: CodesLike | None = None,
        radius: int | None = None,
        mode: Literal["connectivity", "distance"] = "connectivity",
        *,
        max_neighbors: int | None = None,
    ) -> csr_matrix:
        """Compute the graph of all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbor.
        radius : int, default=None
            Largest distance of a neighbor; None means the parameter of that name.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether the weight of an edge is 1 or the distance.
        max_neighbors : int, default=None
            Largest number of edges of a row, as by `radius_neighbors`; None means all.

        Returns
        -------
        graph : csr_matrix of float64 of shape (n_queries, `n_samples_fit_`)
            Edges of each row, ordered by (distance, column); those of weight 0 are stored, too. Column `i` is the code
            whose id is `ids_[i]`.

        Raises
        ------
        ValueError
            If `mode` is not accepted, or as by `kneighbors`.
        """
        _check_mode(mode)
        counts, distances, rows = self._within(X, radius, max_neighbors=max_neighbors)
        columns = self._columns(rows)
        del rows  # half of the memory
        return self._graph(counts, distances, columns, mode)

    def _columns(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the columns of neighbors, as the integers that scipy would convert them to."""
        is_short = max(len(rows), self.n_samples_fit_) <= np.iinfo(np.int32).max
        return self._collection.positions_of(rows, np.int32 if is_short else np.int64)

    def _graph(
        self, counts: NDArray[np.int64], distances: NDArray[np.int32], columns: NDArray[Any], mode: str
    ) -> csr_matrix:
        """Build the graph of the neighbors of all queries, in order."""
        weights = np.ones(len(columns)) if mode == "connectivity" else distances.astype(np.float64)
        row_ends = np.concatenate([[0], np.cumsum(counts)]).astype(columns.dtype)
        return csr_matrix((weights, columns, row_ends), shape=(len(counts), self.n_samples_fit_))


def _check_mode(mode: str) -> None:
    """Raise ValueError for an unknown mode."""
    if mode not in ("connectivity", "distance"):
        raise ValueError(f"mode must be 'connectivity' or 'distance', got {mode!r}.")
