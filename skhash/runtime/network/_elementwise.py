"""Operations on single numbers, and what puts maps together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skhash.runtime.network._operation import Map, Operation
from skhash.runtime.network._rounding import fused_multiply_add

__all__ = ["Add", "Affine", "Clip", "Concat", "RPReLU", "Sign", "SignsToReal"]


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """Compute `scale * x + offset` in float32: batch normalisation, scales of weights (without an offset), biases.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    scale : array-like of float of shape (channels,)
        Factors.
    offset : array-like of float of shape (channels,), default=None
        What is added; None adds nothing.
    fused : bool, default=True
        Whether the sum alone is rounded, or the product before it, too. This differs between builds of torch; a
        converter finds out which it is.
    """

    sources: int
    scale: np.ndarray
    offset: np.ndarray = None
    fused: bool = True
    _dtypes: ClassVar[dict] = {"scale": np.float32, "offset": np.float32}

    @classmethod
    def from_batch_norm(cls, source, weight, bias, mean, variance, eps=1e-5, *, fused=True, fused_offset=True):
        """Make what batch normalisation does in evaluation: `scale = weight / sqrt(variance + eps)` and the rest.

        Parameters
        ----------
        source : int
            Value to read.
        weight, bias, mean, variance : array-like of float of shape (channels,)
            Of the normalisation.
        eps : float, default=1e-5
            What is added to the variance.
        fused, fused_offset : bool, default=True
            Whether `scale * x + offset` and `offset = bias - mean * scale` are rounded once, or after the product, too.

        Returns
        -------
        affine : Affine
            With the roundings of torch, given the last two.
        """
        weight, bias, mean, variance = (np.asarray(values, np.float32) for values in (weight, bias, mean, variance))
        # Each step is rounded to single precision.
        scale = weight * (np.float32(1) / np.sqrt(variance + np.float32(eps)))
        offset = fused_multiply_add(-mean, scale, bias) if fused_offset else bias - mean * scale
        return cls(source, scale, offset, fused)

    def result(self, source):
        """Real."""
        self._of_kind(source, "real", "integer")
        self._check_channels(source, *self.arrays())
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class Sign(Operation):
    """Tell whether `x >= threshold`: +1, else -1. For `sign(x + shift)`, as in ReActNet, the threshold is `-shift`.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    threshold : array-like of float of shape (channels,), default=None
        Thresholds; None are zeros.
    """

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
    """Give signs as the numbers -1 and +1, for what computes with numbers.

    Parameters
    ----------
    sources : int
        Value to read: signs.
    """

    sources: int

    def result(self, source):
        """Real."""
        self._of_kind(source, "sign")
        return Map("real", source.height, source.width, source.channels)


@dataclass(frozen=True, eq=False)
class RPReLU(Operation):
    """Compute ReActNet's activation: `prelu(x + before) + after`.

    Parameters
    ----------
    sources : int
        Value to read: real.
    before, slope, after : array-like of float of shape (channels,)
        What is added before, the factor of what is then negative, and what is added in the end.
    """

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
    """Limit numbers: hardtanh is [-1, 1], ReLU [0, inf].

    Parameters
    ----------
    sources : int
        Value to read: real.
    low, high : float, default=-1.0 and 1.0
        Where numbers end.
    """

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
    """Add two real maps in float32.

    Parameters
    ----------
    sources : tuple of int
        The two values.
    """

    sources: tuple

    def result(self, source, other):
        """Real; both must have one shape."""
        self._of_kind(source, "real")
        if source != other:
            raise ValueError(f"the sources are {source} and {other}, expected two real maps of one shape.")
        return source


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Put the channels of real maps behind each other; one map twice is ReActNet's duplication.

    Parameters
    ----------
    sources : tuple of int
        The values.
    """

    sources: tuple

    def result(self, *sources):
        """Real."""
        first = self._of_kind(sources[0], "real")
        if any((s.kind, s.height, s.width) != ("real", first.height, first.width) for s in sources):
            raise ValueError(f"the sources are {', '.join(map(str, sources))}, expected real maps of one size.")
        return Map("real", first.height, first.width, sum(source.channels for source in sources))
