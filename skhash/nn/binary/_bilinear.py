"""The weight rule of RBONN and ReBNN."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from skhash.nn.binary._quantizers import sign_of
from skhash.nn.binary._weight_rules import WeightRule, per_filter

_MAGNITUDE = 0.02


class BilinearRule(WeightRule):
    r"""Signs times a learned scale, with latent weights that are pulled toward their binary values.

    The binary weights are :math:`|s| b` with :math:`b = 0.02 \operatorname{sgn}(w)`. With g their gradient, w receives
    :math:`|s| g + \rho (w - |s| b)` and s, summed over the filter,
    :math:`\sum g w - \rho \sum (w - |s| b)\, b`.

    RBONN also corrects w by its previous gradient where s is small, and ReBNN derives :math:`\rho` from how many signs
    have flipped. In the released code neither takes effect, so its results are those of this rule with a constant
    :math:`\rho`: 0.0001 and 0.0002.

    Parameters
    ----------
    out_channels : int
        Number of filters.
    rho : float, default=1e-4
        Strength of the pull.

    References
    ----------
    Xu et al., "Recurrent bilinear optimization for binary neural networks", ECCV 2022; Xu et al., "Resilient binary
    neural network", AAAI 2023.
    """

    clips_latent: ClassVar[bool] = False
    scale: nn.Parameter

    def __init__(self, out_channels: int, *, rho: float = 1e-4) -> None:
        super().__init__(out_channels)
        self.rho = rho
        self.scale = nn.Parameter(torch.empty(out_channels))
        self.initialize()

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw the scales from N(0, 1)."""
        nn.init.normal_(self.scale, generator=generator)

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, ...) into signs times scales."""
        return _Bilinear.apply(weight, per_filter(self.scale, weight), self.rho)

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs and the scales (out_channels,)."""
        return sign_of(weight), _MAGNITUDE * self.scale.detach().abs()


class _Bilinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor, rho: float) -> Tensor:
        ctx.save_for_backward(weight, scale)
        ctx.rho = rho
        return sign_of(weight) * (_MAGNITUDE * scale.abs())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        weight, scale = ctx.saved_tensors
        # Not the derivative of `forward`: that of |s| w, with the latent weights in place of the signs, plus that of
        # the pull rho / 2 * (w - |s| b)^2; both as if s were positive.
        binary = _MAGNITUDE * sign_of(weight)
        pull = ctx.rho * (weight - binary * scale.abs())
        grad_scale = (grad * weight - pull * binary).flatten(1).sum(dim=1).view_as(scale)
        return grad * scale.abs() + pull, grad_scale, None
