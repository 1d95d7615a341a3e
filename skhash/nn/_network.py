"""The whole hashing model: standardise, backbone, head, and the loss with whatever it learns."""

import torch
from torch import nn


class Standardize(nn.Module):
    """Subtract the training mean of each channel and divide by its standard deviation.

    Parameters
    ----------
    channels : int
        Channels of the images.
    """

    def __init__(self, channels):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))

    def fit(self, images):
        """Take mean and standard deviation from images (n, channels, height, width)."""
        std, mean = torch.std_mean(images, dim=(0, 2, 3), correction=0)
        self.mean.copy_(mean[:, None, None])
        self.std.copy_(torch.where(std > 0, std, 1.0)[:, None, None])
        return self

    def forward(self, x):
        """Standardise images (n, channels, height, width)."""
        return (x - self.mean) / self.std


class HashNetwork(nn.Module):
    """A hashing model.

    Parameters
    ----------
    backbone : nn.Module
        From inputs to feature vectors.
    head : nn.Module
        From feature vectors to continuous codes.
    criterion : nn.Module
        The loss, called with continuous codes and targets; used in training only. It lives here so that centers and
        classifiers move and are saved with the model.
    preprocess : nn.Module, default=None
        What happens to inputs before the backbone.
    frozen : bool, default=False
        Whether the backbone stays as it is: no gradient, and evaluation mode even in training, so that its batch
        normalisation does not drift.
    """

    def __init__(self, backbone, head, criterion, preprocess=None, frozen=False):
        super().__init__()
        self.frozen = frozen
        self.preprocess = nn.Identity() if preprocess is None else preprocess
        self.backbone = backbone
        self.head = head
        self.criterion = criterion

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

    def forward(self, x):
        """Compute continuous codes of inputs `x`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.backbone(self.preprocess(x))
        return self.head(features)
