"""The whole hashing model: standardization, backbone, head, and the loss with its learned parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from skhash.nn._dropout import dropout

# Single precision has 24 binary digits: it loses half of those of a feature whose mean is 2**12 times its spread.
_FAR = 2**12
_DOUBLE_ROUNDING = 2**-44
_SMALLEST = 1e-15


class Standardize(nn.Module):
    """Layer that subtracts the training mean of each channel or feature and divides by its standard deviation.

    Parameters
    ----------
    sample_shape : tuple of int
        (channels, height, width) or (n_features,).
    common_scale : bool, default=False
        Whether all are divided by one number, the root mean square of the standard deviations. Features then keep their
        directions and relative sizes.
    """

    mean: Tensor
    std: Tensor
    common_scale: bool
    # What single precision cannot hold of the mean; None if no feature needs it.
    mean_low: Tensor | None

    def __init__(self, sample_shape: tuple[int, ...], *, common_scale: bool = False) -> None:
        super().__init__()
        self.common_scale = common_scale
        shape = (sample_shape[0],) + (1,) * (len(sample_shape) - 1)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))
        self.register_buffer("mean_low", None)

    def fit(self, samples: Tensor) -> Self:
        """Compute mean and standard deviation.

        Parameters
        ----------
        samples : Tensor
            Images (n, channels, height, width) or features (n, n_features). Features in double precision are also
            standardized if their mean is so much larger than their spread that single precision would lose the latter.

        Returns
        -------
        self : Standardize
            The same object.
        """
        rounded = samples.float()
        others = tuple(i for i in range(samples.ndim) if i != 1)
        mean = _double_mean(rounded, others)
        self.mean.copy_(mean.reshape(self.mean.shape))
        std = (rounded - self.mean).square_()
        std = _double_mean(std, others).sqrt_()
        # Squares of very small or large values leave the range of single precision.
        extreme = (~((std > _SMALLEST) & (std < 1 / _SMALLEST))).nonzero().ravel()
        if len(extreme):
            spread = rounded.index_select(1, extreme).double()
            spread -= mean[extreme].reshape(-1, *[1] * (samples.ndim - 2))
            std[extreme] = spread.square_().mean(dim=others).sqrt_()
        # A feature that is constant except for rounding would otherwise become noise of variance 1. `>`, not `>=`: a
        # feature that is always 0 has both std and noise 0, and must not be divided by 0.
        noise = samples.shape[0] ** 0.5 * torch.finfo(rounded.dtype).eps * mean.abs()
        varies = std > noise
        self.std.copy_(torch.where(varies, std, 1.0).reshape(self.std.shape))
        self.mean_low = None
        # With a factor of 2 for the rounding of these statistics: most data have no feature that is far from zero.
        near = (std > 2 * noise) & (2 * mean.abs() < _FAR * std)
        if samples.ndim == 2 and samples.dtype == torch.float64 and not near.all():
            varies = varies | self._fit_far_from_zero(samples, rounded, noise)
        if self.common_scale and varies.any():
            own = torch.where(varies, self.std.flatten().double(), 0.0)
            self.std.fill_(own.square().mean().sqrt().item())
        return self

    def _fit_far_from_zero(self, samples: Tensor, rounded: Tensor, noise: Tensor) -> Tensor:
        """Compute the statistics of those features again, in double precision, for which single precision loses.

        Returns the mask of these features.
        """
        mean = samples.mean(dim=0)
        std = (samples - mean).square_().mean(dim=0).sqrt_()
        # Features that were computed in single precision have its rounding.
        single = (rounded == samples).all(dim=0)
        rounding = mean.abs() * torch.where(single, 4 * torch.finfo(torch.float32).eps, _DOUBLE_ROUNDING)
        far = (std > rounding) & ((mean.abs() > _FAR * std) | (std <= noise))
        if far.any():
            # Two numbers in single precision have nearly the digits of one in double, and can be on any device.
            low = (mean - mean.float()).float()
            self.mean.copy_(torch.where(far, mean, self.mean))
            self.std.copy_(torch.where(far, std, self.std))
            self.mean_low = torch.where(far, low, 0.0)
        return far

    @property
    def input_dtype(self) -> torch.dtype:
        """Precision in which inputs must be given: double if a feature is far from 0 and the device has it."""
        far = getattr(self, "mean_low", None) is not None  # an older pickle lacks the buffer
        return torch.float64 if far and self.mean.device.type != "mps" else torch.float32

    def forward(self, x: Tensor) -> Tensor:
        """Standardize images or features of the kind that `fit` was given."""
        low = getattr(self, "mean_low", None)
        if low is None:
            return (x - self.mean).mul_(1 / self.std)
        return (x - self.mean - low).to(self.std.dtype).mul_(1 / self.std)


def _double_mean(samples: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Compute a mean over samples, and other dimensions, in double precision; torch's converts value by value."""
    total = torch.zeros((), dtype=torch.float64, device=samples.device)
    for block in samples.split(64):
        total = total + block.double().sum(dim=dims)
    return total / (samples.numel() // samples.shape[1])


class HashNetwork(nn.Module):
    """Hashing model: preprocessing, backbone, head and loss.

    Parameters
    ----------
    backbone : nn.Module
        From inputs to feature vectors.
    head : nn.Module
        From feature vectors to continuous codes. If its `forward` has a parameter `generator`, that is passed on.
    criterion : nn.Module
        The loss, called with continuous codes and targets; used in training only. It is part of the model so that
        centers and classifiers move between devices and are saved with it.
    preprocess : nn.Module, default=None
        Layer that is applied to inputs before the backbone.
    dropout : float, default=0.0
        Share of the values that is dropped in training before the head and, of feature inputs, before the backbone, in
        calls with a generator.
    frozen : bool, default=False
        Whether the backbone stays as it is: no gradient, and evaluation mode even in training, so that its batch
        normalization does not drift.
    """

    preprocess: nn.Module
    backbone: nn.Module
    head: nn.Module
    criterion: nn.Module
    # What the backbone multiplies in while it trains, see `run_backbone`; here, because older pickles lack it.
    autocast_dtype: torch.dtype | None = None
    # Set while a training loop runs an epoch, never pickled: what takes the place of calls of the backbone and of the
    # head, such as compiled ones.
    run_share: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor] | None = None
    compiled_backbone: Callable[[Tensor], Tensor] | None = None
    compiled_head: Callable[[Tensor], Tensor] | None = None

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        criterion: nn.Module,
        preprocess: nn.Module | None = None,
        *,
        dropout: float = 0.0,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.dropout = dropout
        self.preprocess = nn.Identity() if preprocess is None else preprocess
        self.backbone = backbone
        self.head = head
        self.criterion = criterion
        self._head_draws = "generator" in inspect.signature(head.forward).parameters

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; a frozen backbone stays in the latter."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    @property
    def encoder(self) -> nn.Sequential:
        """Module that computes codes: all parts except the loss, shared with this module."""
        return nn.Sequential(self.preprocess, self.backbone, self.head)

    @property
    def input_dtype(self) -> torch.dtype:
        """Precision in which training must give inputs: double if a feature is far from 0, see `Standardize`."""
        layers = (layer for layer in self.modules() if isinstance(layer, Standardize))
        double = any(layer.input_dtype == torch.float64 for layer in layers)
        return torch.float64 if double else torch.float32

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute continuous codes of inputs `x`; `generator` draws the dropout."""
        return self.hash(self.features(x, generator), generator)

    def features(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute the feature vectors of inputs `x`, without the dropout before the head."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            inputs = self.preprocess(x)
            if inputs.dtype == torch.float64:  # only some part of the network needs inputs in double precision
                inputs = inputs.to(next(self.parameters()).dtype)
            if x.ndim == 2 and not isinstance(self.backbone, nn.Identity):
                inputs = self._drop(inputs, generator)
            return self.run_backbone(inputs)

    def run_backbone(self, inputs: Tensor) -> Tensor:
        """Compute the features of preprocessed inputs, in training in `autocast_dtype` unless it is None.

        Weights, their gradients and the features stay in single precision, and so does everything in evaluation.
        """
        if self.run_share is not None:
            return self.run_share(self._run_backbone, inputs)
        return self._run_backbone(inputs)

    def _run_backbone(self, inputs: Tensor) -> Tensor:
        backbone = self.backbone if self.compiled_backbone is None else self.compiled_backbone
        if self.autocast_dtype is None or not self.training:
            return backbone(inputs)
        # Without the cache of weights, which outlives a step within an autocast context of the caller.
        with torch.autocast(inputs.device.type, self.autocast_dtype, cache_enabled=False):
            return backbone(inputs).float()

    def hash(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute continuous codes of feature vectors."""
        features = self._drop(features, generator)
        if self._head_draws:
            return self.head(features, generator)
        return self.head(features) if self.compiled_head is None else self.compiled_head(features)

    def _drop(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        return dropout(values, self.dropout if self.training else 0.0, generator)
