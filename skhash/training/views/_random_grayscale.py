"""Random conversion of color images to gray."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skhash.training.views._image_operation import ImageOperation


@dataclass(frozen=True)
class RandomGrayscale(ImageOperation):
    """Replace red, green and blue by the brightness; images without three channels stay as they are.

    Parameters
    ----------
    p : float, default=0.2
        Probability of an image to become gray, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import RandomGrayscale
    >>> green = torch.tensor([0.0, 1.0, 0.0])[None, :, None, None]
    >>> RandomGrayscale(p=1)(green, torch.Generator()).flatten()
    tensor([0.5870, 0.5870, 0.5870])
    """

    p: float = 0.2

    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return to_gray(images).expand_as(images) if images.shape[1] == 3 else images


def to_gray(images: Tensor) -> Tensor:
    """Weight red, green and blue as in ITU-R BT.601, or average other channels: (n, 1, height, width)."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    red, green, blue = images.split(1, 1)
    return 0.299 * red + 0.587 * green + 0.114 * blue
