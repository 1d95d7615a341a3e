"""Retrieval metrics as a `scoring=` for scikit-learn's cross-validation and searches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from skhash.metrics.ranking._mean_average_precision import MAP_CONSTRAINTS, mean_average_precision
from skhash.metrics.ranking._retrieval_scores import (
    DEFAULT_NUMBERS,
    SCORES_CONSTRAINTS,
    read_metric_names,
    retrieval_scores,
)
from skhash.metrics.scoring._code_scorer import CODE_STATISTICS, score_statistic
from skhash.metrics.scoring._estimator_codes import encode, hasher_and_index, project
from skhash.utils import validate_params

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from skhash.metrics.ranking._protocols import Denominator, RankingProtocol, Ties, ZeroHit
    from skhash.metrics.ranking._radius import EmptyBall
    from skhash.metrics.ranking._retrieval import Sides
    from skhash.utils import RandomStateLike, SamplesLike


@validate_params(MAP_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_map_scorer(
    R: int | None = None,
    *,
    protocol: str | RankingProtocol = "skhash",
    denominator: Denominator | None = None,
    zero_hit: ZeroHit | None = None,
    ties: Ties | None = None,
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> Callable[..., float]:
    """Make a scorer of mean average precision.

    Queries and database depend on the estimator that it is called with:

    - a hasher, or a `Pipeline` that ends in one: the given samples are both queries and database, each query excluded
      from its own ranking. In cross-validation these are the samples of the test fold.
    - a `HammingIndex`, or a `Pipeline` that ends in one: the given samples are queries to the indexed codes, with the
      labels that the index was fitted with. In cross-validation this searches the training folds.

    Scores of the two kinds are not comparable.

    Parameters
    ----------
    R : int, default=None
        Number of ranks that count, at least 1. None uses the protocol's, mostly the whole database.
    protocol : str or RankingProtocol, default="skhash"
        As in `mean_average_precision`, like the following parameters.
    denominator : {"top", "total", "min"}, default=None
        Divisor of a query's sum of precisions.
    zero_hit : {"zero", "skip"}, default=None
        Whether a query with no relevant item within the first `R` counts 0 or is left out of the mean.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at the same distance.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads, as in `mean_average_precision`.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` returns a float from 0 to 1; greater is better. It can be pickled.

    See Also
    --------
    mean_average_precision : The function that the scorer calls.
    make_retrieval_scorer : Several metrics at once.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import Pipeline
    >>> from skhash import HammingIndex, LSHHasher
    >>> from skhash.metrics import make_map_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> pipeline = Pipeline([("hasher", LSHHasher(random_state=0)), ("index", HammingIndex())])
    >>> scorer = make_map_scorer(R=100, ties="expected")
    >>> scorer
    make_map_scorer(R=100, ties='expected')
    >>> search = GridSearchCV(pipeline, {"hasher__bits": [8, 64]}, scoring=scorer, cv=3).fit(X, y)
    >>> search.best_params_
    {'hasher__bits': 64}
    """
    return _MapScorer(R, protocol, denominator, zero_hit, ties, random_state, n_jobs)


@validate_params(SCORES_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_retrieval_scorer(
    metrics: str | Sequence[str] = ("map", "precision@10", "recall@10", "precision_within@2"),
    *,
    protocol: str | RankingProtocol = "skhash",
    ties: Ties | None = None,
    empty_ball: EmptyBall = "zero",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> Callable[..., dict[str, float]]:
    """Make a scorer of several metrics that computes the codes once.

    The database depends on the estimator as for `make_map_scorer`: the given samples themselves, or the codes of a
    `HammingIndex` at the end of a pipeline.

    Parameters
    ----------
    metrics : str or sequence of str, default=("map", "precision@10", "recall@10", "precision_within@2")
        Names as in `retrieval_scores`; and names of statistics of the codes of the given samples, as in
        `make_code_scorer`, such as "lower_bound_ratio".
    protocol : str or RankingProtocol, default="skhash"
        Definition of "map", as in `mean_average_precision`.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at the same distance; None uses the protocol's.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        How a query with nothing within the radius counts, see `precision_within_radius`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` returns a dictionary of floats by the given names; greater is better. scikit-learn
        takes it for multi-metric scoring: `GridSearchCV(..., scoring=scorer, refit="map")`. It can be pickled.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_validate
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import make_retrieval_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> scorer = make_retrieval_scorer(["map", "precision@10", "lower_bound_ratio"])
    >>> results = cross_validate(ITQHasher(bits=16, random_state=0), X, y, scoring=scorer, cv=2)
    >>> sorted(name for name in results if name.startswith("test"))
    ['test_lower_bound_ratio', 'test_map', 'test_precision@10']
    """
    names = read_metric_names(metrics, {**DEFAULT_NUMBERS, **dict.fromkeys(CODE_STATISTICS)})
    return _RetrievalScorer(tuple(names), protocol, ties, empty_ball, random_state, n_jobs)


@dataclass(frozen=True, repr=False)
class _Scorer:
    """Base class of scorers: a repr with the changed arguments, and the choice of queries and database."""

    _maker: ClassVar[str]
    _purpose: ClassVar[str]

    def __repr__(self) -> str:
        given = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        changed = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
        return f"{self._maker}({changed})"

    def _search(self, estimator: Any, X: SamplesLike, y: ArrayLike | None) -> tuple[Sides, dict[str, Any]]:
        """Return codes and labels of queries and database, and options of the search."""
        if y is None:
            raise ValueError(f"{self._purpose} requires y, the labels of the samples, got None.")
        _, index = hasher_and_index(estimator, self._purpose)
        if index is not None:
            check_is_fitted(index)
        labels = None if index is None else index.labels_
        if index is not None and labels is None:
            raise ValueError(f"{self._purpose} requires an index with labels: fit the index with y.")
        codes, bits = encode(estimator, X, self._purpose)
        if index is None or labels is None:
            return (codes, codes, y, y), {"exclude_self": True}
        labels.warn_of_unknown(y)
        return (codes, index.codes_, y, labels.decode()), {"bits": bits}


@dataclass(frozen=True, repr=False)
class _MapScorer(_Scorer):
    """The scorer of `make_map_scorer`: its arguments, and a call."""

    R: int | None = None
    protocol: str | RankingProtocol = "skhash"
    denominator: Denominator | None = None
    zero_hit: ZeroHit | None = None
    ties: Ties | None = None
    random_state: RandomStateLike = None
    n_jobs: int | None = None

    _maker = "make_map_scorer"
    _purpose = "Mean average precision"

    def __call__(self, estimator: Any, X: SamplesLike, y: ArrayLike | None = None) -> float:
        """Compute the score of `estimator` for `X` and `y`."""
        sides, how = self._search(estimator, X, y)
        return mean_average_precision(*sides, **how, **vars(self))


@dataclass(frozen=True, repr=False)
class _RetrievalScorer(_Scorer):
    """The scorer of `make_retrieval_scorer`: its arguments, and a call."""

    metrics: tuple[str, ...]
    protocol: str | RankingProtocol = "skhash"
    ties: Ties | None = None
    empty_ball: EmptyBall = "zero"
    random_state: RandomStateLike = None
    n_jobs: int | None = None

    _maker = "make_retrieval_scorer"
    _purpose = "Retrieval"

    def __call__(self, estimator: Any, X: SamplesLike, y: ArrayLike | None = None) -> dict[str, float]:
        """Compute the scores of `estimator` for `X` and `y`."""
        sides, how = self._search(estimator, X, y)
        ranking = [name for name in self.metrics if name not in CODE_STATISTICS]
        options = {**how, **vars(self), "metrics": ranking}
        scores: dict[str, float] = {**retrieval_scores(*sides, **options)} if ranking else {}
        for name in set(self.metrics) - set(ranking):
            scores[name] = score_statistic(
                name, lambda: (sides[0], how.get("bits")), lambda: project(estimator, X, self._purpose), y
            )
        return {name: float(scores[name]) for name in self.metrics}
