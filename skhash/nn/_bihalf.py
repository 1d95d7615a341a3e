"""The bi-half layer: in every training batch each bit is +1 for exactly half of the samples.

Li and van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021.
"""

import torch
from torch import nn


class BiHalf(nn.Module):
    r"""Give the larger half of every column +1 and the rest -1 in training; the identity in evaluation.

    Half a batch on either side is the code of largest entropy. The backward pass adds the gradient of the distance
    between continuous code z and code b: :math:`g + \gamma (z - b) / (N K)`.

    Parameters
    ----------
    gamma : float, default=6.0
        Weight of the added gradient.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import BiHalf
    >>> BiHalf()(torch.tensor([[0.3], [2.0], [0.1], [5.0]]))
    tensor([[-1.],
            [ 1.],
            [-1.],
            [ 1.]])
    """

    def __init__(self, gamma=6.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, z):
        """Turn continuous codes z (n, bits) into codes of the same shape; floor(n / 2) are +1 in every column."""
        return _BiHalf.apply(z, self.gamma) if self.training else z

    def extra_repr(self):
        """Show gamma in the module's repr."""
        return f"gamma={self.gamma}"


class _BiHalf(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, gamma):
        # Stable, so that equal values are told apart the same way every time.
        order = z.argsort(dim=0, descending=True, stable=True)
        codes = torch.full_like(z, -1.0).scatter_(0, order[: len(z) // 2], 1.0)
        ctx.save_for_backward(z, codes)
        ctx.gamma = gamma
        return codes

    @staticmethod
    def backward(ctx, grad):
        z, codes = ctx.saved_tensors
        return grad + ctx.gamma * (z - codes) / z.numel(), None
