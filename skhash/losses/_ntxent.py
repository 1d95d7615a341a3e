"""NT-Xent, the contrastive loss of SimCLR: among all views in a batch, recognize the other view of the same sample.

Views are random augmentations of a sample.

Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual representations", ICML 2020.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent_loss(z: Tensor, other: Tensor, *, temperature: float = 0.3) -> Tensor:
    r"""Compute the normalized, temperature-scaled cross entropy of two views of a batch.

    .. math::
        -\frac{1}{2N} \sum_{i=1}^{2N} \log \frac{e^{\cos(z_i, z_{i'}) / \tau}}
        {\sum_{j \ne i} e^{\cos(z_i, z_j) / \tau}}

    where i runs over the 2N views of N samples and i' is the other view of the same sample, which the denominator
    includes.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Codes of one view of each sample, continuous or -1 and +1.
    other : Tensor of shape (n, bits)
        Codes of another view of the same samples, in the same order.
    temperature : float, default=0.3
        The :math:`\tau` above, positive.

    Returns
    -------
    loss : Tensor
        Scalar, at least 0.

    Raises
    ------
    ValueError
        If the views have different shapes.

    References
    ----------
    .. [1] T. Chen, S. Kornblith, M. Norouzi, G. Hinton. "A simple framework for contrastive learning of visual
       representations". ICML 2020, equation 1.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import nt_xent_loss
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    >>> bool(nt_xent_loss(z, z) < nt_xent_loss(z, z.flip(0)))
    True
    """
    if z.shape != other.shape:
        raise ValueError(f"other must have the shape of z, got {tuple(other.shape)} and {tuple(z.shape)}.")
    n = len(z)
    views = F.normalize(torch.cat([z, other]))
    logits = views @ views.T / temperature
    # A logit of -inf takes the similarity of a view to itself out of the denominator.
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    partners = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(logits.masked_fill(itself, -torch.inf), partners)
