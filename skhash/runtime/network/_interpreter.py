"""An interpreter of networks in plain numpy: slow and exact. All kernels are tested against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.runtime.network._convolutions import BinaryConv, Int8Conv, Lookup, RealConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, Concat, RPReLU, Sign, SignsToReal
from skhash.runtime.network._operation import Map
from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool
from skhash.runtime.network._rounding import affine, fused_multiply_add

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from skhash.runtime.network._network import Network
    from skhash.runtime.network._operation import Operation

    Values = NDArray[Any]

__all__ = ["interpret"]


def interpret(network: Network, X: ArrayLike) -> list[NDArray[Any]]:
    """Compute every value of a network, operation by operation.

    Every rounding is that of the kernels, so a packed network must compute equal values, not close ones.

    Parameters
    ----------
    network : Network
        The network.
    X : array-like of shape (n, height, width, channels) or (n, n_features)
        Images of uint8, or vectors of float32.

    Returns
    -------
    values : list of ndarray
        The values of the network, `(n, height, width, channels)` each: uint8 pixels, float32 reals, int64 integers
        and bool signs (True is +1). The first is the input, the last the code.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv, Network, Sign, interpret
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> interpret(network, np.array([[1, -2, 3, 4, -5, 6, 7, 8]], np.float32))[2].ravel()
    array([-2,  6,  0, -2,  6,  0, -2,  6])
    """
    X = np.asarray(X)
    values = [X.reshape(len(X), *([1, 1] * (not network.takes_images)), *network.input_shape)]
    for operation in network.operations:
        values.append(_RULES[type(operation)](operation, *(values[source] for source in operation.sources)))
    return values


def _windows(x: Values, kernel: Sequence[int], stride: int, padding: int, fill: Any) -> Values:
    """Return a view of shape (n, out height, out width, kernel height, kernel width, channels)."""
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)], constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    return np.moveaxis(windows[:, ::stride, ::stride], 3, -1)


def _exact_conv(x: Values, weight: Values, stride: int, padding: int, fill: int) -> Values:
    """Convolve integers so small that float64 represents all sums exactly."""
    windows = _windows(x.astype(np.float64), weight.shape[1:3], stride, padding, fill)
    return np.tensordot(windows, weight.astype(np.float64), axes=([3, 4, 5], [1, 2, 3])).astype(np.int64)


def _lookup(op: Lookup, x: Values) -> Values:
    return op.table[np.arange(x.shape[3]), x]


def _int8_conv(op: Int8Conv, x: Values) -> Values:
    return _exact_conv(x.astype(np.int64) - 128, op.weight, op.stride, op.padding, 0)


def _binary_conv(op: BinaryConv, x: Values) -> Values:
    fill = {"zero": 0, "minus": -1, "plus": 1}[op.padding_value]
    return _exact_conv(np.where(x, 1, -1), op.signs(), op.stride, op.padding, fill)


def _real_conv(op: RealConv, x: Values) -> Values:
    windows = _windows(x, op.weight.shape[1:3], op.stride, op.padding, 0)
    flat = windows.reshape(*windows.shape[:3], -1)
    weight = op.weight.reshape(len(op.weight), -1)
    total = np.zeros((*flat.shape[:3], len(weight)), np.float32)
    for k in range(flat.shape[3]):  # one rounding per product, in this order, as the kernels do
        total = fused_multiply_add(flat[..., k, None], weight[:, k], total)
    return total


def _affine(op: Affine, x: Values) -> Values:
    return affine(x.astype(np.float32), op)


def _sign(op: Sign, x: Values) -> Values:
    return x.astype(np.float32) >= (np.float32(0) if op.threshold is None else op.threshold)


def _rprelu(op: RPReLU, x: Values) -> Values:
    x = x + op.before
    return np.where(x > 0, x, x * op.slope) + op.after


def _clip(op: Clip, x: Values) -> Values:
    return np.minimum(np.maximum(x, np.float32(op.low)), np.float32(op.high))


def _max_pool(op: MaxPool, x: Values) -> Values:
    lowest = -np.inf if x.dtype == np.float32 else np.iinfo(x.dtype).min
    return _windows(x, op.kernel, op.stride, op.padding, lowest).max(axis=(3, 4))


def _avg_pool(op: AvgPool, x: Values) -> Values:
    out = op.result(Map("real", *x.shape[1:]))
    result = np.empty((len(x), out.height, out.width, out.channels), np.float32)
    for i in range(out.height):
        for j in range(out.width):
            top, left = i * op.stride, j * op.stride
            result[:, i, j] = _mean(x[:, top : top + op.kernel[0], left : left + op.kernel[1]])
    return result


def _mean(x: Values) -> Values:
    pixels = x.reshape(len(x), -1, x.shape[3])
    total = pixels[:, 0]
    for k in range(1, pixels.shape[1]):
        total = total + pixels[:, k]
    return total / np.float32(pixels.shape[1])


def _global_avg_pool(op: GlobalAvgPool, x: Values) -> Values:
    # The order of torch's sums: groups of 16 pixels, groups of 16 of these sums, and the rest of both.
    pixels = x.reshape(len(x), -1, x.shape[3])
    n = pixels.shape[1]
    large, groups = n // 256 * 256, n // 16 * 16
    sums = [_sum(pixels[:, start : start + 16]) for start in range(0, groups, 16)]
    outer = [_sum(np.stack(sums[start : start + 16], 1)) for start in range(0, large // 16, 16)]
    parts = [pixels[:, groups:]] + [np.stack(part or [0 * pixels[:, 0]], 1) for part in (sums[large // 16 :], outer)]
    rest, middle, top = (_sum(part) for part in parts)
    return ((rest + middle + top) / np.float32(n))[:, None, None]


def _sum(pixels: Values) -> Values:
    total = np.zeros((len(pixels), pixels.shape[2]), np.float32)
    for k in range(pixels.shape[1]):
        total = total + pixels[:, k]
    return total


_RULES: dict[type[Operation], Callable[..., Values]] = {
    Lookup: _lookup,
    Int8Conv: _int8_conv,
    RealConv: _real_conv,
    BinaryConv: _binary_conv,
    Affine: _affine,
    Sign: _sign,
    SignsToReal: lambda op, x: np.where(x, np.float32(1), np.float32(-1)),
    RPReLU: _rprelu,
    Clip: _clip,
    Add: lambda op, x, y: x + y,
    Concat: lambda op, *xs: np.concatenate(xs, axis=3),
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    GlobalAvgPool: _global_avg_pool,
}
