"""The whole hashing model: standardise, backbone, head, and the loss with whatever it learns."""

import inspect

import torch
from torch import nn

from skhash.nn._dropout import dropout


class Standardize(nn.Module):
    """Subtract the training mean of each channel or feature and divide by its standard deviation.

    Parameters
    ----------
    sample_shape : tuple of int
        (channels, height, width) or (n_features,).
    """

    def __init__(self, sample_shape):
        super().__init__()
        shape = (sample_shape[0],) + (1,) * (len(sample_shape) - 1)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def fit(self, samples):
        """Take mean and standard deviation from images (n, channels, height, width) or features (n, n_features)."""
        others = tuple(i for i in range(samples.ndim) if i != 1)
        mean = samples.mean(dim=others, dtype=torch.float64)
        self.mean.copy_(mean.reshape(self.mean.shape))
        std = (samples - self.mean).square_().mean(dim=others, dtype=torch.float64).sqrt_()
        # What is constant but for rounding stays near zero rather than being blown up.
        noise = samples.shape[0] ** 0.5 * torch.finfo(samples.dtype).eps * mean.abs()
        self.std.copy_(torch.where(std > noise, std, 1.0).reshape(self.std.shape))
        return self

    def forward(self, x):
        """Standardise images or features, as `fit` was given."""
        return (x - self.mean).mul_(1 / self.std)


class HashNetwork(nn.Module):
    """A hashing model.

    Parameters
    ----------
    backbone : nn.Module
        From inputs to feature vectors.
    head : nn.Module
        From feature vectors to continuous codes. If its `forward` has a parameter `generator`, it is given it.
    criterion : nn.Module
        The loss, called with continuous codes and targets; used in training only. It lives here so that centers and
        classifiers move and are saved with the model.
    preprocess : nn.Module, default=None
        What happens to inputs before the backbone.
    dropout : float, default=0.0
        Share of the values that is dropped in training before the head and, of feature inputs, before the backbone,
        where a generator is given to draw it.
    frozen : bool, default=False
        Whether the backbone stays as it is: no gradient, and evaluation mode even in training, so that its batch
        normalisation does not drift.
    """

    def __init__(self, backbone, head, criterion, preprocess=None, *, dropout=0.0, frozen=False):
        super().__init__()
        self.frozen = frozen
        self.dropout = dropout
        self.preprocess = nn.Identity() if preprocess is None else preprocess
        self.backbone = backbone
        self.head = head
        self.criterion = criterion
        self._head_draws = "generator" in inspect.signature(head.forward).parameters

    def train(self, mode=True):
        """Switch between training and evaluation; a frozen backbone stays in the latter."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @property
    def encoder(self):
        """What is needed to compute codes, as one module that shares its parts with this one: all but the loss."""
        return nn.Sequential(self.preprocess, self.backbone, self.head)

    def forward(self, x, generator=None):
        """Compute continuous codes of inputs `x`; `generator` draws the dropout."""
        return self.hash(self.features(x, generator), generator)

    def features(self, x, generator=None):
        """Compute the feature vectors of inputs `x` that the head gets, but for the dropout before it."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            inputs = self.preprocess(x)
            if x.ndim == 2 and not isinstance(self.backbone, nn.Identity):
                inputs = self._drop(inputs, generator)
            return self.backbone(inputs)

    def hash(self, features, generator=None):
        """Compute continuous codes of feature vectors."""
        features = self._drop(features, generator)
        return self.head(features, generator) if self._head_draws else self.head(features)

    def _drop(self, values, generator):
        return dropout(values, self.dropout if self.training else 0.0, generator)
