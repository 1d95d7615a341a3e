"""Codes and index of a fitted estimator, alone or in a pipeline or a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhash.codes import unpack_codes
from skhash.index import HammingIndex

if TYPE_CHECKING:
    from skhash.utils import SamplesLike


def hasher_and_index(estimator: Any, purpose: str) -> tuple[Any, HammingIndex | None]:
    """Split an estimator into the part that computes codes and the `HammingIndex` that searches; either may be None.

    Fitted searches (`GridSearchCV` and the like) are replaced by their best estimator. `purpose` names the caller in
    the error about an estimator without codes.
    """
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, HammingIndex):
        return estimator[:-1] if last is not estimator and len(estimator) > 1 else None, last
    if not hasattr(estimator, "transform"):
        raise TypeError(f"{purpose} requires an estimator with transform or a HammingIndex, got {last!r}.")
    return estimator, None


def encode(estimator: Any, X: SamplesLike, purpose: str) -> tuple[Any, int | None]:
    """Compute the codes of `X` with `estimator`; return them and the code length, None if it is not known."""
    hasher, index = hasher_and_index(estimator, purpose)
    codes: Any = X if hasher is None else hasher.transform(X)
    if index is None:
        return codes, None
    check_is_fitted(index)
    # As `kneighbors` reads them: only the index knows the threshold of numbers, and the order of bits in packed bytes.
    return unpack_codes(index._read_codes(codes, reset=False), index.bits_), index.bits_


def project(estimator: Any, X: SamplesLike, purpose: str) -> Any:
    """Compute the continuous codes of `X` with `estimator`."""
    hasher, _ = hasher_and_index(estimator, purpose)
    if not hasattr(hasher, "decision_function"):
        raise TypeError(f"{purpose} requires an estimator with decision_function, got {estimator!r}.")
    return hasher.decision_function(X)
