"""Precision and recall as curves: over the ranks, and over the Hamming radius."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from skhash.bitops import kernel
from skhash.metrics.ranking._hits import RANKING_CONSTRAINTS, hits_within
from skhash.metrics.ranking._protocols import TIE_WORDS
from skhash.metrics.ranking._radius import EMPTY_BALL, RADIUS_CONSTRAINTS, ball_means, count_balls
from skhash.metrics.ranking._retrieval import read_retrieval
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, spread_tied_hits
from skhash.utils import Interval, StrOptions, validate_params


@dataclass(frozen=True, eq=False)
class RetrievalCurve:
    """Precision and recall over a threshold, averaged over the queries.

    Parameters
    ----------
    thresholds : ndarray of int64 of shape (n_thresholds,)
        Ranks from 1 on, or Hamming radii from 0 on.
    precision : ndarray of float of shape (n_thresholds,)
        Mean share of relevant items among what is found up to each threshold.
    recall : ndarray of float of shape (n_thresholds,)
        Mean share of the relevant items that is found up to each threshold.
    definition : str
        What exactly that means.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
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
    query_codes,
    database_codes,
    query_labels,
    database_labels,
    *,
    R=None,
    zero_hit="zero",
    ties="stable",
    exclude_self=False,
    bits=None,
    random_state=None,
    n_jobs=None,
):
    """Precision and recall among the first r results, for every r.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes that are searched for, and codes that are searched.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of either; an item is relevant if it shares a label.
    R : int, default=None
        Last rank; None is the whole database.
    zero_hit : {"zero", "skip"}, default="zero"
        Whether queries with no relevant item within the first `R` count, with zeros, or are left out.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at one distance, as in `mean_average_precision`; "expected" is exact.
    exclude_self : bool, default=False
        Leave each query out of its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    curve : RetrievalCurve
        With the ranks 1, ..., R as thresholds.

    Raises
    ------
    ValueError
        If codes or labels are malformed or do not fit each other, or if `zero_hit="skip"` leaves no query.

    Examples
    --------
    >>> from skhash.metrics import precision_recall_by_rank
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> curve = precision_recall_by_rank([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], R=3)
    >>> curve.precision.round(2), curve.recall
    (array([1.  , 0.5 , 0.67]), array([0.5, 0.5, 1. ]))
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, n_jobs=n_jobs)
    retrieval = retrieval.shuffled(random_state) if ties == "random" else retrieval
    R = retrieval.n_ranked if R is None else min(R, retrieval.n_ranked)
    order = TIE_ORDERS.get(ties)
    first = [] if zero_hit == "zero" else _any_within(retrieval, R, ties)

    def spread(rows, *known):
        counted = np.ones(len(rows)) if zero_hit == "zero" else first[rows].astype(float)
        totals = known[-1] if order is None else known[1].sum(axis=1)
        steps = np.zeros((2, retrieval.n_ranked + 1))
        for weights, into in zip((counted, counted / np.maximum(totals, 1)), steps, strict=True):
            if order is None:
                _mark_ranks(*known, weights, into)
            else:
                spread_tied_hits(*known, order, weights, into)
        return steps

    batches = retrieval.ranks(spread) if order is None else retrieval.groups(spread)
    steps = sum(result for _, result in batches)[:, :R]
    # Single ranks are marked as they are, ties as where a run of equal shares begins and ends.
    found = steps if order is None else steps.cumsum(axis=1)
    n_counted = len(retrieval.queries) if zero_hit == "zero" else int(first.sum())
    hits, recall = found.cumsum(axis=1) / n_counted
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
    query_codes,
    database_codes,
    query_labels,
    database_labels,
    *,
    empty_ball="zero",
    exclude_self=False,
    bits=None,
    n_jobs=None,
):
    """Precision and recall within a Hamming radius, for every radius.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes that are searched for, and codes that are searched.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of either; an item is relevant if it shares a label.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        What a query with nothing within the radius does to the mean, see `precision_within_radius`.
    exclude_self : bool, default=False
        Leave each query out of its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    curve : RetrievalCurve
        With the radii 0, ..., bits as thresholds. Ties cannot matter here. Where all queries are left out, the value is
        NaN.

    Raises
    ------
    ValueError
        If codes or labels are malformed or do not fit each other.

    Examples
    --------
    >>> from skhash.metrics import precision_recall_by_radius
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> curve = precision_recall_by_radius([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"])
    >>> curve.thresholds, curve.recall
    (array([0, 1, 2, 3, 4]), array([0.5, 0.5, 0.5, 1. , 1. ]))
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, n_jobs=n_jobs)
    radii = np.arange(retrieval.bits + 1)
    precision, recall = ball_means(*count_balls(retrieval, radii), empty_ball)
    definition = f"precision and recall by Hamming radius, means over queries, {EMPTY_BALL[empty_ball]}"
    return RetrievalCurve(radii, precision, recall, definition)


def _any_within(retrieval, R, ties):
    """Tell which queries have, or can have, a relevant item within the first `R`."""
    hits, _ = hits_within(retrieval, np.array([R]), "stable" if ties == "random" else ties)
    if not hits.any():
        raise ValueError(f"zero_hit='skip' leaves no query: none has a relevant item within the top {R}.")
    return hits[:, 0] > 0


@kernel
def _mark_ranks(ranks, starts, totals, weights, marks):
    """Add each query's weight to the ranks of its relevant items."""
    for q in range(len(totals)):
        for i in range(starts[q], starts[q] + totals[q]):
            marks[ranks[i] - 1] += weights[q]
