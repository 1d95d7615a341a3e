"""Weights of training samples: those given to `fit` times those of their classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, TypedDict, cast

import numpy as np
import torch

from skhash.inputs import Samples, SampleSubset
from skhash.utils import to_numpy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.deep._hasher import DeepHasher
    from skhash.utils import Labels

__all__ = ["FitWeights", "finish_weights", "keep_weighted", "read_weights"]


class FitWeights(TypedDict, total=False):
    """Keyword argument of `fit` and `partial_fit` with the weights of samples: `**weights: Unpack[FitWeights]`.

    scikit-learn demands of a `fit` with a parameter of this name that weights give the same model as repeated rows in
    another order. No training in random order does that, its own included, so the argument is not in the signature.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples, at least 0. Each epoch consists of as many samples as there are with a positive weight,
        drawn in proportion to their weights: one comes `n * weight / sum(weights)` times, rounded down or up at random.
        Samples of weight 0 are left out, as if they were not in the data. None gives all the same weight.
    """

    sample_weight: ArrayLike | None


def read_weights(
    hasher: DeepHasher, weights: Mapping[str, Any], labels: Labels | None, n_samples: int
) -> NDArray[np.float64] | None:
    """Return the weights of samples, times those that the parameter `class_weight` has as a dict; None if all are 1."""
    unknown = sorted(set(weights) - {"sample_weight"})
    if unknown:
        raise TypeError(f"{type(hasher).__name__}.fit() got an unexpected keyword argument {unknown[0]!r}")
    class_weight: Any = hasher.class_weight
    if class_weight is not None and labels is None:
        raise ValueError(f"class_weight={class_weight!r} weighs samples by their labels, but fit got no labels.")
    own = weights.get("sample_weight")
    read = None if own is None else _read_sample_weight(own, n_samples)
    if isinstance(class_weight, dict):
        factors = _of_samples(_read_class_weight(class_weight, cast("Labels", labels)), cast("Labels", labels))
        read = factors if read is None else _scaled(read) * _scaled(factors)
    return read


def keep_weighted(
    hasher: DeepHasher, samples: Samples, labels: Labels | None, weights: NDArray[np.float64] | None, *, whole: bool
) -> tuple[Samples, Labels | None, NDArray[np.float64] | None]:
    """Leave out samples of weight 0; `whole` is false for a part of the data, which may lack classes."""
    if weights is None or weights.all():
        return samples, labels, weights
    rows = np.flatnonzero(weights)
    name = type(hasher).__name__
    if len(rows) < 2:
        raise ValueError(
            f"{name} needs at least 2 training samples with a positive weight, got {len(rows)}: sample_weight and "
            "class_weight are 0 for all others."
        )
    kept = None if labels is None else labels[rows]
    if whole and hasher._needs_labels and kept is not None and not kept.multilabel:
        found = kept.classes[np.unique(kept.codes)]
        if len(found) < 2:
            raise ValueError(
                f"{name} needs at least 2 classes of samples with a positive weight, got 1 class: {found[0]}; "
                "sample_weight and class_weight are 0 for all others."
            )
    # An array is copied, so that the codes of its rows are computed as those of an array.
    subset = Samples(samples.data[rows]) if isinstance(samples, Samples) else SampleSubset(samples, rows)
    return cast("Samples", subset), kept, weights[rows]


def finish_weights(
    hasher: DeepHasher, weights: NDArray[np.float64] | None, labels: Labels | None
) -> torch.Tensor | None:
    """Return the weights of the samples to train on, with balanced classes if asked for; None if they are equal."""
    if isinstance(hasher.class_weight, str):
        labels = cast("Labels", labels)
        weights = np.ones(len(labels)) if weights is None else _scaled(weights)
        weights = weights * _of_samples(_balance(labels, weights), labels)
    if weights is None or weights.min() == weights.max():
        return None
    return torch.from_numpy(weights / weights.max())  # so that their sum is finite


def _scaled(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide by a power of two, which does not round, so that products and sums of huge weights are finite."""
    return np.ldexp(weights, -np.frexp(weights.max(initial=0.0))[1])


def _read_sample_weight(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    weights = to_numpy(sample_weight, "sample_weight")
    if weights.dtype.kind not in "buif":
        try:
            weights = weights.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"sample_weight must hold numbers, got an array of {weights.dtype}.") from None
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one number for each sample, got {weights.shape}."
        )
    weights = weights.astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ValueError(
            f"sample_weight must hold finite numbers of at least 0, got {weights[bad[0]]} at position {bad[0]}."
        )
    return weights


def _read_class_weight(class_weight: dict[Any, Any], labels: Labels) -> NDArray[np.float64]:
    """Return the weight of each class; as in scikit-learn, it is 1 for those that are not in the dict."""
    for key, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= float(weight) < math.inf:
            raise ValueError(f"class_weight[{key!r}] must be a finite number of at least 0, got {weight!r}.")
    classes = labels.classes.tolist()
    missing = [label for label in classes if label not in class_weight]
    if missing and len(classes) - len(missing) != len(class_weight):
        unknown = [key for key in class_weight if key not in classes]
        raise ValueError(
            f"class_weight names classes {unknown} that are not among {classes}, and has no weight for {missing}."
        )
    return np.array([float(class_weight.get(label, 1)) for label in classes])


def _balance(labels: Labels, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of classes in inverse proportion to the total weight of their samples; 0 without samples."""
    n_classes = len(labels.classes)
    if labels.multilabel:
        totals = weights @ labels.codes
    else:
        totals = np.bincount(labels.codes, weights=weights, minlength=n_classes)
    n_found = np.count_nonzero(totals)
    return np.divide(totals.sum(), n_found * totals, out=np.zeros(n_classes), where=totals > 0)


def _of_samples(class_weight: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    """Return the weight of each sample: that of its class, or the mean of those of its labels; 1 without labels."""
    if not labels.multilabel:
        return class_weight[labels.codes]
    n_labels = labels.codes.sum(axis=1, dtype=np.int64)
    return np.where(n_labels, labels.codes @ class_weight / np.maximum(n_labels, 1), 1.0)
