"""Weights in the layout of the kernels, and back: a hasher stores them only once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.runtime.compile import _layout as layout
from skhash.runtime.network._convolutions import BinaryConv, RealConv, pack_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.runtime.network._operation import Operation

__all__ = ["PackedWeights", "strip_weights", "unpack_weights"]


@dataclass(frozen=True)
class PackedWeights:
    """Weights of a convolution in the layout of one target's kernels.

    Parameters
    ----------
    tiles : ndarray
        The weights; see the functions `tile_*` of `_layout`.
    base : ndarray of int32, default=None
        Rows of integers that sums start from.
    factors : ndarray of int8 of shape (out_channels,), default=None
        -1 where a filter was negated, else 1; None means that no filter was.
    """

    tiles: NDArray[Any]
    base: NDArray[np.int32] | None = None
    factors: NDArray[np.int8] | None = None


def strip_weights(operation: Operation) -> Operation:
    """Return the operation without the values of its weights; plans need only the shape once weights are packed."""
    if isinstance(operation, BinaryConv):
        return replace(operation, bits=np.broadcast_to(np.uint8(0), operation.bits.shape))
    if isinstance(operation, RealConv):
        return replace(operation, weight=np.broadcast_to(np.float32(0), operation.weight.shape))
    return operation


def unpack_weights(operation: Operation, weights: PackedWeights | None) -> Operation:
    """Return the operation with the values of its weights, read from the packed ones."""
    if isinstance(operation, BinaryConv) and weights is not None:
        signs = layout.untile_binary(weights.tiles, operation.shape)
        if weights.factors is not None:
            signs *= weights.factors[:, None, None, None]
        return replace(operation, bits=pack_signs(signs))
    if isinstance(operation, RealConv) and weights is not None:
        return replace(operation, weight=layout.untile_floats(weights.tiles, operation.weight.shape))
    return operation
