"""Precision and recall as curves, by rank or by Hamming radius."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.bitops import kernel
from skhash.metrics.ranking._hits import RANKING_CONSTRAINTS, hits_within
from skhash.metrics.ranking._protocols import TIE_WORDS
from skhash.metrics.ranking._radius import EMPTY_BALL, RADIUS_CONSTRAINTS, ball_means, count_balls
from skhash.metrics.ranking._retrieval import read_retrieval
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, spread_tied_hits
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import Ties, ZeroHit
    from skhash.metrics.ranking._radius import EmptyBall
    from skhash.metrics.ranking._retrieval import Retrieval
    from skhash.utils import CodesLike, RandomStateLike


@dataclass(frozen=True, eq=False)
class RetrievalCurve:
    """Precision and recall as functions of a threshold, averaged over the queries.

    Parameters
    ----------
    thresholds : ndarray of int64 of shape (n_thresholds,)
        Ranks from 1 on, or Hamming radii from 0 on.
    precision : ndarray of float of shape (n_thresholds,)
        Mean share of relevant items among those up to each threshold.
    recall : ndarray of float of shape (n_thresholds,)
        Mean share of all relevant items that is up to each threshold.
    definition : str
        The exact definition in one line.
    """

    thresholds: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    definition: str


@validate_params(
    {
        **RANKING_CONSTRAINTS,
        "R": [Interval(Integral, 1, None, closed="left"), None],
        "zero_hit": [StrOptions({"zero", "skip"})],
    },
    prefer_skip_nested_validation=True,
)
def precision_recall_by_rank(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    R: int | None = None,
    zero_hit: ZeroHit = "zero",
    ties: Ties = "stable",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> RetrievalCurve:
    """Compute precision and recall among the first r results, for every r.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
    R : int, default=None
        Last rank; None means the whole database.
    zero_hit : {"zero", "skip"}, default="zero"
        Whether queries with no relevant item within the first `R` count, with zeros, or are left out.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at the same distance, as in `mean_average_precision`; "expected" is exact.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    curve : RetrievalCurve
        The curve, with the ranks 1, ..., R as thresholds.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent, or if `zero_hit="skip"` leaves no query.

    Examples
    --------
    >>> from skhash.metrics import precision_recall_by_rank
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> curve = precision_recall_by_rank([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], R=3)
    >>> curve.precision.round(2), curve.recall
    (array([1.  , 0.5 , 0.67]), array([0.5, 0.5, 1. ]))
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    retrieval = retrieval.shuffled(random_state) if ties == "random" else retrieval
    R = retrieval.n_ranked if R is None else min(R, retrieval.n_ranked)
    order = TIE_ORDERS.get(ties)
    n_queries = len(retrieval.queries)
    counted = np.ones(n_queries) if zero_hit == "zero" else _any_within(retrieval, R, ties).astype(float)

    totals_of = retrieval.totals()

    def spread(rows: NDArray[np.int64], *known: Any) -> NDArray[np.float64]:
        n_relevant = totals_of[rows]
        steps = np.zeros((2, retrieval.n_ranked + 1))
        for weights, into in zip((counted[rows], counted[rows] / np.maximum(n_relevant, 1)), steps, strict=True):
            if order is None:
                ranks, starts, totals = known
                _mark_ranks(ranks, starts, totals, weights, into)
            else:
                counts, relevant = known
                spread_tied_hits(counts, relevant, order, weights, into)
        return steps

    batches = retrieval.ranks(spread, R) if order is None else retrieval.groups(spread)
    steps = sum((result for _, result in batches), np.zeros((2, retrieval.n_ranked + 1)))[:, :R]
    # Single ranks are marked one by one; a group of ties only where its run of equal shares begins and ends.
    found = steps if order is None else steps.cumsum(axis=1)
    hits, recall = found.cumsum(axis=1) / int(counted.sum())
    ranks = np.arange(1, R + 1)
    skipped = "" if zero_hit == "zero" else f", queries without a relevant item in the first {R} skipped"
    return RetrievalCurve(
        ranks, hits / ranks, recall, f"precision and recall by rank, means over queries{skipped}, {TIE_WORDS[ties]}"
    )


@validate_params(
    {name: limits for name, limits in RADIUS_CONSTRAINTS.items() if name != "radius"},
    prefer_skip_nested_validation=True,
)
def precision_recall_by_radius(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    empty_ball: EmptyBall = "zero",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> RetrievalCurve:
    """Compute precision and recall within a Hamming radius, for every radius.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        How a query with nothing within the radius counts, see `precision_within_radius`.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    curve : RetrievalCurve
        The curve, with the radii 0, ..., bits as thresholds. It does not depend on the order of ties. Where all queries
        are left out, the value is NaN.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent.

    Examples
    --------
    >>> from skhash.metrics import precision_recall_by_radius
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> curve = precision_recall_by_radius([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"])
    >>> curve.thresholds, curve.recall
    (array([0, 1, 2, 3, 4]), array([0.5, 0.5, 0.5, 1. , 1. ]))
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    radii = np.arange(retrieval.bits + 1)
    precision, recall = ball_means(*count_balls(retrieval, radii), empty_ball)
    definition = f"precision and recall by Hamming radius, means over queries, {EMPTY_BALL[empty_ball]}"
    return RetrievalCurve(radii, precision, recall, definition)


def _any_within(retrieval: Retrieval, R: int, ties: Ties) -> NDArray[np.bool_]:
    """Find the queries that have, or can have, a relevant item within the first `R`."""
    hits = hits_within(retrieval, np.array([R]), "stable" if ties == "random" else ties)
    if not hits.any():
        raise ValueError(
            f"zero_hit='skip' requires a query with a relevant item within the top {R}, got 0 of {len(hits)} queries."
        )
    return hits[:, 0] > 0


@kernel
def _mark_ranks(ranks, starts, totals, weights, marks):
    """Add each query's weight to `marks` at the ranks of its relevant items."""
    for q in range(len(totals)):
        for i in range(starts[q], starts[q] + totals[q]):
            marks[ranks[i] - 1] += weights[q]
