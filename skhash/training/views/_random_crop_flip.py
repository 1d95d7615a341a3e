"""Random shift and mirroring of images."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.training.views._image_operation import PROBABILITY, check_images, check_strength
from skhash.utils import Interval, check_values


@dataclass(frozen=True)
class RandomCropFlip:
    """Shift every image by a few pixels and mirror some images: light views, for supervised training.

    Parameters
    ----------
    padding : int, default=2
        Largest shift in pixels, in both directions; the border is filled with zeros.
    flip : float, default=0.5
        Probability of an image to be mirrored left and right, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import RandomCropFlip
    >>> views = RandomCropFlip(padding=2)
    >>> views(torch.zeros(8, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 28, 28])
    """

    padding: int = 2
    flip: float = 0.5

    def __post_init__(self) -> None:
        constraints = {"padding": [Interval(Integral, 0, None, closed="left")], "flip": PROBABILITY}
        check_values(type(self).__name__, vars(self), constraints)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a random view of every image.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            Floats, on any device.
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of the same shape
            New tensor.

        Raises
        ------
        ValueError
            If the batch does not consist of images of floats.
        """
        check_images(self, images)
        n, _, height, width = images.shape
        padded = F.pad(images, (self.padding,) * 4)
        shift = torch.randint(0, 2 * self.padding + 1, (2, n, 1), generator=generator)
        rows = shift[0] + torch.arange(height)  # (n, height)
        columns = shift[1] + torch.arange(width)  # (n, width)
        mirrored = torch.rand((n, 1), generator=generator) < self.flip
        columns = torch.where(mirrored, columns.flip(1), columns)
        sample = torch.arange(n)[:, None, None].to(images.device)
        # Advanced indices around a slice move to the front: (n, height, width, channels).
        views = padded[sample, :, rows[:, :, None].to(images.device), columns[:, None, :].to(images.device)]
        return views.permute(0, 3, 1, 2).contiguous()

    def weaker(self, factor: float = 0.5) -> RandomCropFlip:
        """Make the same views with less shift and fewer mirrored images.

        Parameters
        ----------
        factor : float, default=0.5
            Factor by which the padding, rounded up to whole pixels, and the probability are multiplied, in [0, 1].

        Returns
        -------
        views : RandomCropFlip
            New views.
        """
        check_strength(factor)
        return replace(self, padding=math.ceil(self.padding * factor), flip=self.flip * factor)
