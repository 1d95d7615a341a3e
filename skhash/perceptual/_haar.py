"""The Haar transform with the rounding of PyWavelets, on which the bits of equal blocks depend in ImageHash's `whash`.

PyWavelets is not needed: a step of the transform multiplies neighbors by the square root of one half and adds the
products, first over rows, then over columns, and back in the opposite order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOT = 0.7071067811865476  # PyWavelets' digits


def low_pass(pixels: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return the low-pass part of an image from which its mean is removed.

    Parameters
    ----------
    pixels : ndarray of float64 of shape (2 ** k, 2 ** k)
        The image.
    steps : int
        How often its height and width are halved.

    Returns
    -------
    low : ndarray of float64 of shape (2 ** (k - steps), 2 ** (k - steps))
        `pywt.wavedec2(pywt.waverec2([0, *details]), "haar", level=steps)[0]`, where `details` are those of the whole
        decomposition of the image.
    """
    details = []
    low = pixels
    while low.shape[0] > 1:
        low, detail = _split(low)
        details.append(detail)
    low = low * 0
    for detail in reversed(details):
        low = _join(low, detail)
    for _ in range(steps):
        low = _halve_columns(_halve_rows(low))
    return low


def _halve_rows(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ROOT * x[1::2] + _ROOT * x[::2]


def _halve_columns(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ROOT * x[:, 1::2] + _ROOT * x[:, ::2]


def _split(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Return the low-pass part and the three other parts of one step."""
    a = _ROOT * x[1::2] + _ROOT * x[::2]
    d = -_ROOT * x[1::2] + _ROOT * x[::2]
    aa, ad = (sign * _ROOT * a[:, 1::2] + _ROOT * a[:, ::2] for sign in (1, -1))
    da, dd = (sign * _ROOT * d[:, 1::2] + _ROOT * d[:, ::2] for sign in (1, -1))
    return aa, (ad, da, dd)


def _join(low: NDArray[np.float64], detail: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """Return the image of which the parts are given."""
    ad, da, dd = detail
    height, width = low.shape
    columns = np.empty((2, height, 2 * width))
    for half, (a, d) in zip(columns, ((low, ad), (da, dd)), strict=True):
        half[:, ::2] = _ROOT * a + _ROOT * d
        half[:, 1::2] = _ROOT * a - _ROOT * d
    joined = np.empty((2 * height, 2 * width))
    joined[::2] = _ROOT * columns[0] + _ROOT * columns[1]
    joined[1::2] = _ROOT * columns[0] - _ROOT * columns[1]
    return joined
