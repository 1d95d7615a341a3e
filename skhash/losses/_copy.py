"""Loss of copy detection: views of one image get the same code, all others are apart, and bits carry much information.

Pizzi, Roy, Ravindra, Goyal, Douze, "A self-supervised descriptor for image copy detection", CVPR 2022 (SSCD). The
estimate of the entropy is that of Sablayrolles, Douze, Schmid, Jegou, "Spreading vectors for similarity search",
ICLR 2019 (KoLeo).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._ntxent import nt_xent_loss
from skhash.nn import sign_ste

_SMALLEST = 1e-8  # distance of equal codes, whose logarithm must be finite


def koleo_loss(z: Tensor) -> Tensor:
    r"""Compute the negative differential entropy of codes, as Kozachenko and Leonenko estimate it.

    .. math::
        -\frac{1}{N} \sum_i \log \min_{j \ne i} \left\| \frac{z_i}{\|z_i\|} - \frac{z_j}{\|z_j\|} \right\|

    Minimizing it pushes every code away from its nearest neighbor, the more the nearer that is.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Codes of different samples, n >= 2.

    Returns
    -------
    loss : Tensor
        Scalar, at least -log 2.

    Raises
    ------
    ValueError
        If there are fewer than two codes.

    References
    ----------
    .. [1] A. Sablayrolles, M. Douze, C. Schmid, H. Jegou. "Spreading vectors for similarity search". ICLR 2019.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import koleo_loss
    >>> koleo_loss(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))  # -log of the square root of 2
    tensor(-0.3466)
    """
    if len(z) < 2:
        raise ValueError(f"koleo_loss needs at least 2 codes, got z of shape {tuple(z.shape)}.")
    v = F.normalize(z)
    similarity = (v @ v.T).detach().fill_diagonal_(-torch.inf)
    # The difference of two vectors is exact where they are near, the root of 2 - 2 cos is not.
    distance = (v - v[similarity.argmax(dim=1)]).square().sum(dim=1).add(_SMALLEST**2).sqrt()
    return -distance.log().mean()


def copy_loss(
    z: Tensor,
    others: Tensor,
    *,
    temperature: float = 0.1,
    binary_weight: float = 0.5,
    entropy_weight: float = 0.1,
) -> Tensor:
    r"""Compute the loss of two views of each image of a batch.

    .. math::
        (1 - \beta) \operatorname{NT-Xent}(v, v') + \beta \operatorname{NT-Xent}(b, b')
        + \frac{\lambda}{2} \big(\operatorname{KoLeo}(v) + \operatorname{KoLeo}(v')\big), \qquad
        b = \operatorname{sgn} v

    with the continuous codes v and v' of the views; see `nt_xent_loss` and `koleo_loss`. The gradient passes from b to
    v as through :math:`\tanh`. The estimate of the entropy is over images: the other view of the same image is no
    neighbor.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes of one view.
    others : Tensor of shape (n, bits)
        Continuous codes of another view of the same images, in the same order.
    temperature : float, default=0.1
        Temperature of both contrastive terms, positive.
    binary_weight : float, default=0.5
        The :math:`\beta` above, from 0 to 1: the share of the binary codes.
    entropy_weight : float, default=0.1
        The :math:`\lambda` above, at least 0.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] E. Pizzi, S. D. Roy, S. N. Ravindra, P. Goyal, M. Douze. "A self-supervised descriptor for image copy
       detection". CVPR 2022.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import copy_loss
    >>> z = torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    >>> bool(copy_loss(z, z) < copy_loss(z, z.flip(0)))
    True
    """
    loss = z.new_zeros(())
    if binary_weight < 1:
        loss = loss + (1 - binary_weight) * nt_xent_loss(z, others, temperature=temperature)
    if binary_weight > 0:
        codes, other_codes = sign_ste(torch.tanh(z)), sign_ste(torch.tanh(others))
        loss = loss + binary_weight * nt_xent_loss(codes, other_codes, temperature=temperature)
    # A batch of one image has no neighbors; the last batch of an epoch may be one.
    if entropy_weight > 0 and len(z) > 1:
        loss = loss + entropy_weight / 2 * (koleo_loss(z) + koleo_loss(others))
    return loss


class CopyLoss(nn.Module):
    """`copy_loss` as a module.

    Parameters
    ----------
    **options
        Keyword arguments of `copy_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import CopyLoss
    >>> z = torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    >>> CopyLoss(entropy_weight=0.0)(z, z)
    tensor(0.)
    """

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, z: Tensor, others: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes of one view.
        others : Tensor of shape (n, bits)
            Continuous codes of the other view.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        return copy_loss(z, others, **self.options)
