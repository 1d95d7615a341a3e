"""Operations that make one number of many of the same channel."""

from dataclasses import dataclass

from skhash.runtime.network._operation import Map, Operation, out_size

__all__ = ["AvgPool", "GlobalAvgPool", "MaxPool"]


@dataclass(frozen=True, eq=False)
class MaxPool(Operation):
    """Give the largest number of each window; what lies outside the map does not count.

    Parameters
    ----------
    sources : int
        Value to read: real or integer.
    kernel : tuple of int, default=(2, 2)
        Height and width of the window.
    stride : int, default=2
        Step of the window.
    padding : int, default=0
        How far the first window begins outside.
    """

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
    """Give the mean of each window: numbers are added row by row in float32, then divided by how many they are.

    Parameters
    ----------
    sources : int
        Value to read: real.
    kernel : tuple of int, default=(2, 2)
        Height and width of the window.
    stride : int, default=2
        Step of the window.
    partial : bool, default=False
        Whether windows may hang over the lower and right border; the mean is that of what lies inside, as with
        `ceil_mode` in torch.
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
        sides = list(zip((source.height, source.width), self.kernel, strict=True))
        if self.stride < 1 or not all(1 <= k < side + self.stride for side, k in sides):  # torch's own limits
            raise ValueError(f"a window of {self.kernel} with stride {self.stride} does not fit {source}.")
        # A window must begin inside, however far it hangs over.
        sizes = [min(-(-max(side - k, 0) // self.stride), (side - 1) // self.stride) + 1 for side, k in sides]
        return Map("real", *sizes, source.channels)


@dataclass(frozen=True, eq=False)
class GlobalAvgPool(Operation):
    """Give the mean of each channel of the whole map.

    Numbers are added in float32 as torch adds them in maps with channels last, if these are a multiple of 32: from
    pixel to pixel, row by row, in groups of 16; 16 of these sums in turn; and what is left in the end.

    Parameters
    ----------
    sources : int
        Value to read: real.
    """

    sources: int

    def result(self, source):
        """Real, 1 x 1."""
        return Map("real", 1, 1, self._of_kind(source, "real").channels)
