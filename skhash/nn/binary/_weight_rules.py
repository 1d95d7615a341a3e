"""Rules that make binary weights from latent real ones: signs, one scale per filter, and a gradient.

A rule is a module that is called with latent weights and returns signs times scales; `parts` returns signs and scales
separately, for an exact convolution or a packed file.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from skhash.nn.binary._quantizers import binary_sign, sign_of


class WeightRule(nn.Module):
    """Base class: signs of the latent weights, straight-through where they are in [-1, 1], no scale (BNN).

    Parameters
    ----------
    out_channels : int
        Number of filters.

    References
    ----------
    Hubara et al., "Binarized neural networks", NeurIPS 2016.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BiRealRule, WeightRule
    >>> weight = torch.tensor([[0.5, -0.25], [1.5, 0.5]])
    >>> WeightRule(2)(weight)
    tensor([[ 1., -1.],
            [ 1.,  1.]])
    >>> BiRealRule(2).parts(weight)[1]
    tensor([0.3750, 1.0000])
    """

    # Latent weights outside of [-1, 1] have no gradient and would stay there; `clip_latent_weights_` clips them.
    clips_latent: ClassVar[bool] = True

    # Standard deviation of new latent weights; None for torch's own distribution.
    init_std: ClassVar[float | None] = None

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, ...) into binary ones, signs times scales, of the same shape."""
        return binary_sign(weight, "clip")

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs, of the weights' shape, and the scales (out_channels,) of the binary weights."""
        return sign_of(weight), weight.new_ones(len(weight))


class BiRealRule(WeightRule):
    """Signs times the mean magnitude of the filter's latent weights, through which no gradient passes.

    Parameters
    ----------
    out_channels : int
        Number of filters.
    scaled_gradient : bool, default=True
        Whether the gradient of a latent weight is multiplied by the scale, as in the paper's magnitude-aware update;
        the released code of Bi-Real Net and ReActNet leaves the scale out.

    References
    ----------
    Liu et al., "Bi-Real Net", ECCV 2018, Eq. (6) to (8).
    """

    init_std: ClassVar[float | None] = 1e-3

    def __init__(self, out_channels: int, *, scaled_gradient: bool = True) -> None:
        super().__init__(out_channels)
        self.scaled_gradient = scaled_gradient

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, ...) into signs times scales."""
        scale = per_filter(filter_mean(weight.detach().abs()), weight)
        if self.scaled_gradient:
            return binary_sign(weight, "clip") * scale
        return _WithoutScale.apply(weight, scale)

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs and the scales (out_channels,)."""
        return sign_of(weight), filter_mean(weight.abs())


class _WithoutScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return sign_of(weight) * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * (ctx.saved_tensors[0].abs() <= 1), None


class XNORRule(WeightRule):
    r"""Signs times mean magnitude, after each filter was centered over its input channels and clamped to [-1, 1].

    With :math:`\hat w` the centered weights, :math:`\alpha` their mean magnitude, g the gradient of
    the binary weights, n the elements of a filter and c its input channels, a latent weight's gradient is

    .. math::
        \left(\alpha g 1_{|\hat w| \le 1} + \operatorname{sgn}(\hat w)\,\overline{\operatorname{sgn}(\hat w) g}\right)
        (1 - 1 / c)\, n.

    Parameters
    ----------
    out_channels : int
        Number of filters.

    Notes
    -----
    The indicator looks at centered weights before they are clamped, and includes magnitude 1. The paper has it for the
    argument of the sign, which here is the centered weight. The authors' code writes centered and clamped weights back
    and stops the gradient of those that are at -1 or 1, which are the ones that the clamp changed: the same weights but
    for those of magnitude exactly 1, where the paper decides. A known port to PyTorch compares the clamped weights by
    ``> 1``, which is true of none, so its indicator is always 1.

    References
    ----------
    Rastegari et al., "XNOR-Net", ECCV 2016, Eq. (6) and (12), and its released code (centering and the factors).
    """

    def forward(self, weight: Tensor) -> Tensor:
        """Turn latent weights (out_channels, in_channels, ...) into signs times scales."""
        return _XNOR.apply(weight)

    @torch.no_grad()
    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signs and the scales (out_channels,)."""
        centered = _centered(weight)
        return sign_of(centered), filter_mean(centered.clamp(-1, 1).abs())


def _centered(weight: Tensor) -> Tensor:
    return weight - weight.mean(dim=1, keepdim=True)


class _XNOR(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        centered = _centered(weight)
        signs, scale = sign_of(centered), per_filter(filter_mean(centered.clamp(-1, 1).abs()), weight)
        ctx.save_for_backward(centered, signs, scale)
        return signs * scale

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,) = grads
        centered, signs, scale = ctx.saved_tensors
        through_sign = grad * scale * (centered.abs() <= 1)
        through_scale = signs * per_filter(filter_mean(signs * grad), grad)
        # Both factors are those of the released code; 1 - 1 / c is the diagonal of the centering's Jacobian.
        return (through_sign + through_scale).mul_((1 - 1 / grad.shape[1]) * grad[0].numel())


def per_filter(values: Tensor, weight: Tensor) -> Tensor:
    """View one value per filter so that it broadcasts over weights."""
    return values.view(-1, *(1,) * (weight.ndim - 1))


def filter_mean(weight: Tensor) -> Tensor:
    """Return the mean of each filter."""
    return weight.flatten(1).mean(dim=1)
