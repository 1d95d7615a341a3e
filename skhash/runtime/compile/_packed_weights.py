"""Weights as kernels read them, and back: nothing is kept twice."""

from dataclasses import dataclass, replace

import numpy as np

from skhash.runtime.compile import _layout as layout
from skhash.runtime.network._convolutions import BinaryConv, RealConv, pack_signs

__all__ = ["LaidOut", "restore", "without_weights"]


@dataclass(frozen=True)
class LaidOut:
    """Weights of a convolution, laid out for one target.

    Parameters
    ----------
    tiles : ndarray
        See the functions of `_layout`.
    base : ndarray of int32, default=None
        Rows of what sums start from.
    factors : ndarray of int8 of shape (out_channels,), default=None
        -1 where a filter was negated; None if none was.
    """

    tiles: np.ndarray
    base: np.ndarray | None = None
    factors: np.ndarray | None = None


def without_weights(operation):
    """The same operation with no more than its weights' shape, which is all that plans need once these are laid out."""
    if isinstance(operation, BinaryConv):
        return replace(operation, bits=None)
    if isinstance(operation, RealConv):
        return replace(operation, weight=np.broadcast_to(np.float32(0), operation.weight.shape))
    return operation


def restore(operation, laid_out):
    """The operation with its weights, from how they were laid out."""
    if isinstance(operation, BinaryConv):
        signs = layout.untile_binary(laid_out.tiles, operation.shape)
        if laid_out.factors is not None:
            signs *= laid_out.factors[:, None, None, None]
        return replace(operation, bits=pack_signs(signs))
    if isinstance(operation, RealConv):
        return replace(operation, weight=layout.untile_floats(laid_out.tiles, operation.weight.shape))
    return operation
