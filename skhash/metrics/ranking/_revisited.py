"""Instance retrieval: revisited Oxford and Paris, and Google Landmarks v2, each by its own evaluation rules."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.ranking._mean_average_precision import MAP_CONSTRAINTS, map_of
from skhash.metrics.ranking._protocols import RANKING_PROTOCOLS
from skhash.metrics.ranking._relevance import ListedRelevance
from skhash.metrics.ranking._retrieval import Retrieval, read_both_codes
from skhash.utils import StrOptions, validate_params

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import RankingProtocol
    from skhash.utils import CodesLike

Difficulty: TypeAlias = Literal["easy", "medium", "hard"]

# Positive lists and ignored lists of each level of difficulty.
_LEVELS = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}


@dataclass(frozen=True)
class RevisitedScores:
    """Scores that the revisited benchmarks report.

    Parameters
    ----------
    map : Score
        Mean average precision.
    precision : dict of int to Score
        Mean precision at each k ("mP@k").
    definition : str
        The exact definition in one line.
    """

    map: Score
    precision: dict[int, Score]
    definition: str


def revisited_average_precision(ranks: ArrayLike, n_positive: int | None = None) -> float:
    """Compute average precision by the trapezoidal rule of the revisited Oxford and Paris benchmarks.

    Parameters
    ----------
    ranks : array-like of int of shape (n_found,)
        Ranks of the positive items, from 0 and ascending, in the ranking without ignored items.
    n_positive : int, default=None
        Number of all positive items; None means that all are in `ranks`.

    Returns
    -------
    ap : float
        From 0 to 1.

    Notes
    -----
    The j-th positive, at rank k (both from 0), adds (p0 + p1) / (2 n_positive) with p0 = j / k, or 1 where k is 0, and
    p1 = (j + 1) / (k + 1).

    References
    ----------
    .. [1] F. Radenovic et al. "Revisiting Oxford and Paris: large-scale image retrieval benchmarking". CVPR 2018.

    Examples
    --------
    >>> from skhash.metrics import revisited_average_precision
    >>> round(revisited_average_precision([0, 2, 3, 6, 9]), 6)
    0.659921
    """
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or (len(ranks) and (ranks.dtype.kind not in "iu" or ranks[0] < 0 or (np.diff(ranks) < 1).any())):
        raise ValueError("ranks must be a 1-D array of distinct integers >= 0 in ascending order.")
    n_positive = len(ranks) if n_positive is None else n_positive
    if n_positive < max(len(ranks), 1):
        raise ValueError(f"n_positive must be >= {max(len(ranks), 1)} for {len(ranks)} ranks, got {n_positive}.")
    found = np.arange(len(ranks))
    before = np.where(ranks == 0, 1.0, found / np.maximum(ranks, 1))
    return float((before + (found + 1) / (ranks + 1)).sum() / (2 * n_positive))


@validate_params(
    {"difficulty": [StrOptions(set(_LEVELS))], "ks": ["array-like"], "n_jobs": [Integral, None]},
    prefer_skip_nested_validation=True,
)
def revisited_map(
    query_codes: CodesLike,
    database_codes: CodesLike,
    ground_truth: Sequence[Mapping[str, ArrayLike]],
    *,
    difficulty: Difficulty = "medium",
    ks: Sequence[int] | NDArray[Any] = (1, 5, 10),
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> RevisitedScores:
    """Compute mean average precision and mP@k of the revisited Oxford and Paris benchmarks.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    ground_truth : list of dict
        For each query, rows of the database under "easy", "hard" and "junk", as in `gnd_roxford5k.pkl`.
    difficulty : {"easy", "medium", "hard"}, default="medium"
        Which lists are positive and which are ignored. "easy": easy is positive, hard and junk are ignored; "medium":
        easy and hard are positive, junk is ignored; "hard": hard is positive, easy and junk are ignored.
    ks : array-like of int, default=(1, 5, 10)
        Numbers of results for which precision is reported, at least 1. If the last positive item of a query comes
        earlier, its rank replaces k.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    scores : RevisitedScores
        Means over the queries that have a positive item.

    Raises
    ------
    ValueError
        If the ground truth does not have one entry per query, has rows that the database lacks or a row twice, or if no
        query has a positive item.

    Notes
    -----
    The whole database is ranked, equal distances in database order; ignored items are removed from the ranking.

    References
    ----------
    .. [1] F. Radenovic et al. "Revisiting Oxford and Paris: large-scale image retrieval benchmarking". CVPR 2018.

    Examples
    --------
    >>> from skhash.metrics import revisited_map
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> scores = revisited_map([[0, 0, 0, 0]], database, [{"easy": [0], "hard": [2], "junk": [1]}])
    >>> scores.map, scores.precision[1]
    (1.0, 1.0)
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
    _check_length(ground_truth, len(queries))
    depths = _read_depths(ks)
    lists = [_read_lists(entry, q, len(database)) for q, entry in enumerate(ground_truth)]
    positives, ignored = (
        _rank(queries, database, bits, [_joined(each, names) for each in lists], n_jobs)
        for names in _LEVELS[difficulty]
    )
    scores = [_score_query(*ranks, depths) for ranks in zip(positives, ignored, strict=True)]
    ap, *precisions = np.ascontiguousarray(np.transpose(scores))
    if np.isnan(ap).all():
        raise ValueError(f"ground_truth must have a query with a positive item at difficulty={difficulty!r}, got none.")
    definition = (
        f"revisited Oxford / Paris, {difficulty}: trapezoidal AP without ignored items, queries without positives "
        "skipped, ties in database order"
    )
    return RevisitedScores(
        Score(np.nanmean(ap), f"mAP, {definition}", ap),
        {
            k: Score(np.nanmean(values), f"mP@{k}, {definition}", values)
            for k, values in zip(depths, precisions, strict=True)
        },
        definition,
    )


@validate_params(
    {"protocol": MAP_CONSTRAINTS["protocol"], "n_jobs": [Integral, None]}, prefer_skip_nested_validation=True
)
def gldv2_map(
    query_codes: CodesLike,
    database_codes: CodesLike,
    ground_truth: Sequence[ArrayLike],
    *,
    protocol: str | RankingProtocol = "gldv2",
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Score:
    """Compute mean average precision at 100 of Google Landmarks v2 retrieval.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    ground_truth : list of array-like of int
        For each query, the rows of the database that show its landmark. Queries with an empty list count 0.
    protocol : str or RankingProtocol, default="gldv2"
        "gldv2" divides by the smaller of 100 and the number of relevant items (DELG's own metrics), "gldv2-orthohash"
        by their number; all other `RANKING_PROTOCOLS` are accepted, too.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    map : Score
        From 0 to 1.

    Raises
    ------
    ValueError
        If the ground truth does not have one entry per query, has rows that the database lacks, or a row twice.

    References
    ----------
    .. [1] T. Weyand et al. "Google Landmarks Dataset v2". CVPR 2020.

    Examples
    --------
    >>> from skhash.metrics import gldv2_map
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> gldv2_map([[0, 0, 0, 0], [1, 1, 1, 1]], database, [[0, 1], []])
    0.5
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
    _check_length(ground_truth, len(queries))
    lists = [_read_rows(rows, q, len(database)) for q, rows in enumerate(ground_truth)]
    plan = RANKING_PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    return map_of(_listed(queries, database, bits, lists, n_jobs), plan)


def _check_length(ground_truth: Sequence[Any], n_queries: int) -> None:
    """Check that the ground truth has one entry per query."""
    if len(ground_truth) != n_queries:
        raise ValueError(f"ground_truth must have one entry per query, {n_queries}, got {len(ground_truth)}.")


def _read_depths(ks: Sequence[int] | NDArray[Any]) -> list[int]:
    """Check the numbers of results for which precision is reported."""
    if not len(ks) or not all(isinstance(k, Integral) and int(k) >= 1 for k in ks):
        raise ValueError(f"ks must contain integers >= 1, got {ks}.")
    return [int(k) for k in ks]


def _score_query(positive: NDArray[Any], ignored: NDArray[Any], depths: list[int]) -> list[float]:
    """Compute the average precision of one query and its precision at each depth, NaN if nothing is positive."""
    if not len(positive):
        return [np.nan] * (1 + len(depths))
    ranks = positive - np.searchsorted(ignored, positive)  # in the ranking without ignored items
    lasts = [min(ranks[-1] + 1, depth) for depth in depths]
    return [revisited_average_precision(ranks), *((ranks < last).sum() / last for last in lasts)]


def _listed(
    queries: NDArray[np.uint64],
    database: NDArray[np.uint64],
    bits: int,
    lists: list[NDArray[np.int64]],
    n_jobs: int | None,
) -> Retrieval:
    """Build a `Retrieval` whose relevant items are listed."""
    return Retrieval(queries, database, bits, ListedRelevance(lists), np.full(len(queries), -1), n_jobs)


def _rank(
    queries: NDArray[np.uint64],
    database: NDArray[np.uint64],
    bits: int,
    lists: list[NDArray[np.int64]],
    n_jobs: int | None,
) -> list[NDArray[np.int64]]:
    """Compute the ranks, from 0, of each query's listed items."""
    ranked = [np.empty(0, np.int64)] * len(queries)

    def keep(rows: NDArray[Any], ranks: NDArray[Any], starts: NDArray[Any], totals: NDArray[Any]) -> None:
        for q, start, total in zip(rows, starts, totals, strict=True):
            ranked[q] = ranks[start : start + total] - 1

    for _ in _listed(queries, database, bits, lists, n_jobs).ranks(keep):
        pass
    return ranked


def _read_lists(entry: Mapping[str, ArrayLike], q: int, n_items: int) -> dict[str, NDArray[np.int64]]:
    """Check one entry of the ground truth and return its lists by name."""
    missing = [name for name in ("easy", "hard", "junk") if name not in entry]
    if missing:
        raise ValueError(f"ground_truth[{q}] must have the keys 'easy', 'hard' and 'junk', missing: {missing}.")
    lists = {name: _read_rows(entry[name], q, n_items) for name in ("easy", "hard", "junk")}
    _read_rows(_joined(lists, lists), q, n_items)  # fails if a row is in two lists
    return lists


def _joined(lists: dict[str, NDArray[np.int64]], names: Iterable[str]) -> NDArray[np.int64]:
    """Merge the named lists of rows, ascending."""
    return np.sort(np.concatenate([lists[name] for name in names]))


def _read_rows(rows: ArrayLike, q: int, n_items: int) -> NDArray[np.int64]:
    """Check the rows of the ground truth for query `q`, and sort them."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise ValueError(f"ground_truth[{q}] must be 1-D integer rows, got dtype {rows.dtype} and shape {rows.shape}.")
    rows = np.sort(rows.astype(np.int64))
    if len(rows) and (rows[0] < 0 or rows[-1] >= n_items):
        raise ValueError(
            f"ground_truth[{q}] must have rows from 0 to {n_items - 1}, got rows from {rows[0]} to {rows[-1]}."
        )
    if (rows[1:] == rows[:-1]).any():
        raise ValueError(
            f"ground_truth[{q}] must not have a row twice, got {rows[1:][rows[1:] == rows[:-1]][0]} twice."
        )
    return rows
