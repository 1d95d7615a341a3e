"""Samples in every accepted form, as the arrays that kernels read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["is_finite", "read_samples"]


def read_samples(X: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Convert samples to a C-contiguous array.

    Parameters
    ----------
    X : array-like
        uint8 images with channels last, first or, if there is one channel, without that axis; or feature vectors.
    shape : tuple of int
        Shape of a sample: `(height, width, channels)` or `(n_features,)`.

    Returns
    -------
    samples : ndarray of uint8 or float32 of shape (n, *shape)
        The samples.

    Raises
    ------
    ValueError
        If X has another shape or dtype, or contains NaN or infinity.
    """
    X = np.asarray(X)
    return _read_images(X, *shape) if len(shape) == 3 else _read_features(X, *shape)


def _read_features(X: NDArray[Any], n_features: int) -> NDArray[np.float32]:
    if X.ndim != 2 or X.shape[1] != n_features:
        raise ValueError(f"X must be features of shape (n, {n_features}), got shape {X.shape}.")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must have a numeric dtype, got {X.dtype}.")
    with np.errstate(over="ignore"):  # refused below
        X = np.ascontiguousarray(X, np.float32)
    if not np.isfinite(X).all():
        raise ValueError("X contains NaN, infinity or a value too large for dtype('float32').")
    return X


def _read_images(X: NDArray[Any], height: int, width: int, channels: int) -> NDArray[np.uint8]:
    shape = height, width, channels
    if X.dtype != np.uint8:
        raise ValueError(f"X must be uint8 images with pixels from 0 to 255, got dtype {X.dtype}.")
    if channels == 1 and X.shape[1:] == (height, width):
        X = X[..., None]
    elif X.shape[1:] == (channels, height, width) != shape:
        X = np.moveaxis(X, 1, 3)
    if X.shape[1:] != shape:
        gray = f", (n, {height}, {width})" if channels == 1 else ""
        raise ValueError(
            f"X must be images of shape (n, {height}, {width}, {channels}){gray} or "
            f"(n, {channels}, {height}, {width}), got shape {X.shape}."
        )
    return np.ascontiguousarray(X)


def is_finite(X: NDArray[np.float32]) -> bool:
    """Check whether the sum of squares is finite: faster than a look at each number; large numbers are false alarms."""
    return math.isfinite(np.vdot(X, X))
