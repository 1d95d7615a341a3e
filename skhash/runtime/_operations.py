"""The operations that a network may consist of: what each computes, and on what."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

__all__ = [
    "Add",
    "Affine",
    "AvgPool",
    "BinaryConv",
    "Clip",
    "Concat",
    "GlobalAvgPool",
    "Int8Conv",
    "Lookup",
    "Map",
    "MaxPool",
    "Operation",
    "RPReLU",
    "RealConv",
    "Sign",
    "SignsToReal",
    "operation_types",
    "out_size",
    "pack_signs",
]

PADDINGS = ("zero", "minus", "plus")
EXACT = 2**24  # float32 holds every integer up to here


@dataclass(frozen=True)
class Map:
    """Kind and shape of a value: `kind` is pixels, real, integer or sign."""

    kind: str
    height: int
    width: int
    channels: int

    def __str__(self):
        return f"{self.kind} {self.height} x {self.width} x {self.channels}"

    @property
    def n_pixels(self):
        """Number of places."""
        return self.height * self.width


def pack_signs(weight):
    """Bits of weights of any shape, eight to a byte, the first in the lowest bit; >= 0 is 1."""
    return np.packbits(weight.ravel() >= 0, bitorder="little")


def out_size(map_, kernel, stride, padding):
    """Height and width of what a window sweeps out; `ValueError` if it does not fit once."""
    sizes = [(side + 2 * padding - k) // stride + 1 for side, k in zip((map_.height, map_.width), kernel, strict=True)]
    if min(kernel) < 1 or stride < 1 or padding < 0 or min(sizes) < 1 or padding >= max(2, *kernel):
        raise ValueError(f"a window of {kernel} with stride {stride} and padding {padding} does not fit {map_}.")
    return sizes


class Operation:
    """What all operations share: sources, arrays, and how they are told apart in files."""

    sources: tuple
    _dtypes: ClassVar[dict] = {}

    def __post_init__(self):
        sources = (self.sources,) if isinstance(self.sources, (int, np.integer)) else self.sources
        object.__setattr__(self, "sources", tuple(int(source) for source in sources))
        for name, dtype in self._dtypes.items():
            if getattr(self, name) is None:
                continue
            array = np.asarray(getattr(self, name), dtype=dtype)
            if dtype == np.float32 and np.isnan(array).any():
                raise ValueError(f"{type(self).__name__}: {name} holds NaN.")
            object.__setattr__(self, name, array)

    def arrays(self):
        """Give the arrays by name, without those that are None."""
        return {name: getattr(self, name) for name in self._dtypes if getattr(self, name) is not None}

    @classmethod
    def dtypes(cls):
        """Give the types of the arrays by name."""
        return cls._dtypes

    def settings(self):
        """Give everything but the arrays by name: numbers, strings and tuples of numbers."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in self._dtypes}

    def result(self, source):
        """Give the `Map` of the result from those of the sources, or a `ValueError` that says what does not fit."""
        return self._of_kind(source, "real")

    @staticmethod
    def _of_kind(source, *kinds):
        if source.kind not in kinds:
            raise ValueError(f"the source is {source}, expected kind {' or '.join(kinds)}.")
        return source

    def _check_channels(self, source, *names, axis=0):
        for name in names:
            shape = getattr(self, name).shape
            if len(shape) <= axis or shape[axis] != source.channels:
                raise ValueError(f"{name} has shape {shape}, but the source has {source.channels} channels.")


@dataclass(frozen=True, eq=False)
class Lookup(Operation):
    """Turn pixels into numbers by a table, `table[channel, pixel]`: any preprocessing, exactly."""

    sources: int
    table: np.ndarray
    _dtypes: ClassVar[dict] = {"table": np.float32}

    def result(self, source):
        """Real, as many channels."""
        self._of_kind(source, "pixels")
        if self.table.shape != (source.channels, 256):
            raise ValueError(f"table has shape {self.table.shape}, expected {(source.channels, 256)}.")
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class _Conv(Operation):
    """A convolution with weights `(out_channels, kernel height, kernel width, in_channels)`, zero outside the map."""

    sources: int
    weight: np.ndarray
    stride: int = 1
    padding: int = 0

    _kinds: ClassVar[tuple] = ()

    def result(self, source):
        """Out channels, size by the usual formula."""
        self._of_kind(source, *self._kinds[0])
        if self.weight.ndim != 4:
            raise ValueError(f"weight has shape {self.weight.shape}, expected 4 dimensions.")
        self._check_channels(source, "weight", axis=3)
        return Map(
            self._kinds[1], *out_size(source, self.weight.shape[1:3], self.stride, self.padding), len(self.weight)
        )


@dataclass(frozen=True, eq=False)
class Int8Conv(_Conv):
    """A convolution of pixels minus 128 with int8 weights: exact integers, the first layer."""

    _dtypes: ClassVar[dict] = {"weight": np.int8}
    _kinds: ClassVar[tuple] = (("pixels",), "integer")

    def result(self, source):
        """Refuses what float32 could not hold."""
        if np.abs(self.weight.astype(np.int64)).reshape(len(self.weight), -1).sum(1).max(initial=0) * 128 >= EXACT:
            raise ValueError("the sums of weights are so large that float32 could not hold every result.")
        return super().result(source)


@dataclass(frozen=True, eq=False)
class RealConv(_Conv):
    """A convolution in float32, also a linear layer: products are added by fused multiply-add in the weights' order."""

    _dtypes: ClassVar[dict] = {"weight": np.float32}
    _kinds: ClassVar[tuple] = (("real",), "real")


@dataclass(frozen=True, eq=False)
class BinaryConv(Operation):
    """A convolution of signs with weights of one bit; a linear layer on 1 x 1 maps, or flattened ones (kernel = map).

    `shape` is `(out_channels, kernel height, kernel width, in_channels)`; `bits` holds the weights in this order, eight
    to a byte (uint8), the first in the lowest bit, 1 for +1. Outside the map lies `padding_value`: "zero" (as torch
    pads), "minus" (-1) or "plus" (+1).
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
        """Make one from weights `(out_channels, kernel height, kernel width, in_channels)`; >= 0 counts as +1."""
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
        if self.padding_value not in PADDINGS:
            raise ValueError(f"padding_value must be one of {PADDINGS}, got {self.padding_value!r}.")
        if self.bits is not None and self.bits.shape != (-(-self.n_weights // 8),):
            raise ValueError(f"bits has shape {self.bits.shape}, expected {(-(-self.n_weights // 8),)}.")
        return Map("integer", *out_size(source, self.kernel, self.stride, self.padding), self.shape[0])


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """`scale * x + offset` by channel, in float32: BatchNorm, weight scales (without an offset), biases.

    `fused` says whether the product is rounded before the sum (False) or not (True), which differs between builds of
    torch; a converter finds out which it is.
    """

    sources: int
    scale: np.ndarray
    offset: np.ndarray = None
    fused: bool = True
    _dtypes: ClassVar[dict] = {"scale": np.float32, "offset": np.float32}

    def result(self, source):
        """Real."""
        self._of_kind(source, "real", "integer")
        self._check_channels(source, *self.arrays())
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class Sign(Operation):
    """-1 or +1: +1 where `x >= threshold`, by channel; None are zeros. RSign's threshold is minus its shift."""

    sources: int
    threshold: np.ndarray = None
    _dtypes: ClassVar[dict] = {"threshold": np.float32}

    def result(self, source):
        """Sign."""
        self._of_kind(source, "real", "integer")
        self._check_channels(source, *self.arrays())
        return Map("sign", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class SignsToReal(Operation):
    """Signs as the numbers -1 and +1, for what computes with numbers."""

    sources: int

    def result(self, source):
        """Real."""
        self._of_kind(source, "sign")
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class RPReLU(Operation):
    """ReActNet's activation by channel: `prelu(x + before) + after`; `slope` is what negative values are times."""

    sources: int
    before: np.ndarray
    slope: np.ndarray
    after: np.ndarray
    _dtypes: ClassVar[dict] = {"before": np.float32, "slope": np.float32, "after": np.float32}

    def result(self, source):
        """Real."""
        self._check_channels(source, "before", "slope", "after")
        return self._of_kind(source, "real")


@dataclass(frozen=True, eq=False)
class Clip(Operation):
    """Values outside `[low, high]` become the nearer end: hardtanh is [-1, 1], ReLU [0, 3.4e38]."""

    sources: int
    low: float = -1.0
    high: float = 1.0

    def result(self, source):
        """Real."""
        if not self.low <= self.high:
            raise ValueError(f"low must not be above high, got {self.low} and {self.high}.")
        return self._of_kind(source, "real")


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """The sum of two real maps, in float32."""

    sources: tuple

    def result(self, source, other):
        """Real; both must have one shape."""
        self._of_kind(source, "real")
        if source != other:
            raise ValueError(f"the sources are {source} and {other}, expected two real maps of one shape.")
        return source


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Real maps behind each other in channels; one map twice is ReActNet's duplication."""

    sources: tuple

    def result(self, *sources):
        """Real."""
        first = self._of_kind(sources[0], "real")
        if any((s.kind, s.height, s.width) != ("real", first.height, first.width) for s in sources):
            raise ValueError(f"the sources are {', '.join(map(str, sources))}, expected real maps of one size.")
        return Map("real", first.height, first.width, sum(source.channels for source in sources))


@dataclass(frozen=True, eq=False)
class MaxPool(Operation):
    """The largest value of each window; what lies outside the map does not count."""

    sources: int
    kernel: tuple = (2, 2)
    stride: int = 2
    padding: int = 0

    def result(self, source):
        """The source's kind."""
        self._of_kind(source, "real", "integer")
        if self.padding and 2 * self.padding > min(self.kernel):
            raise ValueError(f"padding {self.padding} is more than half of the window {self.kernel}.")
        return Map(source.kind, *out_size(source, self.kernel, self.stride, self.padding), source.channels)


@dataclass(frozen=True, eq=False)
class AvgPool(Operation):
    """The mean of each window: values are added row by row in float32, then divided by their number.

    With `partial`, windows at the lower and right border may hang over; the mean is that of what lies inside (as with
    `ceil_mode` in torch).
    """

    sources: int
    kernel: tuple = (2, 2)
    stride: int = 2
    partial: bool = False

    def result(self, source):
        """Real."""
        self._of_kind(source, "real")
        if not self.partial:
            return Map("real", *out_size(source, self.kernel, self.stride, 0), source.channels)
        if min(self.kernel) < 1 or self.stride < 1:
            raise ValueError(f"a window of {self.kernel} with stride {self.stride} does not fit {source}.")
        sides = zip((source.height, source.width), self.kernel, strict=True)
        # A window must begin inside, however far it hangs over.
        sizes = [min(-(-max(side - k, 0) // self.stride), (side - 1) // self.stride) + 1 for side, k in sides]
        return Map("real", *sizes, source.channels)


@dataclass(frozen=True, eq=False)
class GlobalAvgPool(Operation):
    """The mean of the whole map, added row by row in float32."""

    sources: int

    def result(self, source):
        """Real, 1 x 1."""
        return Map("real", 1, 1, self._of_kind(source, "real").channels)


def operation_types():
    """Give the operations by the name that files know them by."""
    known = [
        *(Lookup, Int8Conv, RealConv, BinaryConv, Affine, Sign, SignsToReal, RPReLU, Clip, Add, Concat),
        *(MaxPool, AvgPool, GlobalAvgPool),
    ]
    return {operation.__name__: operation for operation in known}
