"""Training data: read samples and labels, hold out validation samples, score codes on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
    if reset:
        return _read(hasher, X, vars(hasher))
    return _read(hasher, X, hasher._made_with, (hasher.input_shape_, hasher._integer_pixels))


def _read(
    hasher: DeepHasher, X: Any, kept: Mapping[str, Any], seen: tuple[tuple[int, ...], bool] | None = None
) -> Samples:
    """Read samples: the first ones, or others of the shape that was seen and of integer pixels if these were seen."""
    reset = seen is None
    shape, integer = (None, False) if seen is None else seen
    background, draft = kept["background"], kept["draft"]
    images = read_images(X, shape, size=hasher.image_size, background=background, draft=draft)
    own = getattr(images, "background", background)
    if own != background and read_color(own) != read_color(background):
        raise ValueError(f"X has background={own!r}, but the hasher has background={background!r}.")
    if getattr(images, "draft", draft) != draft:
        raise ValueError(f"X has draft={not draft}, but the hasher has draft={draft}.")
    if images is None:
        return Samples(_read_features(hasher, X, shape))
    if reset:
        for name in FEATURE_ATTRIBUTES:
            vars(hasher).pop(name, None)
    elif images.kind == "images" and images.integer != integer:
        kind = "integer pixels, which are divided by 255" if integer else "floating-point pixels"
        raise ValueError(f"X has {'integer' if images.integer else 'floating-point'} pixels; fit has seen {kind}.")
    # The classes of samples share an interface without a common base; annotations name `Samples`.
    return cast("Samples", images)


def _read_features(hasher: DeepHasher, X: Any, shape: tuple[int, ...] | None) -> NDArray[Any]:
    X = unwrap(X, "X")
    if shape is not None and len(shape) == 3:
        raise ValueError(
            f"X is not an image input: got {type(X).__name__} of shape {np.shape(X)}, expected images of shape "
            f"{shape}. Pass a single image as a list or array of one image."
        )
    features = validate_data(hasher, unwrap_features(X), dtype=[np.float64, np.float32], reset=shape is None)
    return cast("NDArray[Any]", features)


def read_training_data(
    hasher: DeepHasher, X: SamplesLike, y: ArrayLike | None, *, classes: ArrayLike | None, resume: bool
) -> tuple[Samples, Labels | None]:
    """Read samples and labels to train on; labels are None if the method neither needs nor gets any."""
    samples = _with_cache(read_samples(hasher, X, reset=not resume))
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


def choose_eval_set(eval_set: Any, X_val: Any, y_val: Any) -> tuple[Any, Any] | None:
    """Return samples and labels to score codes on, given as a pair or one by one, or None."""
    if X_val is None and y_val is None:
        if eval_set is None:
            return None
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
            what = f"{type(eval_set).__name__} of length {len(eval_set)}" if hasattr(eval_set, "__len__") else eval_set
            raise ValueError(f"eval_set must be a pair (X_val, y_val), got {what}.")
        return eval_set[0], eval_set[1]
    if eval_set is not None:
        raise ValueError("fit got eval_set and X_val or y_val: pass eval_set=(X_val, y_val), or X_val and y_val.")
    if X_val is None:
        raise ValueError("fit got y_val without X_val.")
    return X_val, y_val


def read_eval_set(
    hasher: DeepHasher, eval_set: tuple[Any, Any], samples: Samples, labels: Labels | None
) -> tuple[Samples, Labels]:
    """Read samples to score codes on, with their labels, which must be like those to train on."""
    X, y = eval_set
    try:
        seen = tuple(samples.sample_shape), samples.kind == "images" and samples.integer
        others = _with_cache(_read(hasher, X, vars(hasher), seen))
        if tuple(others.sample_shape) != seen[0]:  # features, where the others are those of a Dataset
            raise ValueError(f"X has samples of shape {tuple(others.sample_shape)}, those to train on have {seen[0]}.")
        if y is None and isinstance(others, DatasetSamples):
            y = others.targets()
        if y is None:
            raise ValueError("it has no labels, by which codes are scored.")
        if len(others) < 2:
            raise ValueError(f"it must have at least 2 samples, got {len(others)}.")
        truth = read_labels(y, n_samples=len(others), classes=None if labels is None else labels.classes)
        if labels is not None and truth.multilabel != labels.multilabel:
            kinds = ("class labels", "multi-hot labels")
            raise ValueError(f"y holds {kinds[truth.multilabel]}, those to train on are {kinds[labels.multilabel]}.")
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"eval_set: {error}") from error
    return others, truth


def _with_cache(samples: Samples) -> Samples:
    """Keep decoded pixels of image files, unless the user has said how many."""
    if isinstance(samples, ImageFiles) and samples.cache_limit is None:
        return cast("Samples", replace(samples, cache_limit=_CACHE))
    return samples


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
    """Return a function that computes mAP@all of each sample against the others, with the current network."""
    truth = labels.codes

    def validate() -> float:
        codes = np.concatenate([binarize(z) for z in encode(network.encoder, samples)])
        return mean_average_precision(codes, codes, truth, truth, exclude_self=True)

    return validate
