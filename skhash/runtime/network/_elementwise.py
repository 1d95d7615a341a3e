"""Operations on single elements, and operations that combine maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skhash.runtime.network._operation import Map, Operation
from skhash.runtime.network._rounding import fused_multiply_add

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, DTypeLike

    from skhash.runtime.network._fields import OptionalReals, Reals, Sources

__all__ = ["Add", "Affine", "Clip", "Concat", "RPReLU", "Sign", "SignsToReal"]


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """Compute `scale * x + offset` in float32: batch normalization, scales of weights (without an offset), biases.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    scale : array-like of float of shape (channels,)
        Factors.
    offset : array-like of float of shape (channels,), default=None
        Offsets; None adds nothing.
    fused : bool, default=True
        Whether only the sum is rounded (True) or the product before it, too (False). This differs between builds of
        torch; an exporter finds out which one applies.
    """

    sources: Sources
    scale: Reals
    offset: OptionalReals = None  # pyright: ignore[reportAssignmentType]
    fused: bool = True
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"scale": np.float32, "offset": np.float32}

    @classmethod
    def from_batch_norm(
        cls,
        source: int,
        weight: ArrayLike,
        bias: ArrayLike,
        mean: ArrayLike,
        variance: ArrayLike,
        eps: float = 1e-5,
        *,
        fused: bool = True,
        fused_offset: bool = True,
    ) -> Self:
        """Build the affine map of batch normalization in evaluation mode: `scale = weight / sqrt(variance + eps)` etc.

        Parameters
        ----------
        source : int
            Value to read.
        weight, bias, mean, variance : array-like of float of shape (channels,)
            Parameters and statistics of the normalization.
        eps : float, default=1e-5
            Constant added to the variance.
        fused, fused_offset : bool, default=True
            Whether `scale * x + offset` and `offset = bias - mean * scale` are rounded once (True), or after the
            product, too (False).

        Returns
        -------
        affine : Affine
            With the roundings of torch, if the last two parameters match its build.
        """
        weight, bias, mean, variance = (np.asarray(values, np.float32) for values in (weight, bias, mean, variance))
        # Each step is rounded to single precision.
        scale = weight * (np.float32(1) / np.sqrt(variance + np.float32(eps)))
        offset = fused_multiply_add(-mean, scale, bias) if fused_offset else bias - mean * scale
        return cls(source, scale, offset, fused)

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        self._require_kind(source, "real", "integer")
        self._require_channels(source, *self.arrays())
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class Sign(Operation):
    """Compute +1 where `x >= threshold`, else -1. For `sign(x + shift)`, as in ReActNet, the threshold is `-shift`.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    threshold : array-like of float of shape (channels,), default=None
        Thresholds; None means zeros.
    """

    sources: Sources
    threshold: OptionalReals = None  # pyright: ignore[reportAssignmentType]
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"threshold": np.float32}

    def result(self, source: Map) -> Map:
        """Return a sign map; see `Operation.result`."""
        self._require_kind(source, "real", "integer")
        self._require_channels(source, *self.arrays())
        return Map("sign", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class SignsToReal(Operation):
    """Convert signs to the floats -1 and +1.

    Parameters
    ----------
    sources : int
        Value to read: signs.
    """

    sources: Sources

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        self._require_kind(source, "sign")
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class RPReLU(Operation):
    """Compute ReActNet's activation: `prelu(x + before) + after`.

    Parameters
    ----------
    sources : int
        Value to read: real.
    before, slope, after : array-like of float of shape (channels,)
        Shift before the PReLU, its slope for negative numbers, and shift after it.
    """

    sources: Sources
    before: Reals
    slope: Reals
    after: Reals
    _dtypes: ClassVar[dict[str, DTypeLike]] = {"before": np.float32, "slope": np.float32, "after": np.float32}

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        self._require_channels(source, "before", "slope", "after")
        return self._require_kind(source, "real")


@dataclass(frozen=True, eq=False)
class Clip(Operation):
    """Limit numbers to an interval: hardtanh is [-1, 1], ReLU [0, inf].

    Parameters
    ----------
    sources : int
        Value to read: real.
    low, high : float, default=-1.0 and 1.0
        Ends of the interval; `low <= high`.
    """

    sources: Sources
    low: float = -1.0
    high: float = 1.0

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        if not self.low <= self.high:
            raise ValueError(f"low must be <= high = {self.high}, got {self.low}.")
        return self._require_kind(source, "real")


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """Add two real maps in float32.

    Parameters
    ----------
    sources : tuple of int
        The two values.
    """

    sources: Sources

    def result(self, source: Map, other: Map) -> Map:
        """Return a real map of the common shape; see `Operation.result`."""
        self._require_kind(source, "real")
        if source != other:
            raise ValueError(f"the sources are {source} and {other}, expected two real maps of one shape.")
        return source


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Concatenate the channels of real maps; one map twice is ReActNet's duplication.

    Parameters
    ----------
    sources : tuple of int
        The values.
    """

    sources: Sources

    def result(self, *sources: Map) -> Map:
        """Return a real map with all channels; see `Operation.result`."""
        first = self._require_kind(sources[0], "real")
        if any((s.kind, s.height, s.width) != ("real", first.height, first.width) for s in sources):
            raise ValueError(f"the sources are {', '.join(map(str, sources))}, expected real maps of one size.")
        return Map("real", first.height, first.width, sum(source.channels for source in sources))
