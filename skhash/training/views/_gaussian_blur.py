"""Random blur of images."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.training.views._image_operation import ImageOperation, check_range, uniform
from skhash.utils import Interval


@dataclass(frozen=True)
class GaussianBlur(ImageOperation):
    """Average every pixel with its neighbors, with weights that fall off like a normal density.

    Beyond the edges of an image, its outermost pixels are repeated.

    Parameters
    ----------
    kernel : int, default=3
        Number of pixels that are averaged in each direction, odd.
    sigma : tuple of (float, float), default=(0.1, 2.0)
        Smallest and largest standard deviation of the density in pixels, positive; uniform in between.
    p : float, default=0.5
        Probability of an image to be blurred, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import GaussianBlur
    >>> image = torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 0.0]]]])
    >>> GaussianBlur(kernel=3, sigma=(1, 1), p=1)(image, torch.Generator())
    tensor([[[[0.0000, 0.2741, 0.4519, 0.2741, 0.0000]]]])
    """

    kernel: int = 3
    sigma: tuple[float, float] = (0.1, 2.0)
    p: float = 0.5

    _constraints = {**ImageOperation._constraints, "kernel": [Interval(Integral, 1, None, closed="left")]}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel of GaussianBlur must be an odd number of pixels, got {self.kernel}.")
        check_range(type(self).__name__, "sigma", self.sigma, Interval(Real, 0, None, closed="neither"))

    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return blur(images, uniform(images, *self.sigma, generator), self.kernel)


def blur(images: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """Blur every image with its own standard deviation, (n, 1, 1, 1)."""
    n, channels, height, width = images.shape
    reach = kernel // 2
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.softmax(-0.5 * (offsets / sigma) ** 2, dim=3)
    # One group per image and channel, so that a single convolution can have other weights for every image.
    weights = weights.repeat_interleave(channels, dim=0)  # (n * channels, 1, 1, kernel)
    padded = F.pad(images, (reach,) * 4, mode="replicate").flatten(0, 1)[None]
    rows = F.conv2d(padded, weights, groups=n * channels)
    return F.conv2d(rows, weights.transpose(2, 3), groups=n * channels).view(n, channels, height, width)
