"""The first layer of an image network: eight-bit weights on eight-bit pixels, exact in single precision."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PIXELS = 255
_MIDDLE = 128
_LEVELS = 127
_UNIT = 2.0**-14  # about 1 / (128 * 127): outputs of the order of 1, and a power of two loses no bit
_EXACT = 2**24  # single precision represents every integer up to here


class Int8Stem(nn.Module):
    """Convolution of integer pixels with integer weights, as hardware with eight-bit products computes it.

    Pixels in [0, 1], multiples of 1/255, become integers from -128 to 127; latent weights become integers from -127 to
    127, relative to the largest of their filter. All partial sums are integers below 2^24, which single precision
    represents, so any order of summation gives the same outputs: the sums times 2^-14. The factor by which each
    filter's weights were divided is left to the batch normalization that follows. The border is 0, the pixel value 128.

    The gradient passes the rounding unchanged (straight-through).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of images and outputs.
    kernel_size : int, default=3
        Height and width of the filters; a filter has at most 1032 values, over all `in_channels`.
    stride : int, default=1
        Step between positions.
    padding : int, default=1
        Width of the border.

    Raises
    ------
    ValueError
        If filters are so large that sums may not be exact.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import Int8Stem
    >>> stem = Int8Stem(1, 4, stride=2)
    >>> sums = stem(torch.randint(0, 256, (2, 1, 28, 28)) / 255) * 2**14
    >>> sums.shape, bool((sums == sums.round()).all())
    (torch.Size([2, 4, 14, 14]), True)
    """

    weight: nn.Parameter

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, padding: int = 1
    ) -> None:
        super().__init__()
        if in_channels * kernel_size**2 * _MIDDLE * _LEVELS > _EXACT:
            raise ValueError(
                f"Int8Stem takes filters of at most {_EXACT // (_MIDDLE * _LEVELS)} values, got in_channels * "
                f"kernel_size ** 2 = {in_channels * kernel_size**2}: its sums would not be exact."
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.initialize()

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw the latent weights from torch's own distribution."""
        nn.init.kaiming_uniform_(self.weight, a=5**0.5, generator=generator)

    def integer_weights(self) -> Tensor:
        """Return the weights in use: integers from -127 to 127, in floating point."""
        return _Round.apply(self.weight)

    def forward(self, pixels: Tensor) -> Tensor:
        """Convolve images (n, in_channels, height, width) with pixels in [0, 1]."""
        integers = (pixels * _PIXELS).round_().sub_(_MIDDLE)
        sums = F.conv2d(integers, self.integer_weights(), stride=self.stride, padding=self.padding)
        return sums.to(integers.dtype) * _UNIT

    def extra_repr(self) -> str:
        """Show the geometry in the module's repr."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}"
        )


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        # The clamp keeps a filter of zeros at 0 instead of 0 / 0.
        largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_(min=torch.finfo(weight.dtype).tiny)
        ctx.save_for_backward(largest)
        return (weight / largest * _LEVELS).round_()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        # As if the rounding were the identity and the largest weight a constant.
        return grads[0] * (_LEVELS / ctx.saved_tensors[0])
