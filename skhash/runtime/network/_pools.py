"""Operations that reduce many elements of a channel to one: pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skhash.runtime.network._operation import LARGEST_SIDE, Map, Operation, window_output

if TYPE_CHECKING:
    from skhash.runtime.network._fields import Pair, Sources

__all__ = ["AvgPool", "GlobalAvgPool", "MaxPool"]


@dataclass(frozen=True, eq=False)
class MaxPool(Operation):
    """Compute the maximum of each window; positions outside the map are ignored.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    kernel : tuple of int, default=(2, 2)
        Height and width of the window.
    stride : int, default=2
        Step of the window.
    padding : int, default=0
        Number of positions by which the first window starts outside the map; at most half of the window.
    """

    sources: Sources
    kernel: Pair = (2, 2)  # pyright: ignore[reportAssignmentType]
    stride: int = 2
    padding: int = 0

    def result(self, source: Map) -> Map:
        """Return a map of the source's kind; see `Operation.result`."""
        self._require_kind(source, "real", "integer")
        if self.padding and 2 * self.padding > min(self.kernel, default=0):
            raise ValueError(f"padding must be <= half of the window {self.kernel}, got {self.padding}.")
        return Map(source.kind, *window_output(source, self.kernel, self.stride, self.padding), source.channels)


@dataclass(frozen=True, eq=False)
class AvgPool(Operation):
    """Compute the mean of each window: elements are added row by row in float32, then divided by their number.

    Parameters
    ----------
    sources : int
        Value to read: real.
    kernel : tuple of int, default=(2, 2)
        Height and width of the window.
    stride : int, default=2
        Step of the window.
    partial : bool, default=False
        Whether windows may extend beyond the lower and right border; the mean is that of the elements inside, as with
        `ceil_mode` in torch.
    """

    sources: Sources
    kernel: Pair = (2, 2)  # pyright: ignore[reportAssignmentType]
    stride: int = 2
    partial: bool = False

    def result(self, source: Map) -> Map:
        """Return a real map; see `Operation.result`."""
        self._require_kind(source, "real")
        if not self.partial:
            return Map("real", *window_output(source, self.kernel, self.stride, 0), source.channels)
        if len(self.kernel) != 2:
            raise ValueError(f"kernel must be height and width, got {self.kernel}.")
        sides = list(zip((source.height, source.width), self.kernel, strict=True))
        if not 1 <= self.stride <= LARGEST_SIDE or not all(
            1 <= k < side + self.stride for side, k in sides
        ):  # torch's own limits
            raise ValueError(f"a window of {self.kernel} with stride {self.stride} does not fit {source}.")
        # A window must start inside the map, however far it extends beyond it.
        height, width = (min(-(-max(side - k, 0) // self.stride), (side - 1) // self.stride) + 1 for side, k in sides)
        return Map("real", height, width, source.channels)


@dataclass(frozen=True, eq=False)
class GlobalAvgPool(Operation):
    """Compute the mean of each channel over the whole map.

    The order of the additions in float32 is that of torch for maps with channels last whose number is a multiple of
    32: pixels are added row by row in groups of 16, then 16 of these sums at a time, then the rest.

    Parameters
    ----------
    sources : int
        Value to read: real.
    """

    sources: Sources

    def result(self, source: Map) -> Map:
        """Return a real map of 1 x 1; see `Operation.result`."""
        return Map("real", 1, 1, self._require_kind(source, "real").channels)
