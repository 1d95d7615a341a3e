"""Statistics of codes as a `scoring=` for scikit-learn's cross-validation and searches."""

import inspect
from dataclasses import dataclass

from skhash.metrics.codes._bit_balance import bit_balance
from skhash.metrics.codes._bit_correlation import bit_correlation
from skhash.metrics.codes._center_orthogonality import center_orthogonality
from skhash.metrics.codes._code_entropy import bit_entropy, code_entropy
from skhash.metrics.codes._collision_rate import collision_rate
from skhash.metrics.codes._distance_histograms import separability
from skhash.metrics.codes._lower_bound_ratio import lower_bound_ratio
from skhash.metrics.codes._quantization_error import quantization_error
from skhash.metrics.scoring._estimator_codes import encode, project
from skhash.utils import StrOptions, validate_params

# What each takes beside the codes: labels, labels if there are any, nothing; or continuous codes in place of them.
CODE_STATISTICS = {
    "lower_bound_ratio": (lower_bound_ratio, "labels"),
    "separability": (separability, "labels"),
    "neg_center_orthogonality": (center_orthogonality, "labels"),
    "neg_collision_rate": (collision_rate, "any labels"),
    "bit_entropy": (bit_entropy, "nothing"),
    "code_entropy": (code_entropy, "nothing"),
    "neg_bit_balance": (bit_balance, "nothing"),
    "neg_bit_correlation": (bit_correlation, "nothing"),
    "neg_quantization_error": (quantization_error, "continuous codes"),
}


@validate_params({"statistic": [StrOptions(set(CODE_STATISTICS))]}, prefer_skip_nested_validation=True)
def make_code_scorer(statistic="lower_bound_ratio", **options):
    """Make a scorer of a statistic of the codes, for which no search is made.

    The codes are those of the samples given, in cross-validation those of the test fold, whether the estimator is a
    hasher, a `Pipeline` that ends in one or in a `HammingIndex`, or a fitted search over these. What an index holds is
    not looked at. A bare `HammingIndex` takes codes for samples.

    Parameters
    ----------
    statistic : str, default="lower_bound_ratio"
        "lower_bound_ratio", "separability", "bit_entropy" or "code_entropy"; or, as less is better there and a
        scorer's greater is better, the negative of one: "neg_collision_rate" (between classes, if there are labels),
        "neg_bit_balance", "neg_bit_correlation", "neg_center_orthogonality" or "neg_quantization_error".
    **options
        Keyword arguments of the function of that name, such as `percentile=95`.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` gives a float, greater is better. It can be pickled.

    Raises
    ------
    ValueError
        If the statistic is unknown.
    TypeError
        If the statistic has no such option.

    See Also
    --------
    make_map_scorer : Mean average precision, which costs a search.

    Notes
    -----
    The lower-bound ratio is infinite where every code is its center. scikit-learn's searches warn of scores that are
    not finite, and rank them first.

    A statistic is no retrieval: balanced and uncorrelated bits may still say nothing of the classes. Only the
    lower-bound ratio is meant to rank as mean average precision does, and that not strictly.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance" (LBHash). NeurIPS
       2022, appendix C.1, which proposes the ratio for model tuning and selection.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skhash import OrthoHasher
    >>> from skhash.metrics import make_code_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> scorer = make_code_scorer(percentile=95)
    >>> scorer
    make_code_scorer('lower_bound_ratio', percentile=95)
    >>> hasher = OrthoHasher(bits=32, random_state=0)
    >>> search = GridSearchCV(hasher, {"max_epochs": [1, 10]}, scoring=scorer, cv=2).fit(X, y)
    >>> search.best_params_
    {'max_epochs': 10}
    """
    function, _ = CODE_STATISTICS[statistic]
    parameters = inspect.signature(function).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"{function.__name__} has no option {unknown[0]!r}; its options: {', '.join(known) or 'none'}.")
    return _CodeScorer(statistic, tuple(sorted(options.items())))


@dataclass(frozen=True, repr=False)
class _CodeScorer:
    """What `make_code_scorer` makes: its arguments, and a call."""

    statistic: str
    options: tuple = ()

    def __repr__(self):
        options = "".join(f", {name}={value!r}" for name, value in self.options)
        return f"make_code_scorer({self.statistic!r}{options})"

    def __call__(self, estimator, X, y=None):
        """Score `estimator`."""
        return score_statistic(
            self.statistic,
            lambda: encode(estimator, X, self.statistic),
            lambda: project(estimator, X, self.statistic),
            y,
            dict(self.options),
        )


def score_statistic(statistic, encode, project, y, options=None):
    """Compute a statistic, or its negative, of what `encode()`, codes and their length, or `project()` gives."""
    function, takes = CODE_STATISTICS[statistic]
    if takes == "labels" and y is None:
        raise ValueError(f"{statistic} needs labels to tell the classes: got y=None.")
    if takes == "continuous codes":
        value = function(project(), **(options or {}))
    else:
        codes, bits = encode()
        given = (codes, y) if "labels" in takes else (codes,)
        value = function(*given, **{"bits": bits, **(options or {})})
    return -float(value) if statistic.startswith("neg_") else float(value)
