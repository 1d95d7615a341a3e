"""The bi-half layer: in every training batch each bit is +1 for exactly half of the samples.

Li and van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.1


class BiHalf(nn.Module):
    r"""Layer that sets the larger half of each column to +1 and the rest to -1 in training; the identity in evaluation.

    A bit has the largest entropy when half of the batch is on either side. The backward pass adds the gradient of the
    distance between continuous code z and code b: :math:`g + \gamma (z - b) / (N K)`.

    Parameters
    ----------
    gamma : float, default=6.0
        Weight of the added gradient.
    center : int, default=None
        Code length, if evaluation subtracts the mean of each column over the training batches: a plain mean over the
        first ten, then a moving average to which a new batch contributes a tenth. With None, evaluation compares with 0
        instead of with the other samples.

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

    mean: Tensor | None
    n_batches: Tensor | None

    def __init__(self, gamma: float = 6.0, *, center: int | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.center = center
        self.register_buffer("mean", None if center is None else torch.zeros(center))
        self.register_buffer("n_batches", None if center is None else torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        """Turn continuous codes z (n, bits) into codes of the same shape; floor(n / 2) are +1 in every column."""
        if not self.training:
            return z if self.mean is None else z - self.mean
        if self.mean is not None and self.n_batches is not None:
            self.n_batches += 1
            # Weights 1, 1/2, 1/3, ... make a plain mean until the momentum is reached, so no start value remains in it.
            self.mean.lerp_(z.detach().mean(dim=0), (1 / self.n_batches).clamp(min=_MOMENTUM))
        return _BiHalf.apply(z, self.gamma)

    def initialize(self, generator: torch.Generator) -> None:
        """Reset the statistics of the batches."""
        for buffer in self.buffers():
            nn.init.zeros_(buffer)

    def extra_repr(self) -> str:
        """Show the parameters in the module's repr."""
        return f"gamma={self.gamma}, center={self.center}"


class _BiHalf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, gamma: float) -> Tensor:
        # Stable, so that equal values are ordered the same way every time.
        order = z.argsort(dim=0, descending=True, stable=True)
        codes = torch.full_like(z, -1.0).scatter_(0, order[: len(z) // 2], 1.0)
        ctx.save_for_backward(z, codes)
        ctx.gamma = gamma
        return codes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        z, codes = ctx.saved_tensors
        return grad + ctx.gamma * (z - codes) / z.numel(), None
