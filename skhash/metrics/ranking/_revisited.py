"""Instance retrieval: revisited Oxford and Paris, and Google Landmarks v2, by their own evaluation rules."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.ranking._mean_average_precision import MAP_CONSTRAINTS, map_of
from skhash.metrics.ranking._protocols import RANKING_PROTOCOLS
from skhash.metrics.ranking._relevance import ListedRelevance
from skhash.metrics.ranking._retrieval import Retrieval, read_both_codes
from skhash.utils import StrOptions, validate_params

# Positive lists and ignored lists of each level of difficulty.
_LEVELS = {
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}


@dataclass(frozen=True)
class RevisitedScores:
    """What the revisited benchmarks report.

    Parameters
    ----------
    map : Score
        Mean average precision.
    precision : dict of int to Score
        Mean precision at each k ("mP@k").
    definition : str
        What exactly that is.
    """

    map: Score
    precision: dict
    definition: str


def revisited_average_precision(ranks, n_positive=None):
    """Average precision by the trapezoidal rule of the revisited Oxford and Paris benchmarks.

    Parameters
    ----------
    ranks : array-like of int of shape (n_found,)
        Ranks of the positive items, from 0 and ascending, with ignored items taken out of the ranking.
    n_positive : int, default=None
        Number of all positives; None means that all are in `ranks`.

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
        raise ValueError("ranks must be one ascending list of different integers from 0 on.")
    n_positive = len(ranks) if n_positive is None else n_positive
    if n_positive < max(len(ranks), 1):
        raise ValueError(f"n_positive={n_positive} must be at least 1 and at least the {len(ranks)} ranks given.")
    found = np.arange(len(ranks))
    before = np.where(ranks == 0, 1.0, found / np.maximum(ranks, 1))
    return float((before + (found + 1) / (ranks + 1)).sum() / (2 * n_positive))


@validate_params(
    {"difficulty": [StrOptions(set(_LEVELS))], "ks": ["array-like"], "n_jobs": [Integral, None]},
    prefer_skip_nested_validation=True,
)
def revisited_map(
    query_codes, database_codes, ground_truth, *, difficulty="medium", ks=(1, 5, 10), bits=None, n_jobs=None
):
    """Mean average precision and mP@k of the revisited Oxford and Paris benchmarks.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes that are searched for, and codes that are searched.
    ground_truth : list of dict
        For each query, rows of the database under "easy", "hard" and "junk", as in `gnd_roxford5k.pkl`.
    difficulty : {"easy", "medium", "hard"}, default="medium"
        Which lists are positive and which ignored: "easy" counts easy ones and ignores junk and hard ones, "medium"
        counts easy and hard ones, "hard" counts hard ones and ignores junk and easy ones.
    ks : array-like of int, default=(1, 5, 10)
        Where precision is reported. If the last positive of a query comes earlier, its rank takes the place of k.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    scores : RevisitedScores
        Means over the queries that have a positive item.

    Raises
    ------
    ValueError
        If the ground truth does not have one entry per query, names rows that the database lacks or an item twice, or
        if no query has a positive item.

    Notes
    -----
    The whole database is ranked, equal distances in database order; ignored items are taken out of the ranking.

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
    queries, database, bits = read_both_codes(query_codes, database_codes, bits)
    if len(ground_truth) != len(queries):
        raise ValueError(f"ground_truth has {len(ground_truth)} entries, but query_codes has {len(queries)} rows.")
    if not len(ks) or not all(isinstance(k, Integral) and k >= 1 for k in ks):
        raise ValueError(f"ks must hold integers of at least 1, got {ks}.")
    ks = [int(k) for k in ks]
    lists = [_read_lists(entry, q, len(database)) for q, entry in enumerate(ground_truth)]
    ranks = [
        _rank(queries, database, bits, [_joined(each, names) for each in lists], n_jobs)
        for names in _LEVELS[difficulty]
    ]
    ap, precisions = np.full(len(queries), np.nan), np.full((len(queries), len(ks)), np.nan)
    for q, (positive, ignored) in enumerate(zip(*ranks, strict=True)):
        if len(positive):
            positive = positive - np.searchsorted(ignored, positive)
            ap[q] = revisited_average_precision(positive)
            for i, k in enumerate(ks):
                last = min(positive[-1] + 1, k)
                precisions[q, i] = (positive < last).sum() / last
    if np.isnan(ap).all():
        raise ValueError(f"No query has a positive item at difficulty={difficulty!r}.")
    definition = (
        f"revisited Oxford / Paris, {difficulty}: trapezoidal AP without ignored items, queries without positives "
        "skipped, ties in database order"
    )
    return RevisitedScores(
        Score(np.nanmean(ap), f"mAP, {definition}", ap),
        {
            k: Score(np.nanmean(values), f"mP@{k}, {definition}", values)
            for k, values in zip(ks, precisions.T, strict=True)
        },
        definition,
    )


@validate_params(
    {"protocol": MAP_CONSTRAINTS["protocol"], "n_jobs": [Integral, None]}, prefer_skip_nested_validation=True
)
def gldv2_map(query_codes, database_codes, ground_truth, *, protocol="gldv2", bits=None, n_jobs=None):
    """Mean average precision at 100 of Google Landmarks v2 retrieval.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes that are searched for, and codes that are searched.
    ground_truth : list of array-like of int
        For each query, the rows of the database that show its landmark. Queries with none count 0.
    protocol : str or RankingProtocol, default="gldv2"
        "gldv2" divides by the smaller of 100 and the number of relevant items (DELG's own metrics), "gldv2-orthohash"
        by their number; any other of `RANKING_PROTOCOLS` will do.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    map : Score
        From 0 to 1.

    Raises
    ------
    ValueError
        If the ground truth does not have one entry per query, names rows that the database lacks, or names one twice.

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
    queries, database, bits = read_both_codes(query_codes, database_codes, bits)
    if len(ground_truth) != len(queries):
        raise ValueError(f"ground_truth has {len(ground_truth)} entries, but query_codes has {len(queries)} rows.")
    lists = [_read_rows(rows, q, len(database)) for q, rows in enumerate(ground_truth)]
    plan = RANKING_PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    return map_of(_listed(queries, database, bits, lists, n_jobs), plan)


def _listed(queries, database, bits, lists, n_jobs):
    """A `Retrieval` whose relevant items are listed."""
    return Retrieval(queries, database, bits, ListedRelevance(lists), np.full(len(queries), -1), n_jobs)


def _rank(queries, database, bits, lists, n_jobs):
    """Ranks, from 0, of each query's listed items."""
    ranked = [None] * len(queries)

    def keep(rows, ranks, starts, totals):
        for q, start, total in zip(rows, starts, totals, strict=True):
            ranked[q] = ranks[start : start + total] - 1

    for _ in _listed(queries, database, bits, lists, n_jobs).ranks(keep):
        pass
    return ranked


def _read_lists(entry, q, n_items):
    """Check one entry of the ground truth and give its lists by name."""
    missing = [name for name in ("easy", "hard", "junk") if name not in entry]
    if missing:
        raise ValueError(f"ground_truth[{q}] lacks {missing}; expected 'easy', 'hard' and 'junk'.")
    lists = {name: _read_rows(entry[name], q, n_items) for name in ("easy", "hard", "junk")}
    _read_rows(_joined(lists, lists), q, n_items)  # no row is in two of them
    return lists


def _joined(lists, names):
    """Rows that are in any of the named lists, ascending."""
    return np.sort(np.concatenate([lists[name] for name in names]))


def _read_rows(rows, q, n_items):
    """Check the rows that the ground truth names for query `q`, and sort them."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise ValueError(f"ground_truth[{q}] must list integer rows, got dtype {rows.dtype} and shape {rows.shape}.")
    rows = np.sort(rows.astype(np.int64))
    if len(rows) and (rows[0] < 0 or rows[-1] >= n_items):
        raise ValueError(f"ground_truth[{q}] names rows from {rows[0]} to {rows[-1]}; the database has {n_items} rows.")
    if (rows[1:] == rows[:-1]).any():
        raise ValueError(f"ground_truth[{q}] names a row twice.")
    return rows
