"""Dropout from a generator of our own: torch's draws from its global state only."""

import torch


def dropout(x, share, generator):
    """Drop a random share of the values of a tensor, and scale up the rest so that the expectation stays.

    Parameters
    ----------
    x : Tensor
        Values, of any shape.
    share : float
        Probability of a value to become 0, in [0, 1), to the nearest 256th: the draws are bytes.
    generator : torch.Generator or None
        Draws, on the CPU; None leaves the values as they are.

    Returns
    -------
    x : Tensor
        The values that are left.

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
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= limit
    return x * kept.to(x.device, x.dtype).mul_(256 / (256 - limit))
