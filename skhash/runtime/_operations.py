"""The operations that a network may consist of: what each computes, and on what."""

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


def out_size(map_, kernel, stride, padding):
    """Height and width of what a window sweeps out; `ValueError` if it does not fit once."""
    sizes = [
        (side + 2 * padding - k) // stride + 1 for side, k in zip((map_.height, map_.width), kernel, strict=True)
    ]
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
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise ValueError(f"{type(self).__name__}: {name} holds NaN or inf.")
            object.__setattr__(self, name, array)

    def arrays(self):
        """Give the arrays by name, for files and counts."""
        return {name: getattr(self, name) for name in self._dtypes}

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
        return Map(self._kinds[1], *out_size(source, self.weight.shape[1:3], self.stride, self.padding), len(self.weight))


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
    """A convolution of signs with weights of one bit, also a linear layer on 1 x 1 maps or (kernel = map) flattened ones.

    `bits` is uint64 of shape `(out_channels, ceil(kernel height * kernel width * in_channels / 64))`: bit 1 is weight
    +1, in the order (row, column, channel), little-endian, unused bits 0. Outside the map lies `padding_value`:
    "zero" (as torch pads), "minus" (-1) or "plus" (+1).
    """

    sources: int
    bits: np.ndarray
    in_channels: int
    kernel: tuple = (1, 1)
    stride: int = 1
    padding: int = 0
    padding_value: str = "zero"
    _dtypes: ClassVar[dict] = {"bits": np.uint64}

    @classmethod
    def from_signs(cls, source, weight, **settings):
        """Make one from weights `(out_channels, kernel height, kernel width, in_channels)`; >= 0 counts as +1."""
        weight = np.asarray(weight)
        flat = np.packbits(weight.reshape(len(weight), -1) >= 0, axis=1, bitorder="little")
        padded = np.zeros((len(weight), -(-flat.shape[1] // 8) * 8), np.uint8)
        padded[:, : flat.shape[1]] = flat
        bits = padded.view("<u8").astype(np.uint64, copy=False)
        return cls(source, bits, weight.shape[3], tuple(weight.shape[1:3]), **settings)

    def signs(self):
        """Give the weights as int8 -1 / +1 of shape `(out_channels, kernel height, kernel width, in_channels)`."""
        as_bytes = np.ascontiguousarray(self.bits, "<u8").view(np.uint8)
        ones = np.unpackbits(as_bytes, axis=1, count=self._per_filter, bitorder="little").view(np.int8)
        return (2 * ones - 1).reshape(len(self.bits), *self.kernel, self.in_channels)

    @property
    def n_weights(self):
        """Number of weights, one bit each."""
        return len(self.bits) * self._per_filter

    @property
    def _per_filter(self):
        return int(np.prod(self.kernel)) * self.in_channels

    def result(self, source):
        """Integers from `-k` to `k` with `k` the number of weights of a filter."""
        self._of_kind(source, "sign")
        if source.channels != self.in_channels:
            raise ValueError(f"in_channels is {self.in_channels}, but the source has {source.channels} channels.")
        if self.padding_value not in PADDINGS:
            raise ValueError(f"padding_value must be one of {PADDINGS}, got {self.padding_value!r}.")
        if self.bits.ndim != 2 or self.bits.shape[1] != -(-self._per_filter // 64):
            raise ValueError(f"bits has shape {self.bits.shape}, expected {-(-self._per_filter // 64)} words a filter.")
        if self._per_filter >= EXACT:
            raise ValueError(f"a filter has {self._per_filter} weights, expected less than {EXACT}.")
        return Map("integer", *out_size(source, self.kernel, self.stride, self.padding), len(self.bits))


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """`scale * x + offset` by channel, in float32: BatchNorm, weight scales, biases.

    `fused` says whether the product is rounded before the sum (False) or not (True), which differs between builds of
    torch; a converter finds out which it is.
    """

    sources: int
    scale: np.ndarray
    offset: np.ndarray
    fused: bool = True
    _dtypes: ClassVar[dict] = {"scale": np.float32, "offset": np.float32}

    def result(self, source):
        """Real."""
        self._of_kind(source, "real", "integer")
        self._check_channels(source, "scale", "offset")
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class Sign(Operation):
    """-1 or +1: +1 where `x >= threshold`, by channel; thresholds None are zeros. RSign's threshold is minus its shift."""

    sources: int
    threshold: np.ndarray = None
    _dtypes: ClassVar[dict] = {}

    def __post_init__(self):
        super().__post_init__()
        if self.threshold is not None:
            threshold = np.ascontiguousarray(self.threshold, np.float32)
            if np.isnan(threshold).any():
                raise ValueError("Sign: threshold holds NaN.")
            object.__setattr__(self, "threshold", threshold)

    def arrays(self):
        """The thresholds, if there are any."""
        return {} if self.threshold is None else {"threshold": self.threshold}

    def settings(self):
        """The source."""
        return {"sources": self.sources}

    def result(self, source):
        """Sign."""
        self._of_kind(source, "real", "integer")
        if self.threshold is not None:
            self._check_channels(source, "threshold")
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
    """ReActNet's activation by channel: `prelu(x + before) + after`, where negative values are multiplied by `slope`."""

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
    """The mean of each window: values are added row by row in float32, then divided by their number."""

    sources: int
    kernel: tuple = (2, 2)
    stride: int = 2

    def result(self, source):
        """Real."""
        self._of_kind(source, "real")
        return Map("real", *out_size(source, self.kernel, self.stride, 0), source.channels)


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
