"""Random mirroring of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skhash.training.views._image_operation import ImageOperation


@dataclass(frozen=True)
class RandomFlip(ImageOperation):
    """Mirror images left and right.

    Parameters
    ----------
    p : float, default=0.5
        Probability of an image to be mirrored, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import RandomFlip
    >>> RandomFlip(p=1)(torch.tensor([[[[1.0, 2.0, 3.0]]]]), torch.Generator())
    tensor([[[[3., 2., 1.]]]])
    """

    p: float = 0.5

    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return images.flip(3)
