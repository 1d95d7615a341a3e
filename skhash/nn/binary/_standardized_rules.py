"""Weight rules that standardize each filter to mean 0 and standard deviation 1 before they take signs."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from skhash.nn.binary._activations import deviation, ede_sharpness
from skhash.nn.binary._quantizers import binary_sign, sign_of
from skhash.nn.binary._weight_rules import WeightRule, filter_mean, per_filter


class IRNetRule(WeightRule):
    """Signs of the standardized filter times a power of two; the gradient sharpens during training.

    Parameters
    ----------
    out_channels : int
        Number of filters.

    Attributes
    ----------
    t : float
        Sharpness of the gradient.

    References
    ----------
    Qin et al., "Forward and backward information retention for accurate binary neural networks", CVPR 2020, Eq. (4) to
    (11).
    """

    clips_latent: ClassVar[bool] = False
    t: float

    def __init__(self, out_channels: int) -> None:
        super().__init__(out_channels)
        self.set_progress(0.0)

    def set_progress(self, fraction: float) -> None:
        """Sharpen the gradient: t goes from 0.1 to 10 log-linearly as `fraction` of the training goes from 0 to 1."""
        self.t = ede_sharpness(fraction)

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, ...) into signs times powers of two."""
        standard = standardized(weight)
        scale = per_filter(_power_of_two(filter_mean(standard.detach().abs())), weight)
        return binary_sign(standard, "ede", t=self.t) * scale

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs and the scales (out_channels,)."""
        standard = standardized(weight)
        return sign_of(standard), _power_of_two(filter_mean(standard.abs()))


def _power_of_two(values: Tensor) -> Tensor:
    return torch.exp2(values.log2().round())


class ReCURule(WeightRule):
    r"""Signs of the standardized filter, whose outliers are clamped so that they can still flip; learned scales.

    Standardized weights :math:`2 \sqrt 2 (w - \mu) / \sigma` are clamped to :math:`\pm Q`,
    :math:`Q = -\overline{|w|} \ln(2 - 2 \tau)` over the whole layer, the quantile :math:`\tau` of a Laplace
    distribution. Weights beyond it have no gradient of their own but take part in the standardization of the filter.

    Parameters
    ----------
    out_channels : int
        Number of filters.

    Attributes
    ----------
    tau : float
        Quantile to which weights are clamped.

    Notes
    -----
    The paper divides by :math:`\sigma`; the authors' code divides by :math:`\sqrt{\sigma^2 + 10^{-5}}`, for weights and
    activations alike. The signs are the same, but with the constant, a filter of small weights would be clamped later
    and have another gradient than the same filter times ten. So it is the paper's quotient here, and
    :math:`\sigma = 0`, against which the constant guards, counts as 1: equal weights give signs +1 and no NaN.

    References
    ----------
    Xu et al., "ReCU: reviving the dead weights in binary neural networks", ICCV 2021.
    """

    clips_latent: ClassVar[bool] = False
    _TAU_FIRST, _TAU_LAST = 0.85, 0.99
    scale: nn.Parameter
    tau: float

    def __init__(self, out_channels: int) -> None:
        super().__init__(out_channels)
        self.scale = nn.Parameter(torch.empty(out_channels))
        self.initialize()
        self.set_progress(0.0)

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw the scales uniformly from [0, 1)."""
        nn.init.uniform_(self.scale, generator=generator)

    def set_progress(self, fraction: float) -> None:
        """Raise tau: it grows exponentially from 0.85 to 0.99 as `fraction` of the training goes from 0 to 1."""
        growth = math.expm1(fraction) / math.expm1(1)
        self.tau = self._TAU_FIRST + (self._TAU_LAST - self._TAU_FIRST) * growth

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, ...) into signs times scales."""
        standard = standardized(weight) * (2 * math.sqrt(2))
        # Clamping changes no sign. It is there for its derivative, which is 0 beyond the bound.
        bound = -standard.detach().abs().mean() * math.log(2 - 2 * self.tau)
        signs = binary_sign(torch.minimum(torch.maximum(standard, -bound), bound), "identity")
        return signs * per_filter(self.scale, weight)

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs and the scales (out_channels,)."""
        return sign_of(standardized(weight)), self.scale.detach()


def standardized(weight: Tensor) -> Tensor:
    """Standardize each filter to mean 0 and standard deviation 1 (unbiased); one of equal weights becomes 0."""
    flat = weight.flatten(1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    return (flat / deviation(flat)).view_as(weight)
