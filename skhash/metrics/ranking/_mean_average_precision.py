"""Mean average precision of a retrieval by Hamming distance."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.ranking._average_precision import DENOMINATORS, TIES, divide
from skhash.metrics.ranking._protocols import RANKING_PROTOCOLS, RankingProtocol, resolve_protocol
from skhash.metrics.ranking._ranks import sum_precisions
from skhash.metrics.ranking._relevance import SharedLabelRelevance
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS, read_retrieval
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, harmonic_numbers, sum_tied_precisions
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import Denominator, Ties, ZeroHit
    from skhash.metrics.ranking._retrieval import Retrieval
    from skhash.utils import CodesLike, RandomStateLike

MAP_CONSTRAINTS = {
    "protocol": [StrOptions(set(RANKING_PROTOCOLS)), RankingProtocol],
    "R": [Interval(Integral, 1, None, closed="left"), None],
    "denominator": [StrOptions(DENOMINATORS), None],
    "zero_hit": [StrOptions({"zero", "skip"}), None],
    "ties": [StrOptions(TIES), None],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
}


@validate_params({**MAP_CONSTRAINTS, **RETRIEVAL_CONSTRAINTS}, prefer_skip_nested_validation=True)
def mean_average_precision(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    protocol: str | RankingProtocol = "skhash",
    R: int | None = None,
    denominator: Denominator | None = None,
    zero_hit: ZeroHit | None = None,
    ties: Ties | None = None,
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> Score:
    """Compute the mean average precision (mAP@R) of ranking a database by Hamming distance from each query.

    With the defaults, the whole database is ranked by Hamming distance, equal distances in database order; a database
    item is relevant if it has the query's label (shares one, if there are several); the precisions at the ranks of the
    relevant items are averaged over the relevant items; a query without any counts 0; the mean is over all queries.
    Published values differ in every one of these choices: the result's `definition` states them.

    Parameters
    ----------
    query_codes : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
        Codes of the queries.
    database_codes : array-like of shape (n_items, bits) or in another form of `skhash.codes`
        Codes of the database.
    query_labels : array-like of shape (n_queries,) or (n_queries, n_classes)
        Class labels (integers, strings) or a multi-hot 0 / 1 matrix. Classes that the database lacks are allowed: such
        a query has no relevant item.
    database_labels : array-like of shape (n_items,) or (n_items, n_classes)
        Labels of the database, of the same kind.
    protocol : str or RankingProtocol, default="skhash"
        Definition to use, a name of `RANKING_PROTOCOLS` or a definition of your own; the parameters below change it
        where they are not None.
    R : int, default=None
        Number of ranks that count, at least 1 (mAP@R). None uses the protocol's, mostly the whole database (mAP@all).
    denominator : {"top", "total", "min"}, default=None
        Divisor of a query's sum of precisions: the number of relevant items within the first `R` ("top", the usual one
        in deep hashing: it does not measure recall), the number of all relevant items ("total"), or `min(R, total)`.
        All three are equal for mAP@all.
    zero_hit : {"zero", "skip"}, default=None
        Whether a query with no relevant item within the first `R` counts 0 or is left out of the mean.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at the same distance: as in the database, averaged over all orders, relevant items first,
        relevant items last, or database order after one shuffle of the database by `random_state`. Short codes tie
        often; in a database sorted by class "stable" favors some classes, "expected" does not, and is several times
        faster. See the notes of `average_precision` on exactness.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`, and both sides have the same codes and
        labels.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads; None means 1 unless in a `joblib.parallel_config` context, -1 means all. The result does not
        depend on it.

    Returns
    -------
    map : Score
        Mean average precision, a float from 0 to 1, with its `definition` and the average precisions `per_query`.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent, if either side is empty, or if `zero_hit="skip"` leaves no
        query.

    See Also
    --------
    average_precision : One ranked list, and the full definition.
    make_map_scorer : The same as a `scoring=` of scikit-learn.

    Notes
    -----
    Each query costs one pass over the database that counts distances; nothing is sorted. Where ties need no order, the
    pass counts 512 codes at a time and takes about as long as a search for the ten nearest. For a small `R` only the
    nearest items are searched for. Besides codes and labels, memory grows with the database, not with the number of
    pairs, and is bounded by scikit-learn's `working_memory`.

    Examples
    --------
    >>> from skhash.metrics import mean_average_precision
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> score = mean_average_precision([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], R=2)
    >>> score
    1.0
    >>> print(score.definition)
    mAP@2 (skhash): AP over relevant items in the top R; queries without a hit count 0; ties in database order
    >>> mean_average_precision(database, database, [0, 0, 1, 1], [0, 0, 1, 1], exclude_self=True)
    1.0
    """
    plan = resolve_protocol(protocol, R=R, denominator=denominator, zero_hit=zero_hit, ties=ties)
    retrieval = read_retrieval(
        *(query_codes, database_codes, query_labels, database_labels),
        exclude_self=exclude_self,
        bits=bits,
        bitorder=bitorder,
        n_jobs=n_jobs,
    )
    return map_of(retrieval, plan, random_state)


def map_of(retrieval: Retrieval, plan: RankingProtocol, random_state: RandomStateLike | None = None) -> Score:
    """Compute the mean average precision of a `Retrieval` by a `RankingProtocol`."""
    R = retrieval.n_ranked if plan.R is None else min(plan.R, retrieval.n_ranked)
    if plan.ties == "random":
        retrieval = retrieval.shuffled(random_state)
    if plan.ties in TIE_ORDERS:
        table, order = harmonic_numbers(R), TIE_ORDERS[plan.ties]
        batches = retrieval.groups(lambda _, counts, relevant: sum_tied_precisions(counts, relevant, R, order, table))
    else:
        batches = retrieval.ranks(lambda _, ranks, starts, lengths: sum_precisions(ranks, starts, lengths, R), R)
    sums, hits = retrieval.per_query(batches)
    ap = divide(sums, hits, hits if plan.denominator == "top" else retrieval.totals(), R, plan.denominator)
    if plan.zero_hit == "skip":
        if not hits.any():
            raise ValueError(
                f"zero_hit='skip' requires a query with a relevant item within the top {R}, got 0 of {len(ap)} queries."
            )
        ap[hits == 0] = np.nan
    if plan.unlabeled == "skip" and isinstance(retrieval.relevance, SharedLabelRelevance):
        labeled = retrieval.relevance.relevant_to_itself()
        if not labeled.any():
            raise ValueError(f"unlabeled='skip' requires a query with a label, got 0 of {len(ap)} queries.")
        ap[~labeled] = np.nan
    return Score(np.nanmean(ap), plan.describe(), ap)
