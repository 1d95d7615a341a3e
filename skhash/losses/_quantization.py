"""What is lost between a continuous code and its signs."""

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.nn import sign


def cosine_quantization_loss(z: Tensor) -> Tensor:
    r"""Measure the angle between continuous codes and their signs.

    .. math:: \frac{1}{N} \sum_i (1 - \cos(z_i, \operatorname{sgn} z_i))

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes. The sign passes no gradient.

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
    with torch.no_grad():
        codes = sign(z)
    return (1 - F.cosine_similarity(z, codes)).mean()
