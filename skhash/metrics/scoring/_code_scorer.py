"""Statistics of codes as a `scoring=` for scikit-learn's cross-validation and searches."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from skhash.metrics._score import Score
    from skhash.utils import SamplesLike

# The function of each statistic and its input besides the codes: "labels", "any labels" (labels if there are any),
# "nothing"; or "continuous codes" in place of codes.
CODE_STATISTICS: dict[str, tuple[Callable[..., Score], str]] = {
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
def make_code_scorer(statistic: str = "lower_bound_ratio", **options: Any) -> Callable[..., float]:
    """Make a scorer from a statistic of the codes, which needs no search.

    The codes are those of the given samples, in cross-validation those of the test fold. The estimator may be a hasher,
    a `Pipeline` that ends in a hasher or in a `HammingIndex`, or a fitted search over these. The codes that an index
    stores are not used. A bare `HammingIndex` takes codes as samples.

    Parameters
    ----------
    statistic : str, default="lower_bound_ratio"
        "lower_bound_ratio", "separability", "bit_entropy" or "code_entropy"; or the negative of a statistic that is
        better when smaller, because a greater score is better: "neg_collision_rate" (between classes, if there are
        labels), "neg_bit_balance", "neg_bit_correlation", "neg_center_orthogonality" or "neg_quantization_error".
    **options
        Keyword arguments of the function of that name, such as `percentile=95`.

    Returns
    -------
    scorer : callable
        `scorer(estimator, X, y)` returns a float; greater is better. It can be pickled.

    Raises
    ------
    ValueError
        If the statistic is unknown.
    TypeError
        If the statistic does not have such an option.

    See Also
    --------
    make_map_scorer : Mean average precision, which requires a search.

    Notes
    -----
    The lower-bound ratio is infinite where every code is its center. scikit-learn's searches warn of scores that are
    not finite, and rank them first.

    A statistic does not replace a retrieval: balanced and uncorrelated bits may be unrelated to the classes. Only the
    lower-bound ratio is meant to rank models as mean average precision does, and it does so only roughly.

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
        accepted = ", ".join(known) or "none"
        raise TypeError(f"options must be those of {function.__name__} ({accepted}), got {unknown[0]!r}.")
    return _CodeScorer(statistic, tuple(sorted(options.items())))


@dataclass(frozen=True, repr=False)
class _CodeScorer:
    """The scorer of `make_code_scorer`: its arguments, and a call."""

    statistic: str
    options: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options)
        return f"make_code_scorer({self.statistic!r}{options})"

    def __call__(self, estimator: Any, X: SamplesLike, y: ArrayLike | None = None) -> float:
        """Compute the score of `estimator` for `X` and `y`."""
        return score_statistic(
            self.statistic,
            lambda: encode(estimator, X, self.statistic),
            lambda: project(estimator, X, self.statistic),
            y,
            dict(self.options),
        )


def score_statistic(
    statistic: str,
    encode: Callable[[], tuple[Any, int | None]],
    project: Callable[[], Any],
    y: ArrayLike | None,
    options: dict[str, Any] | None = None,
) -> float:
    """Compute a statistic or its negative, from the codes and code length of `encode()` or from `project()`."""
    function, takes = CODE_STATISTICS[statistic]
    if takes == "labels" and y is None:
        raise ValueError(f"{statistic} requires y, the labels of the samples, got None.")
    if takes == "continuous codes":
        value = function(project(), **(options or {}))
    else:
        codes, bits = encode()
        given = (codes, y) if "labels" in takes else (codes,)
        value = function(*given, **{"bits": bits, **(options or {})})
    return -float(value) if statistic.startswith("neg_") else float(value)
