"""Rules that make binary weights of latent real ones: signs, one scale per filter, and a gradient.

A rule is a module that is called with latent weights and gives signs times scales; `parts` gives the two apart, as an
exact convolution or a packed file wants them.
"""

import torch
from torch import nn

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

    # Latent weights outside have no gradient and would stay for ever; `clip_latent_weights_` brings them back.
    clips_latent = True

    # Standard deviation of new latent weights; None for torch's own distribution.
    init_std = None

    def __init__(self, out_channels):
        super().__init__()
        self.out_channels = out_channels

    def forward(self, weight):
        """Turn latent weights (out_channels, ...) into binary ones, signs times scales, of the same shape."""
        return binary_sign(weight, "clip")

    @torch.no_grad()
    def parts(self, weight):
        """Give the signs, of the weights' shape, and the scales (out_channels,) of the binary weights."""
        return sign_of(weight), weight.new_ones(len(weight))


class BiRealRule(WeightRule):
    """Signs times the mean magnitude of the filter's latent weights, through which no gradient passes.

    Parameters
    ----------
    out_channels : int
        Number of filters.
    scaled_gradient : bool, default=True
        Whether the gradient of a latent weight is multiplied by the scale, as the paper's magnitude-aware update has
        it; the released code of Bi-Real Net and ReActNet leaves it out.

    References
    ----------
    Liu et al., "Bi-Real Net", ECCV 2018, Eq. (6) to (8).
    """

    init_std = 1e-3

    def __init__(self, out_channels, *, scaled_gradient=True):
        super().__init__(out_channels)
        self.scaled_gradient = scaled_gradient

    def forward(self, weight):
        """Turn latent weights (out_channels, ...) into signs times scales."""
        scale = per_filter(filter_mean(weight.detach().abs()), weight)
        if self.scaled_gradient:
            return binary_sign(weight, "clip") * scale
        return _WithoutScale.apply(weight, scale)

    @torch.no_grad()
    def parts(self, weight):
        """Give the signs and the scales (out_channels,)."""
        return sign_of(weight), filter_mean(weight.abs())


class _WithoutScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, scale):
        ctx.save_for_backward(weight)
        return sign_of(weight) * scale

    @staticmethod
    def backward(ctx, grad):
        return grad * (ctx.saved_tensors[0].abs() <= 1), None


class XNORRule(WeightRule):
    r"""Signs times mean magnitude after each filter was centred over its input channels and clamped to [-1, 1].

    With :math:`\hat w` the centred weights, :math:`\alpha` their mean magnitude, g the gradient of
    the binary weights, n the elements of a filter and c its input channels, a latent weight's gradient is

    .. math::
        \left(\alpha g 1_{|\hat w| \le 1} + \operatorname{sgn}(\hat w)\,\overline{\operatorname{sgn}(\hat w) g}\right)
        (1 - 1 / c)\, n.

    Parameters
    ----------
    out_channels : int
        Number of filters.

    References
    ----------
    Rastegari et al., "XNOR-Net", ECCV 2016, Eq. (6) and (12), and its released code (centring and the factors).
    """

    def forward(self, weight):
        """Turn latent weights (out_channels, in_channels, ...) into signs times scales."""
        return _XNOR.apply(weight)

    @torch.no_grad()
    def parts(self, weight):
        """Give the signs and the scales (out_channels,)."""
        centred = _centred(weight)
        return sign_of(centred), filter_mean(centred.clamp(-1, 1).abs())


def _centred(weight):
    return weight - weight.mean(dim=1, keepdim=True)


class _XNOR(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight):
        centred = _centred(weight)
        signs, scale = sign_of(centred), per_filter(filter_mean(centred.clamp(-1, 1).abs()), weight)
        ctx.save_for_backward(centred, signs, scale)
        return signs * scale

    @staticmethod
    def backward(ctx, grad):
        centred, signs, scale = ctx.saved_tensors
        through_sign = grad * scale * (centred.abs() <= 1)
        through_scale = signs * per_filter(filter_mean(signs * grad), grad)
        return (through_sign + through_scale).mul_((1 - 1 / grad.shape[1]) * grad[0].numel())


def per_filter(values, weight):
    """View one value per filter so that it broadcasts over weights."""
    return values.view(-1, *(1,) * (weight.ndim - 1))


def filter_mean(weight):
    """Take the mean of each filter."""
    return weight.flatten(1).mean(dim=1)
