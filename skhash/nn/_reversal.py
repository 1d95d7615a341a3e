"""Gradient reversal: one optimizer for two networks with opposite goals.

Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def reverse_gradient(x: Tensor) -> Tensor:
    """Return the values as they are, and reverse the sign of their gradient.

    The layers after it minimize a loss, and the layers before it maximize the same loss: a discriminator and a
    generator. As optimizers such as Adam keep their state per parameter, one of them does the same as two, one for
    each side.

    Parameters
    ----------
    x : Tensor
        Values, of any shape.

    Returns
    -------
    x : Tensor
        The same values.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import reverse_gradient
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x).sum().backward()
    >>> x.grad
    tensor([-1., -1.])
    """
    return _Reversal.apply(x)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)  # a new tensor: autograd ignores a Function that returns its input itself

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return -grads[0]
