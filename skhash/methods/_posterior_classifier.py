"""The classifiers of `PosteriorHasher`: logits of samples, also of those that a classifier has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, logit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from skhash.utils import Labels

    Fit = Callable[[NDArray[Any], Labels], Callable[[NDArray[Any]], NDArray[np.float64]]]

_LEAST = 1e-9  # probability; the logarithm of zero would be the only thing that counts
_STRENGTHS = 10.0 ** (np.arange(-8, 5) / 2)  # values of C that are tried
_FIRST = 4  # the one that is tried first
_TEMPERATURES = 0.05, 20.0


def to_posteriors(logits: NDArray[Any], multilabel: bool) -> NDArray[Any]:
    """Return probabilities of classes, or of each label."""
    return expit(logits) if multilabel else softmax(logits, axis=1)


def log_loss(logits: NDArray[np.float64], labels: Labels) -> float:
    """Return the mean negative logarithm of the probability of the labels."""
    if labels.multilabel:
        return -float(np.mean(log_expit(np.where(labels.codes, logits, -logits)).sum(axis=1)))
    return -float(np.mean(log_softmax(logits, axis=1)[np.arange(len(logits)), labels.codes]))


def best_temperature(logits: NDArray[np.float64], labels: Labels) -> float:
    """Return the number that logits of unseen samples must be divided by for the smallest log loss."""
    low, high = np.log(_TEMPERATURES)
    found: Any = minimize_scalar(
        lambda log: log_loss(logits / np.exp(log), labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


# Linear classifiers -------------------------------------------------------------------------------------------------


def fit_linear(
    X: NDArray[Any], labels: Labels, C: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit a logistic regression on standardized features, one for each label if there may be several.

    Returns
    -------
    components : ndarray of shape (n_classes, n_features)
        Coefficients for features that are centered only.
    mean : ndarray of shape (n_features,)
        Mean of the features.
    intercept : ndarray of shape (n_classes,)
        Logits at the mean; those of a class that no sample has are very small.
    """
    mean, scale = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    # Rounding leaves a constant feature a deviation, by which other values of it would become huge.
    rounding = len(X) * np.finfo(X.dtype).eps * np.abs(mean)
    scale[(scale <= rounding) | (X.min(axis=0) == X.max(axis=0))] = 1.0
    scaled = ((X - mean.astype(X.dtype)) / scale.astype(X.dtype)).astype(X.dtype, copy=False)
    n_classes = len(labels.classes)
    components, intercept = np.zeros((n_classes, X.shape[1])), np.full(n_classes, np.log(_LEAST))
    if labels.multilabel:
        for k, column in enumerate(labels.codes.T):
            if column.min() != column.max():
                components[k], intercept[k] = (part[0] for part in _fit_logistic(scaled, column, C)[1:])
            elif column[0]:
                intercept[k] = -np.log(_LEAST)
    else:
        present, coefficients, constants = _fit_logistic(scaled, labels.codes, C)
        if len(present) == 2:  # one row of coefficients, of the second class
            coefficients, constants = (np.concatenate([-part, part]) / 2 for part in (coefficients, constants))
        components[present], intercept[present] = coefficients, constants
        if len(present) < n_classes:
            intercept[np.setdiff1d(np.arange(n_classes), present)] += constants.min()
    return components / scale, mean, intercept


def _fit_logistic(X: NDArray[Any], y: NDArray[Any], C: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    fitted = LogisticRegression(C=C, max_iter=1000).fit(X, y)
    return fitted.classes_, fitted.coef_, fitted.intercept_


def linear(C: float) -> Fit:
    """Return the function that fits a linear classifier and returns that of its logits."""

    def fit(X: NDArray[Any], labels: Labels) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        components, mean, intercept = fit_linear(X, labels, C)
        return lambda X: (X - mean) @ components.T + intercept

    return fit


def choose_strength(X: NDArray[Any], labels: Labels, folds: NDArray[Any]) -> float:
    """Return the C with the smallest log loss on the first fold; larger and smaller ones are tried while they gain."""
    losses: dict[int, float] = {}

    def loss(k: int) -> float:
        if not 0 <= k < len(_STRENGTHS):
            return np.inf
        if k not in losses:
            logits, rows = unseen_logits(linear(float(_STRENGTHS[k])), X, labels, folds, only=0)
            losses[k] = log_loss(logits[rows], labels[rows])
        return losses[k]

    best = _FIRST
    for direction in (-1, 1):
        while loss(best + direction) < loss(best):
            best += direction
    return float(_STRENGTHS[best])


# Classifiers of scikit-learn ----------------------------------------------------------------------------------------


def given(classifier: Any) -> Fit:
    """Return the function that fits a clone of a classifier and returns that of its logits."""

    def fit(X: NDArray[Any], labels: Labels) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        fitted: Any = clone(classifier)
        fitted.fit(X, labels.decode())
        return lambda X: logits_of(fitted, X, labels.classes, labels.multilabel)

    return fit


def logits_of(classifier: Any, X: NDArray[Any], classes: NDArray[Any], multilabel: bool) -> NDArray[np.float64]:
    """Compute logits from `predict_proba` of a fitted classifier, in the order of `classes`."""
    found = classifier.predict_proba(X)
    if isinstance(found, list):  # one array a label, of the probabilities of the values that it had
        columns = [
            p[:, list(known).index(1)] if 1 in known else np.zeros(len(p))
            for p, known in zip(found, classifier.classes_, strict=True)
        ]
        found = np.stack(columns, axis=1)
    found = np.asarray(found, np.float64)
    if not multilabel and not np.array_equal(classifier.classes_, classes):
        known = np.searchsorted(classes, classifier.classes_)
        if not np.array_equal(classes[np.minimum(known, len(classes) - 1)], classifier.classes_):
            raise ValueError(f"classifier knows the classes {classifier.classes_}, but y has only {classes}.")
        found, some = np.zeros((len(found), len(classes))), found
        found[:, known] = some
    if found.shape[1:] != (len(classes),):
        raise ValueError(f"classifier must return {len(classes)} probabilities for a sample, got {found.shape[1:]}.")
    if multilabel:
        return logit(np.clip(found, _LEAST, 1 - _LEAST))
    return np.log(np.clip(found, _LEAST, 1))


# Samples that a classifier has not seen -----------------------------------------------------------------------------


def draw_folds(labels: Labels, n_folds: int, random_state: np.random.RandomState) -> NDArray[np.intp]:
    """Return the fold of each sample: the samples of a class, in random order, are dealt out in turn."""
    order = random_state.permutation(len(labels))
    if not labels.multilabel:
        order = order[np.argsort(labels.codes[order], kind="stable")]
    folds = np.empty(len(labels), np.intp)
    folds[order] = np.arange(len(labels)) % n_folds
    return folds


def unseen_logits(
    fit: Fit, X: NDArray[Any], labels: Labels, folds: NDArray[Any], only: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Compute logits of the samples of each fold by a classifier of the others.

    Parameters
    ----------
    fit : callable
        Fits a classifier, and returns the function of its logits.
    X : ndarray of shape (n_samples, ...)
        Samples.
    labels : Labels
        Their labels.
    folds : ndarray of shape (n_samples,)
        Their folds.
    only : int, default=None
        The one fold whose logits are wanted.

    Returns
    -------
    logits : ndarray of shape (n_samples, n_classes)
        The logits; zeros where there are none.
    rows : ndarray
        Samples that have logits: those of the wanted folds whose class the classifier has seen. If there are none, all
        samples get the logits of a classifier that has seen all.
    """
    logits, has = np.zeros((len(X), len(labels.classes))), np.zeros(len(X), bool)
    for fold in range(folds.max() + 1) if only is None else [only]:
        for_fit, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not labels.multilabel:
            seen = np.unique(labels.codes[for_fit])
            held_out = held_out[np.isin(labels.codes[held_out], seen)]
            if len(seen) < 2:
                continue
        if len(held_out) and len(for_fit):
            logits[held_out] = fit(X[for_fit], labels[for_fit])(X[held_out])
            has[held_out] = True
    if not has.any():
        return fit(X, labels)(X), np.arange(len(X))
    return logits, np.flatnonzero(has)


def in_passes(function: Callable[[NDArray[Any]], NDArray[Any]], X: NDArray[Any], rows: int) -> Iterator[NDArray[Any]]:
    """Yield the results of a function of blocks that all have the same number of rows; the last is filled up.

    Products of matrices round differently for other numbers of rows, so that a sample's code would depend on the other
    samples.
    """
    for start in range(0, len(X), rows):
        block = X[start : start + rows]
        n = len(block)
        if n < rows:
            block = np.concatenate([block, np.repeat(block[-1:], rows - n, axis=0)])
        yield function(block)[:n]
