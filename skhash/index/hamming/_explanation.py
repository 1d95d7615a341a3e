"""Forecasts of searches: what they would do and cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState

if TYPE_CHECKING:
    from skhash.index.collection._ids import IdsLike
    from skhash.index.engine._plan import SearchPlan
    from skhash.utils import CodesLike

__all__ = ["ExplanationMixin"]


class ExplanationMixin(_IndexState):
    """The method of `HammingIndex` that forecasts searches."""

    @on_snapshot
    def explain(
        self,
        X: CodesLike | None = None,
        n_neighbors: int | None = None,
        radius: int | None = None,
        where: IdsLike | None = None,
    ) -> SearchPlan:
        """Forecast what a search would do and cost, without doing it.

        The choice between a scan and tables is made by the same code as in a search, from what searches so far have
        cost. Nothing is built and nothing is remembered; up to 64 of the queries are scanned to learn how far they
        reach.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes.
        n_neighbors : int, default=None
            Number of neighbors, for the plan of `kneighbors`; None means the parameter of that name.
        radius : int, default=None
            Largest distance of a neighbor, for the plan of `radius_neighbors`. None means the plan of `kneighbors`.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search, as in `kneighbors`.

        Returns
        -------
        plan : SearchPlan
            Algorithm, reason, numbers of codes and forecasts; `print(plan)` shows a table.

        Raises
        ------
        ValueError
            If both `n_neighbors` and `radius` are passed, or as by `kneighbors`.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex(n_neighbors=2).fit([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        >>> plan = index.explain([[0, 1, 0]])
        >>> plan.algorithm, plan.reason, plan.tables
        ('brute', 'a scan costs less than looking a query up in tables', 'not built')
        >>> _ = index.kneighbors([[0, 1, 0]])
        >>> index.last_search_["algorithm"] == plan.algorithm
        True
        """
        if radius is None:
            queries, request = self._nearest_request(X, n_neighbors, where)
        elif n_neighbors is None:
            queries, request = self._radius_request(X, radius, where)
        else:
            raise ValueError(f"Pass n_neighbors or radius, got n_neighbors={n_neighbors!r} and radius={radius!r}.")
        plan = self._get_engine().explain(queries, request)
        return replace(plan, n_codes=self.n_samples_fit_, n_removed=self._collection.n_dead)
