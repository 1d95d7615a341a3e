"""Base class and checks of the random operations on images; each changes images with a probability."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Real
from typing import Any, Self, cast

import torch
from torch import Tensor

from skhash.utils import Interval, check_values

__all__ = ["PROBABILITY", "ImageOperation", "check_images", "check_range", "check_strength", "uniform"]

PROBABILITY = [Interval(Real, 0, 1, closed="both")]


class ImageOperation(ABC):
    """Base class of random operations: frozen dataclasses with a field `p` and a method `_apply`.

    Attributes
    ----------
    p : float
        Probability of an image to be changed, in [0, 1].
    """

    p: float
    _constraints: dict[str, list[Any]] = {"p": PROBABILITY}

    def __post_init__(self) -> None:
        check_values(type(self).__name__, vars(self), self._constraints)

    @abstractmethod
    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change each of these images, of which there is at least one."""

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
            New tensor. Images that are not changed stay bit-identical.

        Raises
        ------
        ValueError
            If the batch does not consist of images of floats.
        """
        check_images(self, images)
        views = images.clone()
        chosen = torch.nonzero(torch.rand(len(images), generator=generator) < self.p)[:, 0].to(images.device)
        if len(chosen):
            views[chosen] = self._apply(images[chosen], generator)
        return views

    def weaker(self, factor: float = 0.5) -> Self:
        """Make the same operation with a lower probability.

        Parameters
        ----------
        factor : float, default=0.5
            Factor by which the probability is multiplied, in [0, 1].

        Returns
        -------
        operation : same type
            New operation.
        """
        check_strength(factor)
        return replace(cast(Any, self), p=self.p * factor)


def check_images(views: object, images: Tensor) -> None:
    """Raise a ValueError unless `images` is a batch of images of floats."""
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f"views: {type(views).__name__} takes images (n, channels, height, width) of floats, got a batch of shape "
            f"{tuple(images.shape)} and {images.dtype}."
        )


def check_range(owner: str, name: str, value: Any, interval: Interval) -> None:
    """Raise a ValueError unless `value` is a pair low <= high inside of an interval."""
    if not isinstance(value, tuple | list) or len(value) != 2 or any(v not in interval for v in value):
        raise ValueError(f"{name} of {owner} must be a pair (low, high) of {interval}, got {value!r}.")
    if value[0] > value[1]:
        raise ValueError(f"{name} of {owner} must be a pair (low, high) with low <= high, got {value!r}.")


def check_strength(factor: float) -> None:
    """Raise a ValueError unless the factor is in [0, 1]."""
    check_values("weaker", {"factor": factor}, {"factor": PROBABILITY})


def uniform(images: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw a number for every image, (n, 1, 1, 1), to be broadcast against the images."""
    values = torch.rand(len(images), generator=generator) * (high - low) + low
    return values.to(images)[:, None, None, None]
