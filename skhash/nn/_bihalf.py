"""The bi-half layer: in every training batch each bit is +1 for exactly half of the samples.

Li and van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021.
"""

import torch
from torch import nn

_MOMENTUM = 0.1


class BiHalf(nn.Module):
    r"""Give the larger half of every column +1 and the rest -1 in training; the identity in evaluation.

    Half a batch on either side is the code of largest entropy. The backward pass adds the gradient of the distance
    between continuous code z and code b: :math:`g + \gamma (z - b) / (N K)`.

    Parameters
    ----------
    gamma : float, default=6.0
        Weight of the added gradient.
    center : int, default=None
        Code length, if evaluation shall subtract the mean of each column over the training batches, of which a new one
        makes a tenth after the first ten. Otherwise nothing tells a sample alone on which side of the others it is.

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

    def __init__(self, gamma=6.0, *, center=None):
        super().__init__()
        self.gamma = gamma
        self.center = center
        self.register_buffer("mean", None if center is None else torch.zeros(center))
        self.register_buffer("n_batches", None if center is None else torch.zeros(()))

    def forward(self, z):
        """Turn continuous codes z (n, bits) into codes of the same shape; floor(n / 2) are +1 in every column."""
        if not self.training:
            return z if self.mean is None else z - self.mean
        if self.mean is not None:
            self.n_batches += 1
            self.mean.lerp_(z.detach().mean(dim=0), (1 / self.n_batches).clamp(min=_MOMENTUM))
        return _BiHalf.apply(z, self.gamma)

    def initialize(self, generator):
        """Forget all batches."""
        for buffer in self.buffers():
            nn.init.zeros_(buffer)

    def extra_repr(self):
        """Show the parameters in the module's repr."""
        return f"gamma={self.gamma}, center={self.center}"


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
