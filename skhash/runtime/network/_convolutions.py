"""Operations with weights: convolutions, which are linear layers on maps of one pixel."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skhash.runtime.network._operation import EXACT, Map, Operation, out_size

__all__ = ["BinaryConv", "Int8Conv", "Lookup", "RealConv", "pack_signs"]

PADDING_VALUES = ("zero", "minus", "plus")


def pack_signs(weight):
    """Bits of weights of any shape, eight to a byte, the first in the lowest bit; >= 0 is 1."""
    return np.packbits(weight.ravel() >= 0, bitorder="little")


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """Turn pixels into real numbers by a table: any preprocessing, exactly.

    Parameters
    ----------
    sources : int
        Value to read: pixels.
    table : array-like of float of shape (channels, 256)
        By channel and pixel.
    """

    sources: int
    table: np.ndarray
    _dtypes: ClassVar[dict] = {"table": np.float32}

    def result(self, source):
        """Real, as many channels."""
        self._of_kind(source, "pixels")
        if self.table.shape != (source.channels, 256):
            raise ValueError(f"table has shape {self.table.shape}, expected {(source.channels, 256)}.")
        return Map("real", source.height, source.width, source.channels)


class _Conv(Operation):
    """A convolution with one number a weight."""

    def _convolved(self, source, kind):
        if self.weight.ndim != 4:
            raise ValueError(f"weight has shape {self.weight.shape}, expected 4 dimensions.")
        self._check_channels(source, "weight", axis=3)
        return Map(kind, *out_size(source, self.kernel, self.stride, self.padding), len(self.weight))

    @property
    def kernel(self):
        """Height and width of the window."""
        return self.weight.shape[1:3]


@dataclass(frozen=True, eq=False)
class Int8Conv(_Conv):
    """Convolve pixels minus 128 with int8 weights: exact integers. The first layer.

    Parameters
    ----------
    sources : int
        Value to read: pixels.
    weight : array-like of int8 of shape (out_channels, kernel height, kernel width, in_channels)
        Filters.
    stride : int, default=1
        Step of the window.
    padding : int, default=0
        Width of the border, of pixels 128.
    """

    sources: int
    weight: np.ndarray
    stride: int = 1
    padding: int = 0
    _dtypes: ClassVar[dict] = {"weight": np.int8}

    def result(self, source):
        """Integers, which float32 must be able to hold."""
        sums = np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1).sum(axis=1)
        if sums.max(initial=0) * 128 > EXACT:
            raise ValueError("the weights are so large that float32 could not hold every sum.")
        return self._convolved(self._of_kind(source, "pixels"), "integer")


@dataclass(frozen=True, eq=False)
class RealConv(_Conv):
    """Convolve real numbers in float32; products are added in the weights' order, each by one fused multiply-add.

    A linear layer is a convolution of a map of 1 x 1, or one whose kernel is as large as the map.

    Parameters
    ----------
    sources : int
        Value to read: real.
    weight : array-like of float of shape (out_channels, kernel height, kernel width, in_channels)
        Filters.
    stride : int, default=1
        Step of the window.
    padding : int, default=0
        Width of the border, of zeros.
    """

    sources: int
    weight: np.ndarray
    stride: int = 1
    padding: int = 0
    _dtypes: ClassVar[dict] = {"weight": np.float32}

    def result(self, source):
        """Real."""
        return self._convolved(self._of_kind(source, "real"), "real")


@dataclass(frozen=True, eq=False)
class BinaryConv(Operation):
    """Convolve signs with weights of one bit: exact integers.

    A linear layer is a convolution of a map of 1 x 1, or one whose kernel is as large as the map.

    Parameters
    ----------
    sources : int
        Value to read: signs.
    bits : array-like of uint8 of shape (ceil(n_weights / 8),)
        The weights in the order of `shape`, eight to a byte, the first in the lowest bit: 1 is +1. Spare bits are 0.
    shape : tuple of int
        `(out_channels, kernel height, kernel width, in_channels)`.
    stride : int, default=1
        Step of the window.
    padding : int, default=0
        Width of the border.
    padding_value : {"zero", "minus", "plus"}, default="zero"
        What the border is made of: 0, as torch pads, -1 or +1.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv
    >>> conv = BinaryConv.from_signs(0, np.array([[[[1, -1, 1]]]]))
    >>> conv.bits, conv.shape, conv.signs().ravel()
    (array([5], dtype=uint8), (1, 1, 1, 3), array([ 1, -1,  1], dtype=int8))
    """

    sources: int
    bits: np.ndarray
    shape: tuple
    stride: int = 1
    padding: int = 0
    padding_value: str = "zero"
    _dtypes: ClassVar[dict] = {"bits": np.uint8}

    @classmethod
    def from_signs(cls, source, weight, **settings):
        """Make one from numbers.

        Parameters
        ----------
        source : int
            Value to read.
        weight : array-like of shape (out_channels, kernel height, kernel width, in_channels)
            Weights; >= 0 counts as +1.
        **settings
            `stride`, `padding` and `padding_value`.

        Returns
        -------
        convolution : BinaryConv
            With these weights.
        """
        weight = np.asarray(weight)
        return cls(source, pack_signs(weight), tuple(weight.shape), **settings)

    def signs(self):
        """Give the weights as int8 -1 / +1 of shape `shape`."""
        ones = np.unpackbits(self.bits, count=self.n_weights, bitorder="little").view(np.int8)
        return (2 * ones - 1).reshape(self.shape)

    @property
    def n_weights(self):
        """Number of weights, one bit each."""
        return math.prod(self.shape)

    @property
    def kernel(self):
        """Height and width of the window."""
        return tuple(self.shape[1:3])

    @property
    def limit(self):
        """Largest magnitude of a sum: the number of weights of a filter."""
        return math.prod(self.shape[1:])

    def result(self, source):
        """Integers from `-limit` to `limit`."""
        self._of_kind(source, "sign")
        if len(self.shape) != 4 or min(self.shape) < 1 or self.limit >= EXACT:
            raise ValueError(f"shape is {self.shape}, expected four sizes, and fewer than {EXACT} weights a filter.")
        if source.channels != self.shape[3]:
            raise ValueError(f"shape is {self.shape}, but the source has {source.channels} channels.")
        if self.padding_value not in PADDING_VALUES:
            raise ValueError(f"padding_value must be one of {PADDING_VALUES}, got {self.padding_value!r}.")
        if self.bits is not None and self.bits.shape != (-(-self.n_weights // 8),):
            raise ValueError(f"bits has shape {self.bits.shape}, expected {(-(-self.n_weights // 8),)}.")
        return Map("integer", *out_size(source, self.kernel, self.stride, self.padding), self.shape[0])
