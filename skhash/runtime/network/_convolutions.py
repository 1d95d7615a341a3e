"""Operations with weights: convolutions. Linear layers are convolutions of maps with one pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np

from skhash.runtime.network._operation import LARGEST_EXACT, Kind, Map, Operation, window_output

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from skhash.runtime.network._fields import Converted, Int8s, Reals, Shape, Sources, Words

__all__ = ["BinaryConv", "Int8Conv", "Lookup", "RealConv", "pack_signs"]

PaddingValue: TypeAlias = Literal["zero", "minus", "plus"]


def pack_signs(weight: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bits of weights of any shape, eight to a byte, the first in the lowest bit; >= 0 is 1."""
    return np.packbits(weight.ravel() >= 0, bitorder="little")


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """Replace pixels by real numbers from a table: any preprocessing of single pixels, exactly.

    Parameters
    ----------
    sources : int
        Value to read: pixels.
    table : array-like of float of shape (channels, 256)
        Numbers by channel and pixel.
    """

    sources: Sources
    table: Reals
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"table": np.float32}

    def result(self, source: Map) -> Map:
        """Return a real map with as many channels; see `Operation.result`."""
        self._require_kind(source, "pixels")
        if self.table.shape != (source.channels, 256):
            raise ValueError(f"table has shape {self.table.shape}, expected {(source.channels, 256)}.")
        return Map("real", source.height, source.width, source.channels)


class _Conv(Operation):
    """A convolution with one number per weight."""

    weight: Converted[Any, NDArray[Any]]
    stride: int
    padding: int

    def _convolved(self, source: Map, kind: Kind) -> Map:
        if self.weight.ndim != 4 or not self.weight.size:
            raise ValueError(f"weight has shape {self.weight.shape}, expected 4 dimensions, each >= 1.")
        self._require_channels(source, "weight", axis=3)
        return Map(kind, *window_output(source, self.kernel, self.stride, self.padding), len(self.weight))

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.weight.shape[1], self.weight.shape[2]


@dataclass(frozen=True, eq=False)
class Int8Conv(_Conv):
    """Convolve pixels minus 128 with int8 weights: exact integers. Meant for the first layer.

    Parameters
    ----------
    sources : int
        Value to read: pixels.
    weight : array-like of int8 of shape (out_channels, kernel height, kernel width, in_channels)
        Filters.
    stride : int, default=1
        Step of the window.
    padding : int, default=0
        Width of the border, which consists of pixels 128.
    """

    sources: Sources
    weight: Int8s
    stride: int = 1
    padding: int = 0
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"weight": np.int8}

    def result(self, source: Map) -> Map:
        """Return an integer map, whose elements float32 must be able to represent; see `Operation.result`."""
        sums = np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1).sum(axis=1)
        if sums.max(initial=0) * 128 > LARGEST_EXACT:
            raise ValueError("the weights are so large that float32 could not represent every sum.")
        return self._convolved(self._require_kind(source, "pixels"), "integer")


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
        Width of the border, which consists of zeros.
    """

    sources: Sources
    weight: Reals
    stride: int = 1
    padding: int = 0
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"weight": np.float32}

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        return self._convolved(self._require_kind(source, "real"), "real")


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
        Value of the border: 0, as torch pads, -1 or +1.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv
    >>> conv = BinaryConv.from_signs(0, np.array([[[[1, -1, 1]]]]))
    >>> conv.bits, conv.shape, conv.signs().ravel()
    (array([5], dtype=uint8), (1, 1, 1, 3), array([ 1, -1,  1], dtype=int8))
    """

    sources: Sources
    bits: Words
    shape: Shape
    stride: int = 1
    padding: int = 0
    padding_value: PaddingValue = "zero"
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"bits": np.uint8}

    @classmethod
    def from_signs(cls, source: int, weight: ArrayLike, **settings: Any) -> Self:
        """Build a convolution from numbers.

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
        return cls(source, pack_signs(weight), weight.shape, **settings)

    def signs(self) -> NDArray[np.int8]:
        """Return the weights as int8 -1 / +1 of shape `shape`."""
        ones = np.unpackbits(self.bits, count=self.n_weights, bitorder="little").view(np.int8)
        return (2 * ones - 1).reshape(self.shape)

    @property
    def n_weights(self) -> int:
        """Number of weights, one bit each."""
        return math.prod(self.shape)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.shape[1], self.shape[2]

    @property
    def limit(self) -> int:
        """Largest magnitude of a sum: the number of weights of a filter."""
        return math.prod(self.shape[1:])

    def result(self, source: Map) -> Map:
        """Return a map of integers from `-limit` to `limit`; see `Operation.result`."""
        self._require_kind(source, "sign")
        if len(self.shape) != 4 or min(self.shape) < 1 or self.limit >= LARGEST_EXACT:
            raise ValueError(
                f"shape must be four positive sizes with fewer than {LARGEST_EXACT} weights per filter, "
                f"got {self.shape}."
            )
        if source.channels != self.shape[3]:
            raise ValueError(f"shape is {self.shape}, but the source has {source.channels} channels.")
        if self.padding_value not in get_args(PaddingValue):
            raise ValueError(f"padding_value must be one of {get_args(PaddingValue)}, got {self.padding_value!r}.")
        if self.bits.shape != (-(-self.n_weights // 8),):
            raise ValueError(f"bits has shape {self.bits.shape}, expected {(-(-self.n_weights // 8),)}.")
        if self.n_weights % 8 and self.bits[-1] >> self.n_weights % 8:
            raise ValueError(f"the spare bits of the last byte of bits must be 0, got the byte {self.bits[-1]}.")
        return Map("integer", *window_output(source, self.kernel, self.stride, self.padding), self.shape[0])
