"""Codes that keep the neighborhoods of features, as a term beside a loss of labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.losses._similarity import check_same_rows


def neighborhood_loss(z: Tensor, reference: Tensor) -> Tensor:
    r"""Compute the mean squared difference of code and feature cosines over all pairs of different samples.

    .. math::
        \frac{1}{n(n-1)} \sum_{i \ne j} \big( \cos(\tanh v_i, \tanh v_j) - \cos(x_i - \bar x, x_j - \bar x) \big)^2

    with continuous codes v, features x and the mean feature of the batch. It needs no labels, so it says of samples
    where they are beyond what their labels say.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v.
    reference : Tensor of shape (n, d)
        Features x of the same samples. They get no gradient.

    Returns
    -------
    loss : Tensor
        Scalar in [0, 4]; 0 for a single sample.

    Raises
    ------
    ValueError
        If the numbers of rows differ.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import neighborhood_loss
    >>> features = torch.tensor([[5.0], [3.0]])
    >>> near, far = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    >>> round(neighborhood_loss(near, features).item(), 3), round(neighborhood_loss(far, features).item(), 3)
    (4.0, 0.0)
    """
    check_same_rows(z, reference)
    reference = reference.detach().to(z.dtype)
    features = F.normalize(reference - reference.mean(dim=0))
    codes = F.normalize(torch.tanh(z))
    gaps = (codes @ codes.T - features @ features.T).square()
    n = len(z)
    return (gaps.sum() - gaps.diagonal().sum()) / max(n * (n - 1), 1)
