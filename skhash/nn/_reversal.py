"""Reversal of a gradient: one optimiser for two that want the opposite.

Ganin and Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015.
"""

import torch
from torch import Tensor


def reverse_gradient(x: Tensor) -> Tensor:
    """Give the values as they are, and their gradient with the opposite sign.

    What comes after it descends on a loss, what comes before it ascends: a critic and whom it criticises. As optimisers
    such as Adam keep their state for every parameter alone, one of them then does what one for either side would do.

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
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -grad
