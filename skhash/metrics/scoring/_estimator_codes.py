"""What a fitted estimator searches with, whatever it is wrapped in."""

import numpy as np
from sklearn.pipeline import Pipeline

from skhash.codes import binarize
from skhash.index import HammingIndex


def hasher_and_index(estimator, purpose):
    """Take an estimator apart into what computes codes and the `HammingIndex` that searches them; either may be None.

    Fitted searches (`GridSearchCV` and the like) stand for their best estimator. `purpose` is what to call the figure
    in the error about an estimator that has no codes.
    """
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, HammingIndex):
        return estimator[:-1] if last is not estimator and len(estimator) > 1 else None, last
    if not hasattr(estimator, "transform"):
        raise TypeError(f"{purpose} needs codes: {last!r} has no transform and is no HammingIndex.")
    return estimator, None


def encode(estimator, X, purpose):
    """Compute the codes that `estimator` has for `X`, and their length where it is known."""
    hasher, index = hasher_and_index(estimator, purpose)
    codes = X if hasher is None else hasher.transform(X)
    if index is not None and index.binarize is not None:
        codes = codes.detach().cpu().numpy() if hasattr(codes, "detach") else np.asarray(codes)
        codes = binarize(codes, index.binarize) if codes.dtype.kind in "if" else codes
    return codes, getattr(index, "bits_", None)


def project(estimator, X, purpose):
    """Compute the continuous codes whose signs are the codes that `estimator` has for `X`."""
    hasher, _ = hasher_and_index(estimator, purpose)
    if not hasattr(hasher, "decision_function"):
        raise TypeError(f"{purpose} needs continuous codes: {estimator!r} has no decision_function.")
    return hasher.decision_function(X)
