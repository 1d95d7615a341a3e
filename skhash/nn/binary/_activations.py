"""Activations of binary networks: signs before a binary layer, and shifted PReLUs after a block."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from skhash.nn.binary._quantizers import GRADIENTS, Gradient, binary_sign
from skhash.utils import check_option

_EDE_FIRST, _EDE_LAST = 0.1, 10.0
_PRELU_SLOPE = 0.25


def per_channel(values: Tensor, like: Tensor) -> Tensor:
    """View one value per channel so that it broadcasts along dimension 1 of `like`."""
    return values.view(-1, *(1,) * (like.ndim - 2))


class Sign(nn.Module):
    """Layer that takes the sign of activations.

    Parameters
    ----------
    gradient : {"clip", "strict_clip", "approx", "ede", "identity"}, default="approx"
        Surrogate for the sign's derivative in the backward pass, see `binary_sign`. The sharpness of "ede" grows during
        training: see `set_progress`.
    normalize_gradient : bool, default=False
        Whether, in training, a sample's activations are first divided by their standard deviation. No sign changes, but
        the gradient then reaches the same share of every sample's activations (ReCU).

    Attributes
    ----------
    t : float
        Sharpness of "ede".

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import Sign
    >>> Sign("clip")(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """

    t: float

    def __init__(self, gradient: Gradient = "approx", *, normalize_gradient: bool = False) -> None:
        super().__init__()
        check_option("gradient", gradient, GRADIENTS)
        self.gradient: Gradient = gradient
        self.normalize_gradient = normalize_gradient
        self.t = _EDE_FIRST

    def set_progress(self, fraction: float) -> None:
        """Sharpen "ede": t goes from 0.1 to 10 log-linearly as `fraction` of the training goes from 0 to 1."""
        self.t = ede_sharpness(fraction)

    def forward(self, x: Tensor) -> Tensor:
        """Turn activations of any shape into -1 and +1."""
        if self.normalize_gradient and self.training:
            x = x / deviation(x)
        return binary_sign(x, self.gradient, t=self.t)

    def extra_repr(self) -> str:
        """Show the gradient in the module's repr."""
        return f"gradient={self.gradient!r}" + ", normalize_gradient=True" * self.normalize_gradient


def deviation(x: Tensor) -> Tensor:
    """Return the standard deviation (unbiased) of each sample or filter, (n, 1, ...); 1 where it is 0 or of one value.

    No constant is added, as the papers add none: a quotient by it does not depend on the scale of `x`.
    """
    if x[0].numel() == 1:
        return torch.ones_like(x)
    std = x.std(dim=tuple(range(1, x.ndim)), keepdim=True)
    # 0 / 0 would be NaN, whose sign is -1 instead of +1.
    return torch.where(std > 0, std, 1.0)


def ede_sharpness(fraction: float) -> float:
    """Return IR-Net's t at a fraction of the training."""
    return math.exp(math.log(_EDE_FIRST) + fraction * math.log(_EDE_LAST / _EDE_FIRST))


class RSign(nn.Module):
    """Layer that takes the sign of activations with a learned threshold per channel: sign(x + shift).

    Parameters
    ----------
    channels : int
        Length of dimension 1 of the activations.
    gradient : {"clip", "strict_clip", "approx", "ede", "identity"}, default="approx"
        Surrogate for the sign's derivative, as for `Sign`.

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

    sign: Sign
    shift: nn.Parameter

    def __init__(self, channels: int, gradient: Gradient = "approx") -> None:
        super().__init__()
        self.sign = Sign(gradient)
        self.shift = nn.Parameter(torch.empty(channels))
        self.initialize()

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Set the thresholds to 0."""
        nn.init.zeros_(self.shift)

    def forward(self, x: Tensor) -> Tensor:
        """Turn activations (n, channels, ...) into -1 and +1."""
        return self.sign(x + per_channel(self.shift, x))


class RPReLU(nn.Module):
    r"""Shifted PReLU with learned values per channel: PReLU(x + shift_in) + shift_out.

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

    shift_in: nn.Parameter
    slope: nn.Parameter
    shift_out: nn.Parameter

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift_in = nn.Parameter(torch.empty(channels))
        self.slope = nn.Parameter(torch.empty(channels))
        self.shift_out = nn.Parameter(torch.empty(channels))
        self.initialize()

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Set both shifts to 0 and the slope below zero to 0.25."""
        nn.init.zeros_(self.shift_in)
        nn.init.constant_(self.slope, _PRELU_SLOPE)
        nn.init.zeros_(self.shift_out)

    def forward(self, x: Tensor) -> Tensor:
        """Transform activations (n, channels, ...)."""
        return _RPReLU.apply(x, *(per_channel(p, x) for p in (self.shift_in, self.slope, self.shift_out)))


class _RPReLU(torch.autograd.Function):
    """RPReLU with its own backward pass: that of torch's PReLU takes longer than that of a whole small convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift_in: Tensor, slope: Tensor, shift_out: Tensor) -> Tensor:
        z = x + shift_in
        ctx.save_for_backward(z, slope)
        # Autocast counts PReLU among the products. It does not know the device "meta".
        casts = torch.amp.is_autocast_available(x.device.type)
        with torch.autocast(x.device.type, enabled=False) if casts else nullcontext():
            return torch.prelu(z, slope.flatten()).add_(shift_out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (grad,) = grads
        z, slope = ctx.saved_tensors
        # The gradient where z > 0; the rest, where z <= 0, is the part that passes the slope.
        above = torch.ops.aten.threshold_backward(grad, z, 0)
        below = grad - above
        grad_z = torch.addcmul(above, below, slope)
        others = tuple(i for i in range(z.ndim) if i != 1)

        def total(values: Tensor) -> Tensor:
            return values.sum(dim=others).view_as(slope)

        return grad_z, total(grad_z), total(below.mul_(z)), total(grad)
