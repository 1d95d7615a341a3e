"""Arithmetic that rounds exactly as the kernels and torch do, and thresholds that come from evaluating it."""

import numpy as np

__all__ = ["ALWAYS", "NEVER", "affine", "fused_multiply_add", "smallest_positive"]

ALWAYS, NEVER = -(2**31), 2**31 - 1  # integer thresholds that every, and no, sum reaches


def fused_multiply_add(x, scale, offset):
    """`x * scale + offset` with one rounding, in float32.

    The product of two float32 is exact in float64. Their sum there is rounded to odd, which leaves enough behind for
    the final rounding to see on which side of a tie the exact sum lies.
    """
    product = np.asarray(x, np.float64) * np.asarray(scale, np.float64)
    offset = np.asarray(offset, np.float64)
    total = product + offset
    rest = total - product
    error = (product - (total - rest)) + (offset - rest)
    is_even = (total.view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where((error != 0) & is_even, odd, total).astype(np.float32)


def affine(x, operation):
    """What an `Affine` makes of float32 numbers."""
    if operation.offset is None:
        return x * operation.scale
    if operation.fused:
        return fused_multiply_add(x, operation.scale, operation.offset)
    return x * operation.scale + operation.offset


def smallest_positive(passes, limit, n_channels):
    """Smallest integer of `[-limit, limit]` at which each channel passes, by bisection.

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
        open_ = reached - below > 1
        reached = np.where(open_ & now, middle, reached)
        below = np.where(open_ & ~now, middle, below)
    return np.select([reached > limit, reached == -limit], [NEVER, ALWAYS], reached).astype(np.int32)
