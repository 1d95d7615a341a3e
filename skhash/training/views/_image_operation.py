"""What the random operations on images share: each changes every image of a batch with some probability."""

from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Real

import torch

from skhash.utils import Interval, check_values

__all__ = ["PROBABILITY", "ImageOperation", "check_images", "check_range", "check_strength", "uniform"]

PROBABILITY = [Interval(Real, 0, 1, closed="both")]


class ImageOperation(ABC):
    """Base class; an operation is a frozen dataclass with a field `p` and a method `_apply`."""

    _constraints: dict = {"p": PROBABILITY}

    def __post_init__(self):
        check_values(type(self).__name__, vars(self), self._constraints)

    @abstractmethod
    def _apply(self, images, generator):
        """Change every one of these images, at least one."""

    def __call__(self, images, generator):
        """Give a random view of every image.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            Floats, on any device.
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        views : Tensor of the same shape
            New tensor. Images that are not changed are the same to the bit.
        """
        check_images(self, images)
        views = images.clone()
        chosen = torch.nonzero(torch.rand(len(images), generator=generator) < self.p)[:, 0].to(images.device)
        if len(chosen):
            views[chosen] = self._apply(images[chosen], generator)
        return views

    def weaker(self, factor=0.5):
        """Make the same operation with a lower probability.

        Parameters
        ----------
        factor : float, default=0.5
            What the probability is multiplied by, in [0, 1].

        Returns
        -------
        operation : same type
            A new one.
        """
        check_strength(factor)
        return replace(self, p=self.p * factor)


def check_images(views, images):
    """Refuse what is no batch of images in floats."""
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"views: {type(views).__name__} takes images (n, channels, height, width) in floats, got a batch of shape "
            f"{tuple(images.shape)} and {images.dtype}."
        )


def check_range(owner, name, value, interval):
    """Refuse what is no range (low, high) inside an interval."""
    if not isinstance(value, tuple | list) or len(value) != 2 or any(v not in interval for v in value):
        raise ValueError(f"{name} of {owner} must be a pair (low, high) of {interval}, got {value!r}.")
    if value[0] > value[1]:
        raise ValueError(f"{name} of {owner} must be a pair (low, high) with low <= high, got {value!r}.")


def check_strength(factor):
    """Refuse a factor that makes nothing weaker."""
    check_values("weaker", {"factor": factor}, {"factor": PROBABILITY})


def uniform(images, low, high, generator):
    """Draw a number for every image, to be broadcast against them."""
    values = torch.rand(len(images), generator=generator) * (high - low) + low
    return values.to(images)[:, None, None, None]
