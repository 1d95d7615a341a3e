"""Precision and recall of the items within a Hamming radius, as a lookup in hash tables finds them."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS, read_retrieval
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._retrieval import Retrieval
    from skhash.utils import CodesLike

EmptyBall: TypeAlias = Literal["zero", "skip", "skip_no_hit"]

EMPTY_BALL: dict[str, str] = {
    "zero": "queries with nothing within the radius have precision 0",
    "skip": "queries with nothing within the radius left out of the precision",
    "skip_no_hit": "queries with nothing relevant within the radius left out of both",
}

RADIUS_CONSTRAINTS = {
    **RETRIEVAL_CONSTRAINTS,
    "radius": [Interval(Integral, 0, None, closed="left")],
    "empty_ball": [StrOptions(set(EMPTY_BALL))],
}


@validate_params(RADIUS_CONSTRAINTS, prefer_skip_nested_validation=True)
def precision_within_radius(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    radius: int = 2,
    *,
    empty_ball: EmptyBall = "zero",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Score:
    """Compute the share of relevant items among all within a Hamming radius, averaged over the queries ("P@H<=2").

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
    radius : int, default=2
        Largest Hamming distance that counts.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        A query with nothing within the radius has precision 0 ("zero", as in LBHash and DCH) or is left out of the
        precision ("skip"); "skip_no_hit" leaves queries with nothing relevant within the radius out of precision and
        recall (TreezzZ's ports).
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
    precision : Score
        From 0 to 1; NaN if all queries are left out.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent.

    Examples
    --------
    >>> from skhash.metrics import precision_within_radius
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> precision_within_radius([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], radius=1)
    0.5
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    return radius_scores(retrieval, radius, empty_ball)[0]


@validate_params(RADIUS_CONSTRAINTS, prefer_skip_nested_validation=True)
def recall_within_radius(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    radius: int = 2,
    *,
    empty_ball: EmptyBall = "zero",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Score:
    """Compute the share of all relevant items that is within a Hamming radius, averaged over the queries.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query. A query
        without any relevant item counts 0.
    radius : int, default=2
        Largest Hamming distance that counts.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        Only "skip_no_hit" changes the recall: queries with nothing relevant within the radius are left out.
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
    recall : Score
        From 0 to 1; NaN if all queries are left out.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent.

    Examples
    --------
    >>> from skhash.metrics import recall_within_radius
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> recall_within_radius([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], radius=1)
    0.5
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    return radius_scores(retrieval, radius, empty_ball)[1]


def radius_scores(retrieval: Retrieval, radius: int, empty_ball: EmptyBall) -> list[Score]:
    """Compute precision and recall of a `Retrieval` within a radius."""
    found, hits, totals = count_balls(retrieval, np.array([min(radius, retrieval.bits)]))
    per_query = _ball_shares(found, hits, totals, empty_ball)
    means = ball_means(found, hits, totals, empty_ball)
    counted = dict.fromkeys(("precision", "recall"), EMPTY_BALL[empty_ball])
    if empty_ball != "skip_no_hit":
        counted["recall"] = "queries without relevant items count 0"
    return [
        Score(mean[0], f"{name} within Hamming radius {radius}, {counted[name]}", shares[:, 0])
        for name, mean, shares in zip(counted, means, per_query, strict=True)
    ]


def count_balls(
    retrieval: Retrieval, radii: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count all items and the relevant ones within each radius of each query, and the relevant ones in the database.

    Returns
    -------
    found, hits : ndarray of int64 of shape (n_queries, n_radii)
        Numbers of items and of relevant items within each radius.
    totals : ndarray of int64 of shape (n_queries,)
        Numbers of relevant items in the database.
    """
    batches = retrieval.groups(
        lambda _, counts, relevant: (
            counts.cumsum(axis=1)[:, radii],
            relevant.cumsum(axis=1)[:, radii],
            relevant.sum(axis=1),
        )
    )
    return retrieval.per_query(batches)


def ball_means(
    found: NDArray[np.int64], hits: NDArray[np.int64], totals: NDArray[np.int64], empty_ball: EmptyBall
) -> list[NDArray[np.float64]]:
    """Average precision and recall over the queries that count, for every radius; NaN where no query counts."""
    return [_mean(shares) for shares in _ball_shares(found, hits, totals, empty_ball)]


def _ball_shares(
    found: NDArray[np.int64], hits: NDArray[np.int64], totals: NDArray[np.int64], empty_ball: EmptyBall
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute precision and recall of every query within every radius, NaN where the query does not count."""
    precision = hits / np.maximum(found, 1)
    recall = hits / np.maximum(totals, 1)[:, None]
    if empty_ball == "skip":
        precision[found == 0] = np.nan
    elif empty_ball == "skip_no_hit":
        precision[hits == 0] = recall[hits == 0] = np.nan
    return precision, recall


def _mean(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the queries that are not NaN; NaN where no query is left."""
    counted = ~np.isnan(shares)
    sums, n = np.where(counted, shares, 0.0).sum(axis=0), counted.sum(axis=0)
    return np.divide(sums, n, out=np.full(len(sums), np.nan), where=n > 0)
