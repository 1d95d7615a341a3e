"""Random views (augmentations) of feature vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

import torch
from torch import Tensor

from skhash.training.views._image_operation import PROBABILITY, check_strength
from skhash.utils import Interval, check_values


@dataclass(frozen=True)
class FeatureViews:
    """Views that drop some features of every sample and add noise to the others.

    A dropped value becomes the mean of its feature over the batch, and the standard deviation of the noise is a share
    of the feature's. So views depend neither on the units of the features nor on their offset.

    Parameters
    ----------
    dropout : float, default=0.5
        Probability of a value to be dropped, in [0, 1].
    noise : float, default=0.5
        Standard deviation of the normal noise, as a multiple of that of the feature over the batch, >= 0.

    Notes
    -----
    No paper defines views of features. Zero in place of the mean was as good for features that come from a ReLU, and
    worse for digits; scaling up the remaining values, as a dropout layer does, made little difference. The defaults
    were good for `skhash.CIBHasher` on digits, on Fashion-MNIST's pixels and on features of CIFAR-10's images, measured
    with queries held out of the training data.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import FeatureViews
    >>> features = torch.tensor([[0.0, 30.0], [2.0, 10.0]])
    >>> FeatureViews(dropout=1)(features, torch.Generator())
    tensor([[ 1., 20.],
            [ 1., 20.]])
    """

    dropout: float = 0.5
    noise: float = 0.5

    def __post_init__(self) -> None:
        constraints = {"dropout": PROBABILITY, "noise": [Interval(Real, 0, None, closed="left")]}
        check_values(type(self).__name__, vars(self), constraints)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a random view of every sample.

        Parameters
        ----------
        batch : Tensor of shape (n, n_features)
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
            If the batch does not consist of feature vectors of floats.
        """
        if batch.ndim != 2 or not batch.is_floating_point():
            raise ValueError(
                f"views: FeatureViews takes features (n, n_features) of floats, got a batch of shape "
                f"{tuple(batch.shape)} and {batch.dtype}."
            )
        std, mean = torch.std_mean(batch, dim=0, correction=0)
        noise = torch.randn(batch.shape, generator=generator).to(batch) * (self.noise * std)
        dropped = (torch.rand(batch.shape, generator=generator) < self.dropout).to(batch.device)
        return torch.where(dropped, mean, batch + noise)

    def weaker(self, factor: float = 0.5) -> FeatureViews:
        """Make views that drop fewer values and have less noise.

        Parameters
        ----------
        factor : float, default=0.5
            Factor by which dropout and noise are multiplied, in [0, 1].

        Returns
        -------
        views : FeatureViews
            New views.
        """
        check_strength(factor)
        return replace(self, dropout=self.dropout * factor, noise=self.noise * factor)
