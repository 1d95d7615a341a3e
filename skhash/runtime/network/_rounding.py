"""Arithmetic that rounds exactly as the kernels and torch do, and thresholds found by evaluating it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from skhash.runtime.network._elementwise import Affine

__all__ = ["ALWAYS", "NEVER", "affine", "fused_multiply_add", "smallest_positive"]

ALWAYS, NEVER = -(2**31), 2**31 - 1  # integer thresholds that every sum reaches, and that no sum reaches


def fused_multiply_add(x: ArrayLike, scale: ArrayLike, offset: ArrayLike) -> NDArray[np.float32]:
    """Compute `x * scale + offset` in float32 with one rounding.

    The product of two float32 is exact in float64. Their sum in float64 is rounded to odd: of the two neighbors of an
    inexact sum the one with an odd last bit is taken. The final rounding to float32 then still sees on which side of a
    tie the exact sum lies, so rounding twice has the result of rounding once.
    """
    product = np.asarray(x, np.float64) * np.asarray(scale, np.float64)
    offset = np.asarray(offset, np.float64)
    total = product + offset
    rest = total - product
    error = (product - (total - rest)) + (offset - rest)  # Knuth's two-sum: total + error is the exact sum
    is_even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & is_even, odd, total).astype(np.float32)


def affine(x: NDArray[np.float32], operation: Affine) -> NDArray[np.float32]:
    """Compute an `Affine` of float32 numbers, with its roundings."""
    if operation.offset is None:
        return x * operation.scale
    if operation.fused:
        return fused_multiply_add(x, operation.scale, operation.offset)
    return x * operation.scale + operation.offset


def smallest_positive(
    passes: Callable[[NDArray[np.int64]], NDArray[np.bool_]], limit: int, n_channels: int
) -> NDArray[np.int32]:
    """Find the smallest integer of `[-limit, limit]` at which each channel passes, by bisection.

    Parameters
    ----------
    passes : callable
        From integers `(n_channels,)` to bool `(n_channels,)`; False up to some integer, True from it on.
    limit : int
        Largest magnitude of a sum.
    n_channels : int
        Number of channels.

    Returns
    -------
    thresholds : ndarray of int32 of shape (n_channels,)
        `NEVER` where no integer passes, `ALWAYS` where each does.
    """
    below = np.full(n_channels, -limit - 1)
    reached = np.full(n_channels, limit + 1)
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        now = passes(np.clip(middle, -limit, limit))
        is_open = reached - below > 1
        reached = np.where(is_open & now, middle, reached)
        below = np.where(is_open & ~now, middle, below)
    return np.select([reached > limit, reached == -limit], [NEVER, ALWAYS], reached).astype(np.int32)
