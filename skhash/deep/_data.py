"""Training data: read samples and labels, hold out validation samples, score codes on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_consistent_length, validate_data

from skhash.codes import binarize
from skhash.inputs import DatasetSamples, ImageFiles, Samples, read_images
from skhash.metrics import mean_average_precision
from skhash.nn import encode
from skhash.utils import Labels, are_labels, is_plain, read_color, read_labels, unwrap, unwrap_features

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.deep._hasher import DeepHasher
    from skhash.nn import HashNetwork
    from skhash.utils import SamplesLike

# Attributes that scikit-learn's validation writes.
FEATURE_ATTRIBUTES = ("n_features_in_", "feature_names_in_")

_CACHE = 2**30  # bytes of decoded pixels that a training keeps: 7,000 color images of 224 x 224, 350,000 of 32 x 32


def read_samples(hasher: DeepHasher, X: SamplesLike, *, reset: bool) -> Samples:
    """Read `X` as samples; with `reset`, record its features, otherwise compare it with what `fit` has seen."""
    if not reset and len(hasher.input_shape_) == 1 and is_plain(X, hasher):
        return Samples(X)
    shape = None if reset else hasher.input_shape_
    kept = vars(hasher) if reset else hasher._made_with
    background, draft = kept["background"], kept["draft"]
    images = read_images(X, shape, size=hasher.image_size, background=background, draft=draft)
    own = getattr(images, "background", background)
    if own != background and read_color(own) != read_color(background):
        raise ValueError(f"X has background={own!r}, but the hasher has background={background!r}.")
    if getattr(images, "draft", draft) != draft:
        raise ValueError(f"X has draft={not draft}, but the hasher has draft={draft}.")
    if images is None:
        return Samples(_read_features(hasher, X, reset=reset))
    if reset:
        for name in FEATURE_ATTRIBUTES:
            vars(hasher).pop(name, None)
    elif images.kind == "images" and images.integer != hasher._integer_pixels:
        seen = "integer pixels, which are divided by 255" if hasher._integer_pixels else "floating-point pixels"
        raise ValueError(f"X has {'integer' if images.integer else 'floating-point'} pixels; fit has seen {seen}.")
    # The classes of samples share an interface without a common base; annotations name `Samples`.
    return cast("Samples", images)


def _read_features(hasher: DeepHasher, X: Any, *, reset: bool) -> NDArray[Any]:
    X = unwrap(X, "X")
    if not reset and len(hasher.input_shape_) == 3:
        raise ValueError(
            f"X is not an image input: got {type(X).__name__} of shape {np.shape(X)}, expected images of shape "
            f"{hasher.input_shape_}. Pass a single image as a list or array of one image."
        )
    return cast("NDArray[Any]", validate_data(hasher, unwrap_features(X), dtype=[np.float64, np.float32], reset=reset))


def read_training_data(
    hasher: DeepHasher, X: SamplesLike, y: ArrayLike | None, *, classes: ArrayLike | None, resume: bool
) -> tuple[Samples, Labels | None]:
    """Read samples and labels to train on; labels are None if the method neither needs nor gets any."""
    samples = read_samples(hasher, X, reset=not resume)
    if isinstance(samples, ImageFiles) and samples.cache_limit is None:
        samples = cast("Samples", replace(samples, cache_limit=_CACHE))
    if y is None and isinstance(samples, DatasetSamples):
        y = samples.targets()
    if y is None and hasher._needs_labels:
        raise ValueError(f"{type(hasher).__name__} requires y to be passed, but the target y is None.")
    if len(samples) < 2:
        raise ValueError(f"{type(hasher).__name__} needs at least 2 training samples, got n_samples={len(samples)}.")
    if y is not None and (hasher._needs_labels or are_labels(y)):
        labels = read_labels(y, n_samples=len(samples), classes=None if classes is None else np.unique(classes))
    else:
        labels = None
        if y is not None:
            check_consistent_length(samples, y)
    hasher._check_labels(y, labels, resume=resume)
    return samples, labels


def hold_out(
    labels: Labels | None, n_samples: int, fraction: float, random_state: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw validation samples, stratified if classes allow it; return the rows to train on and the rows held out."""
    if labels is None:
        raise ValueError("early_stopping=True scores codes by their labels, but fit got no labels.")
    n_held = math.ceil(fraction * n_samples)
    if n_held < 2 or n_samples - n_held < 2:
        raise ValueError(
            f"validation_fraction={fraction} of n_samples={n_samples} holds out {n_held}: training and validation "
            "need at least 2 samples each."
        )
    stratify = None
    enough = min(n_held, n_samples - n_held) >= len(labels.classes)
    if enough and not labels.multilabel and np.bincount(labels.codes).min() > 1:
        stratify = labels.codes
    rows = np.arange(n_samples)
    kept, held = train_test_split(rows, test_size=n_held, stratify=stratify, random_state=random_state)
    return np.asarray(kept), np.asarray(held)


def make_validation(network: HashNetwork, samples: Samples, labels: Labels) -> Callable[[], float]:
    """Return a function that computes mAP@all of each held-out sample against the others, with the current network."""
    truth = labels.codes

    def validate() -> float:
        codes = np.concatenate([binarize(z) for z in encode(network.encoder, samples)])
        return mean_average_precision(codes, codes, truth, truth, exclude_self=True)

    return validate
