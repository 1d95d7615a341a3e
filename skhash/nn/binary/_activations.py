"""What stands before a binary layer and turns real numbers into -1 and +1, and what stands behind it."""

import math

import torch
from torch import nn

from skhash.nn.binary._quantizers import GRADIENTS, binary_sign
from skhash.utils import check_option

_EDE_FIRST, _EDE_LAST = 0.1, 10.0
_PRELU_SLOPE = 0.25


def per_channel(values, like):
    """View one value per channel so that it broadcasts over dimension 1 of `like`."""
    return values.view(-1, *(1,) * (like.ndim - 2))


class Sign(nn.Module):
    """Take the sign of activations.

    Parameters
    ----------
    gradient : {"clip", "strict_clip", "approx", "ede", "identity"}, default="approx"
        What the backward pass takes for the sign, see `binary_sign`. The sharpness of "ede" grows with the training:
        see `set_progress`.
    normalize_gradient : bool, default=False
        Whether, in training, a sample's activations are first divided by their standard deviation. No sign changes, but
        the gradient then reaches the same share of every sample's activations (ReCU).

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import Sign
    >>> Sign("clip")(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """

    def __init__(self, gradient="approx", *, normalize_gradient=False):
        super().__init__()
        check_option("gradient", gradient, GRADIENTS)
        self.gradient = gradient
        self.normalize_gradient = normalize_gradient
        self.t = _EDE_FIRST

    def set_progress(self, fraction):
        """Sharpen "ede": t goes from 0.1 to 10 log-linearly as `fraction` of the training goes from 0 to 1."""
        self.t = ede_sharpness(fraction)

    def forward(self, x):
        """Turn activations of any shape into -1 and +1."""
        if self.normalize_gradient and self.training:
            deviation = x.std(dim=tuple(range(1, x.ndim)), keepdim=True)
            x = x / deviation.clamp(min=torch.finfo(x.dtype).tiny)
        return binary_sign(x, self.gradient, t=self.t)

    def extra_repr(self):
        """Show the gradient in the module's repr."""
        return f"gradient={self.gradient!r}" + ", normalize_gradient=True" * self.normalize_gradient


def ede_sharpness(fraction):
    """Give IR-Net's t at a fraction of the training."""
    return math.exp(math.log(_EDE_FIRST) + fraction * math.log(_EDE_LAST / _EDE_FIRST))


class RSign(nn.Module):
    """Take the sign of activations with a threshold of its own for each channel: sign(x + shift).

    Parameters
    ----------
    channels : int
        Length of dimension 1 of the activations.
    gradient : str, default="approx"
        As of `Sign`.

    References
    ----------
    Liu et al., "ReActNet: towards precise binary neural network with generalized activation functions", ECCV 2020,
    Eq. (6).

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import RSign
    >>> RSign(3)(torch.tensor([[-0.5, 0.0, 2.0]])).tolist()
    [[-1.0, 1.0, 1.0]]
    """

    def __init__(self, channels, gradient="approx"):
        super().__init__()
        self.sign = Sign(gradient)
        self.shift = nn.Parameter(torch.empty(channels))
        self.initialize()

    def initialize(self, generator=None):
        """Set the thresholds to 0."""
        nn.init.zeros_(self.shift)

    def forward(self, x):
        """Turn activations (n, channels, ...) into -1 and +1."""
        return self.sign(x + per_channel(self.shift, x))


class RPReLU(nn.Module):
    r"""Shift, bend and shift back: PReLU(x + shift_in) + shift_out, with values of its own for each channel.

    Parameters
    ----------
    channels : int
        Length of dimension 1 of the activations.

    References
    ----------
    Liu et al., "ReActNet", ECCV 2020, Eq. (7).

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import RPReLU
    >>> RPReLU(2)(torch.tensor([[-1.0, 1.0]])).tolist()
    [[-0.25, 1.0]]
    """

    def __init__(self, channels):
        super().__init__()
        self.shift_in = nn.Parameter(torch.empty(channels))
        self.slope = nn.Parameter(torch.empty(channels))
        self.shift_out = nn.Parameter(torch.empty(channels))
        self.initialize()

    def initialize(self, generator=None):
        """Set both shifts to 0 and the slope below zero to 0.25."""
        nn.init.zeros_(self.shift_in)
        nn.init.constant_(self.slope, _PRELU_SLOPE)
        nn.init.zeros_(self.shift_out)

    def forward(self, x):
        """Transform activations (n, channels, ...)."""
        return _RPReLU.apply(x, *(per_channel(p, x) for p in (self.shift_in, self.slope, self.shift_out)))


class _RPReLU(torch.autograd.Function):
    """By hand, because the backward pass of torch's PReLU takes longer than that of a whole small convolution."""

    @staticmethod
    def forward(ctx, x, shift_in, slope, shift_out):
        z = x + shift_in
        ctx.save_for_backward(z, slope)
        return torch.prelu(z, slope.flatten()).add_(shift_out)

    @staticmethod
    def backward(ctx, grad):
        z, slope = ctx.saved_tensors
        above = torch.ops.aten.threshold_backward(grad, z, 0)
        below = grad - above
        grad_z = torch.addcmul(above, below, slope)
        others = tuple(i for i in range(z.ndim) if i != 1)

        def total(values):
            return values.sum(dim=others).view_as(slope)

        return grad_z, total(grad_z), total(below.mul_(z)), total(grad)
