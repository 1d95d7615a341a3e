"""Quantization losses: the difference between continuous codes and their signs."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from skhash.nn import sign


def cosine_quantization_loss(z: Tensor) -> Tensor:
    r"""Compute one minus the cosine of continuous codes and their signs, a mean over the batch.

    .. math:: \frac{1}{N} \sum_i (1 - \cos(z_i, \operatorname{sgn} z_i))

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes. No gradient passes through the sign.

    Returns
    -------
    loss : Tensor
        Scalar in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import cosine_quantization_loss
    >>> cosine_quantization_loss(torch.tensor([[2.0, -2.0]])).abs() < 1e-6
    tensor(True)
    """
    return (1 - F.cosine_similarity(z, sign(z))).mean()
