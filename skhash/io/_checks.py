"""Kinds of fitted attributes, and how the attributes of one estimator must fit together."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skhash.index import HammingIndex
from skhash.io._tables import FITTED, is_object

__all__ = ["check_fitted", "check_keys"]

_MOST_AXES = 3  # of a sample


def check_fitted(estimator: Any, state: dict[str, Any]) -> None:
    """Refuse fitted attributes of the library's estimators that are not what `fit` leaves."""
    for name, value in state.items():
        if not _is_kind(value, FITTED[name]):
            raise ValueError(f"{name} of {type(estimator).__name__} must be {FITTED[name]}, got {type(value).__name__}")
    n_features = state.get("n_features_in_")
    names, mean, components = (state.get(name) for name in ("feature_names_in_", "mean_", "components_"))
    if names is not None and len(names) != n_features:
        raise ValueError(f"{len(names)} feature names for {n_features} features")
    if mean is not None and mean.shape != (n_features,):
        raise ValueError(f"mean_ of shape {mean.shape} for {n_features} features")
    if components is not None and components.shape[1] != n_features:
        raise ValueError(f"components_ of shape {components.shape} for {n_features} features")
    rotations = state.get("_rotations", ())
    if any(rotation.size != n_features for rotation in rotations):
        raise ValueError(f"rotations of other sizes than {n_features} features")
    _check_bits(estimator, state)


def _check_bits(estimator: Any, state: dict[str, Any]) -> None:
    """Compare the number of bits of all that has so many."""
    bits = state.get("_n_features_out")
    index, axes = state.get("label_index_"), state.get("axes_")
    if index is not None and index.bits_ != bits:
        raise ValueError(f"label_index_ with codes of {index.bits_} bits for {bits} bits")
    if axes is not None:
        frequencies, lower, components = (state[name] for name in ("frequencies_", "lower_", "components_"))
        if len(frequencies) != len(axes) or len(lower) != len(components):
            raise ValueError("axes_, frequencies_, lower_ and components_ of different lengths")
        if len(axes) and not 0 <= axes.min() <= axes.max() < len(components):
            raise ValueError(f"axes_ from {axes.min()} to {axes.max()} for {len(components)} components")


def _is_kind(value: Any, kind: str) -> bool:
    """Return whether a value is of a kind of `FITTED`."""
    if kind in ("bool", "dict", "float", "list", "str"):
        return type(value).__name__ == kind
    if kind == "count":
        return type(value) is not bool and isinstance(value, Integral) and 0 <= int(value) < 2**62
    if kind == "shape":
        sides = isinstance(value, tuple) and 1 <= len(value) <= _MOST_AXES
        return sides and all(type(side) is int and 1 <= side < 2**31 for side in value)
    if kind.startswith("index"):
        return isinstance(value, HammingIndex) or (value is None and kind.endswith("None"))
    if kind.startswith("estimator"):
        return isinstance(value, BaseEstimator) or (value is None and kind.endswith("None"))
    if kind == "module":
        return any(cls.__name__ == "Module" and cls.__module__.startswith("torch.") for cls in type(value).__mro__)
    if kind == "rotations":
        return isinstance(value, tuple) and all(_is_rotation(each) for each in value)
    if kind in ("Recipe", "Summary"):
        return is_object(value) and type(value).__name__ == kind
    if not isinstance(value, np.ndarray):
        return False
    if kind == "names":
        return value.ndim == 1 and value.dtype == object and all(type(name) is str for name in value)
    dtype, ndim = kind.split()
    return value.ndim == int(ndim) and dtype in ("array", value.dtype.name)


def _is_rotation(value: Any) -> bool:
    signs = getattr(value, "signs", None)
    usable = isinstance(signs, np.ndarray) and signs.dtype == np.int8 and signs.ndim == 2 and signs.size > 0
    return is_object(value) and usable


def check_keys(node: dict[str, Any], *keys: str, optional: tuple[str, ...] = ()) -> None:
    """Refuse a description with keys that are missing or unknown."""
    found = set(node) - {"type", *optional}
    if found != set(keys):
        raise ValueError(f"a value of the type {node['type']!r} has the keys {sorted(found)}, expected {sorted(keys)}")
