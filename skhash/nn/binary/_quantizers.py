"""Signs in the forward pass, and the slopes that stand in for them in the backward pass."""

import torch

from skhash.utils import check_option


def binary_sign(x, gradient="clip", *, t=1.0):
    r"""Give +1 where `x >= 0` and -1 elsewhere, with a gradient that is that of a smoother function.

    Parameters
    ----------
    x : Tensor
        Any shape.
    gradient : {"clip", "strict_clip", "approx", "ede", "identity"}, default="clip"
        Derivative of the stand-in:

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
        Same shape and dtype, of -1 and +1.

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


def sign_of(x):
    """Give +1 where `x >= 0` and -1 elsewhere, in two passes over memory."""
    # copysign alone would take -0.0 for negative; -0.0 + 0.0 is 0.0.
    return torch.copysign(_one(x), x + 0.0)


def _one(x):
    return torch.ones((), dtype=x.dtype, device=x.device)


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return sign_of(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        # aten's hard tanh leaves out its bounds; no number lies between 1 and 1 + eps.
        bound = 1 + torch.finfo(x.dtype).eps
        return torch.ops.aten.hardtanh_backward(grad, x, -bound, bound)


class _StrictClip(_Clip):
    @staticmethod
    def backward(ctx, grad):
        return torch.ops.aten.hardtanh_backward(grad, ctx.saved_tensors[0], -1, 1)


class _Approx(_Clip):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(grad)


class _Identity(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return sign_of(x)

    @staticmethod
    def backward(ctx, grad):
        return grad


class _EDE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(x)
        ctx.t = t
        return sign_of(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        t, k = ctx.t, max(1 / ctx.t, 1.0)
        return (x * t).tanh_().square_().mul_(-k * t).add_(k * t).mul_(grad), None


_FUNCTIONS = {"clip": _Clip, "strict_clip": _StrictClip, "approx": _Approx, "identity": _Identity}
GRADIENTS = (*_FUNCTIONS, "ede")
