"""Retrieval quality as a `scoring=` for scikit-learn's cross-validation and searches."""

from dataclasses import dataclass, fields

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


@validate_params(MAP_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_map_scorer(
    R=None, *, protocol="skhash", denominator=None, zero_hit=None, ties=None, random_state=None, n_jobs=None
):
    """Make a scorer of mean average precision.

    What it measures depends on the estimator that it is called with:

    - a hasher, or a `Pipeline` that ends in one: the samples given are searched with each other, every one left out of
      its own ranking. In cross-validation these are the samples of the test fold.
    - a `HammingIndex`, or a `Pipeline` that ends in one: the samples given are queries to the indexed codes, with the
      labels that the index was fitted with. In cross-validation this searches the training folds.

    Figures of the two kinds are not comparable.

    Parameters
    ----------
    R : int, default=None
        Ranks that count, at least 1. None is the protocol's, mostly the whole database.
    protocol : str or RankingProtocol, default="skhash"
        As in `mean_average_precision`, and the following, too.
    denominator : {"top", "total", "min"}, default=None
        What a query's sum of precisions is divided by.
    zero_hit : {"zero", "skip"}, default=None
        Whether a query with no relevant item within the first `R` counts 0 or is left out of the mean.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at one distance.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads, as in `mean_average_precision`.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` gives a float from 0 to 1, greater is better. It can be pickled.

    See Also
    --------
    mean_average_precision : The function behind it.
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
    metrics=("map", "precision@10", "recall@10", "precision_within@2"),
    *,
    protocol="skhash",
    ties=None,
    empty_ball="zero",
    random_state=None,
    n_jobs=None,
):
    """Make a scorer of several metrics, whose codes are computed once.

    What is searched depends on the estimator as for `make_map_scorer`: the samples given among themselves, or the
    codes of a `HammingIndex` at the end of a pipeline.

    Parameters
    ----------
    metrics : str or sequence of str, default=("map", "precision@10", "recall@10", "precision_within@2")
        Names as in `retrieval_scores`; and names of statistics of the codes of the samples given, as in
        `make_code_scorer`, such as "lower_bound_ratio".
    protocol : str or RankingProtocol, default="skhash"
        Definition of "map", as in `mean_average_precision`.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default=None
        Order of items at one distance; None is the protocol's.
    empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
        Queries with nothing within the radius, see `precision_within_radius`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` gives a dictionary of floats under the names given, greater is better, as scikit-learn
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


class _Scorer:
    """How a scorer looks, and what it searches."""

    def __repr__(self):
        given = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        changed = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
        return f"{self._maker}({changed})"

    def _search(self, estimator, X, y):
        """Give codes and labels of queries and database, and the options that say how one searches the other."""
        if y is None:
            raise ValueError(f"{self._purpose} needs labels to tell what is relevant: got y=None.")
        _, index = hasher_and_index(estimator, self._purpose)
        if index is not None:
            check_is_fitted(index)
        if index is not None and index.labels_ is None:
            raise ValueError(f"{self._purpose} needs the labels of the database: fit the index with y.")
        codes, bits = encode(estimator, X, self._purpose)
        if index is None:
            return (codes, codes, y, y), {"exclude_self": True}
        return (codes, index.codes_, y, index.labels_.decode()), {"bits": bits}


@dataclass(frozen=True, repr=False)
class _MapScorer(_Scorer):
    """What `make_map_scorer` makes: its arguments, and a call."""

    R: object = None
    protocol: object = "skhash"
    denominator: str | None = None
    zero_hit: str | None = None
    ties: str | None = None
    random_state: object = None
    n_jobs: object = None

    _maker = "make_map_scorer"
    _purpose = "Mean average precision"

    def __call__(self, estimator, X, y=None):
        """Score `estimator`."""
        sides, how = self._search(estimator, X, y)
        return mean_average_precision(*sides, **how, **vars(self))


@dataclass(frozen=True, repr=False)
class _RetrievalScorer(_Scorer):
    """What `make_retrieval_scorer` makes: its arguments, and a call."""

    metrics: tuple
    protocol: object = "skhash"
    ties: str | None = None
    empty_ball: str = "zero"
    random_state: object = None
    n_jobs: object = None

    _maker = "make_retrieval_scorer"
    _purpose = "Retrieval"

    def __call__(self, estimator, X, y=None):
        """Score `estimator`."""
        sides, how = self._search(estimator, X, y)
        ranking = [name for name in self.metrics if name not in CODE_STATISTICS]
        options = {**how, **vars(self), "metrics": ranking}
        scores = retrieval_scores(*sides, **options) if ranking else {}
        for name in set(self.metrics) - set(ranking):
            scores[name] = score_statistic(
                name, lambda: (sides[0], how.get("bits")), lambda: project(estimator, X, self._purpose), y
            )
        return {name: float(scores[name]) for name in self.metrics}
