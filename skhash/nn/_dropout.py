"""Dropout from a given generator; torch's own draws from its global state only."""

from __future__ import annotations

import torch
from torch import Tensor


def dropout(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Drop a random share of the values of a tensor, and scale up the rest so that the expectation stays the same.

    Parameters
    ----------
    x : Tensor
        Values, of any shape.
    share : float
        Probability of a value to become 0, in [0, 1), rounded to the nearest 256th: the draws are bytes.
    generator : torch.Generator or None
        Draws the values to drop, on the CPU; None leaves all values as they are.

    Returns
    -------
    x : Tensor
        Values of the same shape, or `x` itself if nothing is dropped.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import dropout
    >>> dropout(torch.ones(100), 0.5, torch.Generator().manual_seed(0)).unique()
    tensor([0., 2.])
    """
    limit = min(round(256 * share), 255)
    if limit == 0 or generator is None:
        return x
    # Each 64-bit draw gives the bytes of eight values: an eighth of the draws.
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= limit
    return x * kept.to(x.device, x.dtype).mul_(256 / (256 - limit))
