"""Retrieval quality as a `scoring=` for scikit-learn's cross-validation and searches."""

from dataclasses import dataclass, fields

from sklearn.pipeline import Pipeline

from skhash.index import HammingIndex
from skhash.metrics._mean_average_precision import MAP_CONSTRAINTS, mean_average_precision
from skhash.utils import validate_params


@validate_params(MAP_CONSTRAINTS, prefer_skip_nested_validation=True)
def make_map_scorer(R=None, *, denominator="top", zero_hit="zero", ties="stable", random_state=None, n_jobs=None):
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
        Ranks that count, at least 1. None means the whole database.
    denominator : {"top", "total", "min"}, default="top"
        As in `mean_average_precision`.
    zero_hit : {"zero", "skip"}, default="zero"
        As in `mean_average_precision`.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        As in `mean_average_precision`.
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
    return _MapScorer(R, denominator, zero_hit, ties, random_state, n_jobs)


@dataclass(frozen=True, repr=False)
class _MapScorer:
    """What `make_map_scorer` makes: its arguments, and a call."""

    R: object = None
    denominator: str = "top"
    zero_hit: str = "zero"
    ties: str = "stable"
    random_state: object = None
    n_jobs: object = None

    def __repr__(self):
        given = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        changed = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
        return f"make_map_scorer({changed})"

    def __call__(self, estimator, X, y=None):
        """Score `estimator`."""
        if y is None:
            raise ValueError("Mean average precision needs labels to tell what is relevant: got y=None.")
        options = vars(self)
        estimator = getattr(estimator, "best_estimator_", estimator)  # a fitted search, in nested cross-validation
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if isinstance(last, HammingIndex):
            if getattr(last, "labels_", True) is None:
                raise ValueError("Mean average precision needs the labels of the database: fit the index with y.")
            queries = estimator[:-1].transform(X) if last is not estimator and len(estimator) > 1 else X
            return last.score(queries, y, **options)
        if not hasattr(estimator, "transform"):
            raise TypeError(f"Mean average precision needs codes: {last!r} has no transform and is no HammingIndex.")
        codes = estimator.transform(X)
        return mean_average_precision(codes, codes, y, y, exclude_self=True, **options)
