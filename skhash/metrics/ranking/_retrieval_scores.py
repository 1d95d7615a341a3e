"""Several metrics of one retrieval at once, by name."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

from skhash.metrics.ranking._at_k import precision_of, recall_of
from skhash.metrics.ranking._average_precision import TIES
from skhash.metrics.ranking._mean_average_precision import map_of
from skhash.metrics.ranking._ndcg import NDCG_TIES, ndcg
from skhash.metrics.ranking._protocols import RANKING_PROTOCOLS, RankingProtocol, resolve_protocol
from skhash.metrics.ranking._radius import EMPTY_BALL, radius_scores
from skhash.metrics.ranking._recognition import knn_accuracy
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS, read_retrieval
from skhash.utils import StrOptions, local_random_state, validate_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from skhash.codes import BitOrder
    from skhash.metrics._score import Score
    from skhash.metrics.ranking._protocols import Ties
    from skhash.metrics.ranking._radius import EmptyBall
    from skhash.metrics.ranking._retrieval import Retrieval, Sides
    from skhash.utils import CodesLike, RandomStateLike

# The number of a metric whose name comes without "@" and a number.
DEFAULT_NUMBERS: dict[str, int | None] = {
    "map": None,
    "precision": 100,
    "recall": 100,
    "precision_within": 2,
    "recall_within": 2,
    "ndcg": 100,
    "knn_accuracy": 100,
}

SCORES_CONSTRAINTS = {
    "metrics": ["array-like", str],
    "protocol": [StrOptions(set(RANKING_PROTOCOLS)), RankingProtocol],
    "ties": [StrOptions(TIES), None],
    "empty_ball": [StrOptions(set(EMPTY_BALL))],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
}


@validate_params({**SCORES_CONSTRAINTS, **RETRIEVAL_CONSTRAINTS}, prefer_skip_nested_validation=True)
def retrieval_scores(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    metrics: str | Sequence[str] = ("map", "precision@10", "recall@10", "precision_within@2"),
    *,
    protocol: str | RankingProtocol = "skhash",
    ties: Ties | None = None,
    empty_ball: EmptyBall = "zero",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> dict[str, Score]:
    """Compute several retrieval metrics.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
    metrics : str or sequence of str, default=("map", "precision@10", "recall@10", "precision_within@2")
        Names with an optional number: "map" or "map@1000" (R), "precision@100", "recall@100" (k), "precision_within@2",
        "recall_within@2" (Hamming radius), "ndcg@100" (R), "knn_accuracy@100" (voters).
    protocol : str or RankingProtocol, default="skhash"
        Definition of "map", see `mean_average_precision`; the other metrics take its order of ties, too.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at the same distance; None uses the protocol's.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        How a query with nothing within the radius counts, see `precision_within_radius`.
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
    scores : dict of str to Score
        The scores by the given names, each with its `definition`.

    Raises
    ------
    ValueError
        If a name is unknown, or if one of the metrics raises it.

    Examples
    --------
    >>> from skhash.metrics import retrieval_scores
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> retrieval_scores([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], ["map", "recall@2"])
    {'map': 0.8333333333333333, 'recall@2': 0.5}
    """
    names = read_metric_names(metrics)
    plan = resolve_protocol(protocol, ties=ties)
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    if not isinstance(random_state, Integral):  # one order of ties for all metrics
        random_state = int(local_random_state(random_state).randint(2**31 - 1))
    return {name: _score(retrieval, sides, *names[name], plan, empty_ball, random_state) for name in names}


def read_metric_names(
    metrics: str | Sequence[str], known: Mapping[str, int | None] = DEFAULT_NUMBERS
) -> dict[str, tuple[str, Any]]:
    """Split names such as "map@1000" into name and number; a name without a number gets the default one."""
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    if not metrics:
        raise ValueError("metrics must contain at least one name, got an empty sequence.")
    taken = {}
    for metric in metrics:
        name, at, number = str(metric).partition("@")
        least = 0 if name.endswith("_within") else 1
        valid = name in known and (number.isdecimal() and int(number) >= least if at else True)
        if not valid or (at and known[name] is None and name != "map"):
            raise ValueError(
                f"metrics must contain names among {', '.join(sorted(known))}, some followed by '@' and a number "
                f"(at least 1; a radius may be 0), got {metric!r}."
            )
        taken[metric] = name, int(number) if at else known[name]
    return taken


def _score(
    retrieval: Retrieval,
    sides: Sides,
    name: str,
    number: Any,
    plan: RankingProtocol,
    empty_ball: EmptyBall,
    random_state: RandomStateLike,
) -> Score:
    """Compute one metric."""
    if name == "map":
        return map_of(retrieval, resolve_protocol(plan, R=number), random_state)
    if name == "precision":
        return precision_of(retrieval, number, plan.ties, random_state)
    if name == "recall":
        return recall_of(retrieval, number, plan.ties, random_state)
    if name.endswith("_within"):
        return radius_scores(retrieval, number, empty_ball)[name == "recall_within"]
    packed = retrieval.queries, retrieval.database, *sides[2:]
    options = {"exclude_self": bool(retrieval.own[0] >= 0), "bits": retrieval.bits, "n_jobs": retrieval.n_jobs}
    if name == "ndcg":
        if plan.ties not in NDCG_TIES:
            raise ValueError(f"ties must be one of {sorted(NDCG_TIES)} for ndcg, got {plan.ties!r}.")
        return ndcg(*packed, R=number, ties=plan.ties, **options)
    return knn_accuracy(*packed, n_neighbors=number, **options)
