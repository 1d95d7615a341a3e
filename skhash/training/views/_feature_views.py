"""Random views of feature vectors."""

from dataclasses import dataclass, replace
from numbers import Real

import torch

from skhash.training.views._image_operation import PROBABILITY, check_strength
from skhash.utils import Interval, check_values


@dataclass(frozen=True)
class FeatureViews:
    """Forget some features of every sample, and add noise to the others.

    A forgotten value becomes the mean of its feature over the batch, and the standard deviation of the noise is a share
    of the feature's. So views do not depend on the units of the features, nor on where their zero is.

    Parameters
    ----------
    dropout : float, default=0.5
        Probability of a value to be forgotten, in [0, 1].
    noise : float, default=0.5
        Standard deviation of the normal noise, in those of the feature over the batch; not negative.

    Notes
    -----
    No paper says what views of features are. Zero in place of the mean was as good for features that come from a ReLU,
    and worse for digits; scaling up the values that are left, as a layer of dropout does, made little difference. The
    defaults served `skhash.CIBHasher` well on digits, on Fashion-MNIST's pixels and on features of CIFAR-10's images,
    by queries held out of the training data.

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

    def __post_init__(self):
        constraints = {"dropout": PROBABILITY, "noise": [Interval(Real, 0, None, closed="left")]}
        check_values(type(self).__name__, vars(self), constraints)

    def __call__(self, batch, generator):
        """Give a random view of every sample.

        Parameters
        ----------
        batch : Tensor of shape (n, n_features)
            Floats, on any device.
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        views : Tensor of the same shape
            New tensor.
        """
        if batch.ndim != 2 or not batch.is_floating_point():
            raise ValueError(
                f"views: FeatureViews takes features (n, n_features) in floats, got a batch of shape "
                f"{tuple(batch.shape)} and {batch.dtype}."
            )
        std, mean = torch.std_mean(batch, dim=0, correction=0)
        noise = torch.randn(batch.shape, generator=generator).to(batch) * (self.noise * std)
        forgotten = (torch.rand(batch.shape, generator=generator) < self.dropout).to(batch.device)
        return torch.where(forgotten, mean, batch + noise)

    def weaker(self, factor=0.5):
        """Make views that forget less and have less noise.

        Parameters
        ----------
        factor : float, default=0.5
            What dropout and noise are multiplied by, in [0, 1].

        Returns
        -------
        views : FeatureViews
            New ones.
        """
        check_strength(factor)
        return replace(self, dropout=self.dropout * factor, noise=self.noise * factor)
