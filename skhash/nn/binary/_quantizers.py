"""Signs in the forward pass, with surrogate gradients (straight-through estimators) in the backward pass.

The derivative of the sign is 0 almost everywhere, so nothing could be learned through it. A surrogate gradient is the
derivative of a smoother function that resembles the sign.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from skhash.utils import check_option

Gradient: TypeAlias = Literal["clip", "strict_clip", "approx", "ede", "identity"]


def binary_sign(x: Tensor, gradient: Gradient = "clip", *, t: float = 1.0) -> Tensor:
    r"""Return +1 where `x >= 0` and -1 elsewhere, with the gradient of a smoother function.

    Parameters
    ----------
    x : Tensor
        Any shape.
    gradient : {"clip", "strict_clip", "approx", "ede", "identity"}, default="clip"
        Surrogate for the derivative of the sign:

        - "clip": 1 where :math:`|x| \le 1`, else 0 (BNN);
        - "strict_clip": 1 where :math:`|x| < 1`, else 0 (XNOR-Net);
        - "approx": :math:`\max(0, 2 - 2|x|)` (ApproxSign of Bi-Real Net);
        - "ede": :math:`k t (1 - \tanh^2(t x))`, :math:`k = \max(1/t, 1)` (IR-Net);
        - "identity": 1.
    t : float, default=1.0
        Sharpness of "ede", above 0.

    Returns
    -------
    signs : Tensor
        Values -1 and +1, of the same shape and dtype.

    Raises
    ------
    ValueError
        If `gradient` is unknown.

    References
    ----------
    Hubara et al., "Binarized neural networks", NeurIPS 2016; Liu et al., "Bi-Real Net", ECCV 2018, Eq. (5); Qin et al.,
    "Forward and backward information retention for accurate binary neural networks", CVPR 2020, Eq. (9) to (11).

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import binary_sign
    >>> x = torch.tensor([-1.5, -0.25, 0.0, 0.5], requires_grad=True)
    >>> signs = binary_sign(x, "approx")
    >>> signs.tolist()
    [-1.0, -1.0, 1.0, 1.0]
    >>> signs.sum().backward()
    >>> x.grad.tolist()
    [0.0, 1.5, 2.0, 1.0]
    """
    check_option("gradient", gradient, GRADIENTS)
    if gradient == "ede":
        return _EDE.apply(x, t)
    return _FUNCTIONS[gradient].apply(x)


def sign_of(x: Tensor) -> Tensor:
    """Return +1 where `x >= 0` and -1 elsewhere, in two passes over memory."""
    # copysign alone would take -0.0 for negative; -0.0 + 0.0 is 0.0.
    return torch.copysign(torch.ones((), dtype=x.dtype, device=x.device), x + 0.0)


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign_of(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,) = grads
        (x,) = ctx.saved_tensors
        # aten's hard tanh has gradient 0 at its bounds. There is no number between 1 and 1 + eps, so this includes 1.
        bound = 1 + torch.finfo(x.dtype).eps
        return torch.ops.aten.hardtanh_backward(grad, x, -bound, bound)


class _StrictClip(_Clip):
    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return torch.ops.aten.hardtanh_backward(grads[0], ctx.saved_tensors[0], -1, 1)


class _Approx(_Clip):
    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(grads[0])


class _Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return sign_of(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class _EDE(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, t: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.t = t
        return sign_of(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        t, k = ctx.t, max(1 / ctx.t, 1.0)
        return (x * t).tanh_().square_().mul_(-k * t).add_(k * t).mul_(grads[0]), None


_FUNCTIONS = {"clip": _Clip, "strict_clip": _StrictClip, "approx": _Approx, "identity": _Identity}
GRADIENTS = (*_FUNCTIONS, "ede")
