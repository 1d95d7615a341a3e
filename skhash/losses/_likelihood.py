"""The likelihood of all pairs of two sets of codes, without a tensor of all pairs for each step of its formula.

A method that compares a batch with all training samples spends most of its time on passes over pairs. Here, a block of
pairs is computed, summed up and multiplied for the gradient while it is in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skhash.losses._pairs import check_same_form, relative_scale, share_label

_PAIRS = 2**18  # at once
_FACTORS = 64  # of a product before the logarithm: each is between 1/2 and 1


def likelihood_of_products(
    z: Tensor,
    targets: Tensor,
    z2: Tensor | None = None,
    targets2: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    scale: float | str = 0.5,
) -> Tensor:
    r"""Compute `pair_likelihood_loss` of :math:`\theta_{ij} = c \, u_i \cdot u_j`, see `dpsh_loss`."""
    if z2 is None:
        z2 = z
    targets2 = targets if targets2 is None else targets2
    check_same_form(targets, targets2)
    if mask is not None and not mask.all():
        z2, targets2 = z2[mask], targets2[mask]
    dtype = torch.promote_types(z.dtype, torch.float32)  # products need its range
    scale = relative_scale(scale, z.shape[1], ("2.5/bits",))
    return _Likelihood.apply(z.to(dtype), z2.to(dtype), targets, targets2, scale)


def sum_of_rests(slopes: Tensor) -> Tensor:
    r"""Return the sum of :math:`\log(1 + e^{-|x|})` over all :math:`x`, given their logistic function.

    The term is :math:`-\log \max(\sigma(x), 1 - \sigma(x))`, and logarithms of products are much faster than as many
    logarithms. The error of each is that of a number near 1.
    """
    larger = (slopes - 0.5).abs_().add_(0.5).flatten()
    n_grouped = len(larger) // _FACTORS * _FACTORS
    products = larger[:n_grouped].view(-1, _FACTORS).prod(dim=1)
    return -(products.log().sum() + larger[n_grouped:].log().sum())


class _Likelihood(torch.autograd.Function):
    """The mean, with its gradient by the way."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, z2: Tensor, targets: Tensor, targets2: Tensor, factor: float) -> Tensor:
        needs_first, needs_second = ctx.needs_input_grad[:2]
        scaled, loss = factor * z, z.new_zeros(())
        first, second = torch.zeros_like(z), []
        scale = 1 / max(len(z) * len(z2), 1)
        for others, labels in zip(
            *(part.split(max(_PAIRS // max(len(z), 1), 1)) for part in (z2, targets2)), strict=True
        ):
            logits = scaled @ others.T
            similar = _similarity(targets, labels, logits.dtype)
            # log(1 + exp(x)) is max(x, 0) and a rest; less x it is 0 and the same rest for large x.
            loss += logits.clamp(min=0).addcmul_(similar, logits, value=-1).sum()
            slopes = logits.sigmoid_()
            loss += sum_of_rests(slopes)
            slopes -= similar
            if needs_first:
                first.addmm_(slopes, others)
            if needs_second:
                second.append(slopes.T @ scaled)
        ctx.save_for_backward(z, z2, targets, targets2)
        ctx.factor = factor
        ctx.first = first.mul_(factor * scale) if needs_first else None
        ctx.second = torch.cat(second).mul_(scale) if needs_second else None
        return loss * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        if torch.is_grad_enabled():  # for a second derivative
            z, z2, targets, targets2 = ctx.saved_tensors
            slopes = (ctx.factor * z @ z2.T).sigmoid() - _similarity(targets, targets2, z.dtype)
            slopes = slopes * (ctx.factor / max(slopes.numel(), 1) * gradient)
            return slopes @ z2, slopes.T @ z, None, None, None
        first, second = (None if known is None else known * gradient for known in (ctx.first, ctx.second))
        return first, second, None, None, None


def _similarity(targets: Tensor, others: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `share_label` as numbers."""
    if targets.ndim == 1 and not targets.is_floating_point():
        # Much faster than a comparison whose result is a bool.
        similar = torch.empty(len(targets), len(others), dtype=dtype, device=targets.device)
        return torch.eq(targets.int()[:, None], others.int(), out=similar)
    return share_label(targets, others).to(dtype)
