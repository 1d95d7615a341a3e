"""A small network, trained already, whose bits tell whether one picture is a changed copy of another.

Everything is integers or single operations on floats: pixels, weights of 8 bits, and sums below 2 ** 24, which single
precision holds exactly in whatever order a matrix product adds. So a picture has the same code on every machine.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("copy_network.npz")
SIDE = 40  # pixels
LEVELS = 127  # of activations
TOP = 3.0  # the value of the highest level
_REACH = 4  # pixels to each side, over which details are compared with their surroundings
_FLATTEST = 2.55  # mean distance from the mean gray value below which a picture counts as one color
_FAINTEST = 0.15  # of that distance; fainter details stay faint
_FRACTIONS = 256  # of a gray value
BITS = 64
_N_DIFFERENCES = 40
# Shorter codes are the first bits, and have their share of both parts.
_SHARES = [(np.arange(n) + 0.5) / n for n in (_N_DIFFERENCES, BITS - _N_DIFFERENCES)]
_ORDER = np.argsort(np.concatenate(_SHARES), kind="stable")


def copy_scores(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the continuous code of a picture, which is that of the mirrored picture.

    Parameters
    ----------
    pixels : ndarray of shape (40, 40)
        Gray values, integers from 0 to 255.

    Returns
    -------
    z : ndarray of float64 of shape (64,)
        Integers: 40 differences of gray values and 24 outputs of the network, evenly mixed. Bit `k` is 1 where `z[k]`
        is positive.
    """
    pixels = pixels.astype(np.int64)
    return np.concatenate([_compare_neighbors(pixels), _run_network(pixels)])[_ORDER]


def _compare_neighbors(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return differences of horizontal neighbors, 10 x 4, in the mean of the picture and its mirror image."""
    filters = load_weights()["filters"].astype(np.int64)
    cells = filters @ pixels @ filters.T
    cells = (cells + cells[:, ::-1])[:, : len(filters) // 2]
    return (cells[:, 1:] - cells[:, :-1]).ravel().astype(np.float64)


def _run_network(pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of the network's outputs for the picture and its mirror image."""
    weights = load_weights()
    x = _prepare(pixels)
    x = np.stack([x, x[:, ::-1]])
    x = _activate(_convolve(x, weights, "conv1", kernel=5, stride=2))
    x = _activate(_convolve(x, weights, "conv2", stride=2))
    x = _activate(_convolve(x, weights, "conv3") + x)
    x = _activate(_convolve(x, weights, "conv4", stride=2))
    x = _activate(_convolve(x, weights, "conv5") + x)
    x = _activate(_scale(x.reshape(2, -1) @ weights["hidden"], weights, "hidden"))
    z = (x.sum(axis=0) @ weights["output"]).astype(np.float64) + weights["output_bias"]
    return z + 0.5  # a sum of 0 is bit 1


@lru_cache(maxsize=1)
def load_weights() -> dict[str, NDArray[Any]]:
    """Load the weights that come with the package.

    Returns
    -------
    weights : dict of str to ndarray
        A matrix of integers (inputs, outputs), a factor and an offset per output of every layer.
    """
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def _prepare(pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return two maps (40, 40, 2): gray values relative to the picture's, and details relative to those around."""
    centered = pixels * pixels.size - pixels.sum()
    spread = max(float(np.abs(centered).sum()) / pixels.size**2, _FLATTEST)
    areas = _sum_around(np.ones_like(pixels))
    details = (pixels * areas - _sum_around(pixels)) * _FRACTIONS // areas
    around = _sum_around(np.abs(details)) / areas
    maps = np.stack([centered / (pixels.size * spread), details / (around + _FAINTEST * _FRACTIONS * spread)], axis=2)
    return np.rint(np.clip(maps, -TOP, TOP) * (LEVELS / TOP)).astype(np.float32)


def _sum_around(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums over squares of 9 x 9 pixels around each pixel, as far as they are in the picture."""
    place = np.arange(SIDE)
    first, end = np.maximum(place - _REACH, 0), np.minimum(place + _REACH + 1, SIDE)
    for _ in range(2):
        sums = np.zeros((SIDE + 1, SIDE), np.int64)
        np.cumsum(values, axis=0, out=sums[1:])
        values = (sums[end] - sums[first]).T
    return values


def _convolve(
    x: NDArray[np.float32], weights: dict[str, NDArray[Any]], name: str, *, kernel: int = 3, stride: int = 1
) -> NDArray[np.float32]:
    """Convolve maps (n, height, width, channels) with zeros around them."""
    n, height, width, channels = x.shape
    margin = kernel // 2
    padded = np.zeros((n, height + 2 * margin, width + 2 * margin, channels), np.float32)
    padded[:, margin : margin + height, margin : margin + width] = x
    rows, columns = -(-height // stride), -(-width // stride)
    of_sample, of_row, of_column, of_channel = padded.strides
    windows = np.lib.stride_tricks.as_strided(
        padded,
        (n, rows, columns, kernel, kernel * channels),
        (of_sample, stride * of_row, stride * of_column, of_row, of_channel),
        writeable=False,
    )
    sums = windows.reshape(n * rows * columns, -1) @ weights[name]
    return _scale(sums, weights, name).reshape(n, rows, columns, -1)


def _scale(sums: NDArray[np.float32], weights: dict[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    sums *= weights[f"{name}_factor"]
    sums += weights[f"{name}_offset"]
    return sums


def _activate(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.rint(np.clip(x, 0, LEVELS, out=x), out=x)
