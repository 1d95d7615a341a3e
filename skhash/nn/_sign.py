"""The sign convention for tensors: z >= 0 is +1, everything else -1; and its straight-through gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sign(z: Tensor) -> Tensor:
    """Return +1 where `z >= 0` and -1 elsewhere; unlike `torch.sign`, never 0.

    Parameters
    ----------
    z : Tensor
        Continuous codes, of any shape.

    Returns
    -------
    codes : Tensor
        Same shape and dtype, without gradient.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import sign
    >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    return torch.where(z >= 0, 1.0, -1.0).to(z.dtype)


def sign_ste(z: Tensor) -> Tensor:
    """Return the sign with the straight-through estimator: the gradient passes as if the sign were the identity.

    Parameters
    ----------
    z : Tensor
        Continuous codes, of any shape.

    Returns
    -------
    codes : Tensor
        Same shape and dtype, of -1 and +1.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import sign_ste
    >>> z = torch.tensor([-0.5, 0.0, 2.0], requires_grad=True)
    >>> sign_ste(z).sum().backward()
    >>> z.grad
    tensor([1., 1., 1.])
    """
    return _SignSTE.apply(z)


class _SignSTE(torch.autograd.Function):
    """An autograd function, because `z + (sign(z) - z).detach()` is not exactly -1 or +1 in floating point."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return sign(z)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]
