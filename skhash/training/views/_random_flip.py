"""Mirrored images."""

from dataclasses import dataclass

from skhash.training.views._image_operation import ImageOperation


@dataclass(frozen=True)
class RandomFlip(ImageOperation):
    """Mirror left and right.

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

    def _apply(self, images, generator):
        return images.flip(3)
