"""LBHash's surrogate of the posterior: networks that estimate the probability of each binary code from continuous ones.

Zhu, Song, Lei, Gao, Shen, "A lower bound of hash codes' performance", NeurIPS 2022.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.utils import check_option


class PosteriorSurrogate(nn.Module):
    r"""Estimated distribution of binary codes given continuous ones, block by block.

    A product of the bits' probabilities ignores that bits depend on each other. Here each block of b bits has its own
    network for all :math:`2^b` joint probabilities: linear, SiLU, dropout, linear, softmax.

    Training has two sides. The surrogate learns to predict the binary code from the continuous one:
    `surrogate_loss(z.detach(), z)`. The hashing model learns to make the center of the sample's class probable:
    `center_loss(z, targets, centers, frozen=True)`.

    Parameters
    ----------
    bits : int
        Code length.
    block_bits : int, default=8
        Number of bits in a block, at most 16; the last block may have fewer.
    hidden : int, default=256
        Width of the hidden layers.
    dropout : float, default=0.5
        Share of the hidden values that training drops.

    Attributes
    ----------
    blocks : nn.ModuleList
        One network per block. `skhash.nn.build` draws their weights from a generator.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance". NeurIPS 2022,
       section 5, algorithm 1 and figure 13.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import PosteriorSurrogate
    >>> from skhash.nn import build
    >>> generator = torch.Generator().manual_seed(0)
    >>> surrogate = build(PosteriorSurrogate, bits=12, generator=generator)
    >>> z = torch.randn(5, 12, generator=generator)
    >>> naming = surrogate.surrogate_loss(z, z, generator=generator)  # about log 256 + log 16
    >>> bool(abs(naming - 8.32) < 1)
    True
    >>> surrogate.probability(z, torch.ones(3, 12)).shape
    torch.Size([5, 3])
    """

    sizes: list[int]
    blocks: nn.ModuleList

    def __init__(self, bits: int, block_bits: int = 8, *, hidden: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        if bits < 1:
            raise ValueError(f"bits must be at least 1, got {bits}.")
        if not 1 <= block_bits <= 16:
            raise ValueError(f"block_bits must be from 1 to 16, got {block_bits}: a block has 2 ** block_bits outputs.")
        self.sizes = [min(block_bits, bits - start) for start in range(0, bits, block_bits)]
        self.blocks = nn.ModuleList(_Block(size, hidden, dropout) for size in self.sizes)

    def forward(self, z: Tensor, *, generator: torch.Generator | None = None) -> list[Tensor]:
        """Compute the logits of all patterns of each block.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes, before any tanh.
        generator : torch.Generator, default=None
            Source of the draws of dropout in training; None draws from torch's global state.

        Returns
        -------
        logits : list of Tensor of shape (n, 2 ** size of the block)
            In the order of `codes_index`.
        """
        parts = self._split("z", z)
        return [block(part, generator) for block, part in zip(self.blocks, parts, strict=True)]

    def codes_index(self, codes: Tensor) -> Tensor:
        """Compute the numbers of the patterns that codes have in each block: bit k of a block counts 2 ** k.

        Parameters
        ----------
        codes : Tensor of shape (n, bits)
            Binary codes, -1 or +1, or continuous ones, of which the signs are used.

        Returns
        -------
        index : Tensor of int64 of shape (n, n_blocks)
            Each from 0 to 2 ** size of the block - 1.

        Examples
        --------
        >>> import torch
        >>> from skhash.losses import PosteriorSurrogate
        >>> PosteriorSurrogate(bits=4, block_bits=3).codes_index(torch.tensor([[1.0, -1.0, 1.0, -1.0]]))
        tensor([[5, 0]])
        """
        ones = self._split("codes", (codes >= 0).long())
        return torch.stack([(part << torch.arange(part.shape[1], device=part.device)).sum(dim=1) for part in ones], 1)

    def surrogate_loss(
        self, z: Tensor, target_codes: Tensor, *, generator: torch.Generator | None = None, frozen: bool = False
    ) -> Tensor:
        r"""Compute minus the log-probability of target codes, a mean over the batch.

        .. math:: \operatorname{mean}_i \sum_j \operatorname{CE}(P_j(z_{ij}), \text{index}(t_{ij}))

        over the blocks j.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        target_codes : Tensor of shape (n, bits)
            Codes t, one per row; `z` itself to train the surrogate.
        generator : torch.Generator, default=None
            Source of the draws of dropout in training.
        frozen : bool, default=False
            Whether to take the surrogate's weights as constants, so that only `z` gets a gradient.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        blocks = zip(self._logits(z, generator, frozen), self.codes_index(target_codes).T, strict=True)
        return cast("Tensor", sum(F.cross_entropy(logits, index) for logits, index in blocks))

    def center_loss(
        self,
        z: Tensor,
        targets: Tensor,
        centers: Tensor,
        *,
        multilabel: Literal["normalized", "raw"] = "normalized",
        generator: torch.Generator | None = None,
        frozen: bool = False,
    ) -> Tensor:
        """Compute minus the log-probability of the centers of the samples' classes, a mean over the batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        centers : Tensor of shape (n_classes, bits)
            Hash centers, entries -1 or +1.
        multilabel : {"normalized", "raw"}, default="normalized"
            For several labels: the mean over the labels, or the sum as in the paper.
        generator : torch.Generator, default=None
            Source of the draws of dropout in training.
        frozen : bool, default=False
            Whether to take the surrogate's weights as constants, so that only `z` gets a gradient.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        check_option("multilabel", multilabel, ("normalized", "raw"))
        if targets.ndim == 1:
            return self.surrogate_loss(z, centers[targets], generator=generator, frozen=frozen)
        share = targets.to(z.dtype)
        if multilabel == "normalized":
            share = share / share.sum(dim=1, keepdim=True).clamp(min=1)
        return -(share * self._log_probability(z, centers, generator, frozen)).sum(dim=1).mean()

    def log_probability(self, z: Tensor, codes: Tensor) -> Tensor:
        """Compute the logarithms of `probability`; long codes need them, because their probabilities round to 0.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        codes : Tensor of shape (m, bits)
            Binary codes, -1 or +1.

        Returns
        -------
        log_probability : Tensor of shape (n, m)
            At most 0.
        """
        return self._log_probability(z, codes, None, False)

    def probability(self, z: Tensor, codes: Tensor) -> Tensor:
        """Compute the probability of each binary code given each continuous one; call `eval()` first to omit dropout.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        codes : Tensor of shape (m, bits)
            Binary codes, -1 or +1.

        Returns
        -------
        probability : Tensor of shape (n, m)
            Each row, over all possible codes, sums to 1.
        """
        return self.log_probability(z, codes).exp()

    def _split(self, name: str, values: Tensor) -> tuple[Tensor, ...]:
        """Split codes (n, bits) into blocks."""
        bits = sum(self.sizes)
        if values.ndim != 2 or values.shape[1] != bits:
            raise ValueError(f"{name} must have shape (n, bits) = (n, {bits}), got {tuple(values.shape)}.")
        return values.split(self.sizes, dim=1)

    def _logits(self, z: Tensor, generator: torch.Generator | None, frozen: bool) -> list[Tensor]:
        if not frozen:
            return self(z, generator=generator)
        # A call with detached weights: the weights get no gradient, while `requires_grad` is not touched.
        constants = {name: weight.detach() for name, weight in self.named_parameters()}
        return torch.func.functional_call(self, constants, (z,), {"generator": generator})

    def _log_probability(self, z: Tensor, codes: Tensor, generator: torch.Generator | None, frozen: bool) -> Tensor:
        blocks = zip(self._logits(z, generator, frozen), self.codes_index(codes).T, strict=True)
        return cast("Tensor", sum(F.log_softmax(logits, dim=1)[:, index] for logits, index in blocks))


class _Block(nn.Module):
    """Network from the continuous code of a block to the logits of its patterns."""

    def __init__(self, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, hidden)
        self.out = nn.Linear(hidden, 2**size)
        self.dropout = dropout

    def forward(self, z: Tensor, generator: torch.Generator | None) -> Tensor:
        x = F.silu(self.hidden(z))
        if self.training and self.dropout > 0:
            # Not nn.Dropout, which can only draw from torch's global state.
            kept = torch.rand(x.shape, generator=generator).to(x) >= self.dropout
            x = kept * x / (1 - self.dropout)
        return self.out(x)
