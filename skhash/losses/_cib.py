"""CIBHash: two views of a sample get similar codes, other samples different ones, and bit probabilities of views agree.

Views are random augmentations of a sample.

Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._ntxent import nt_xent_loss
from skhash.nn import sign_ste


def bernoulli_divergence(z: Tensor, others: Tensor) -> Tensor:
    r"""Compute the symmetric divergence of the bits of two views, whose probabilities are :math:`\sigma(z)`.

    .. math::
        \tfrac{1}{2} \operatorname{mean}_i \sum_k \big( \operatorname{KL}(p_{ik} \,\|\, \bar q_{ik})
        + \operatorname{KL}(q_{ik} \,\|\, \bar p_{ik}) \big), \qquad
        \operatorname{KL}(p \,\|\, q) = p \log \frac{p}{q} + (1 - p) \log \frac{1 - p}{1 - q}

    Terms with a bar get no gradient: each view is pulled toward the current state of the other.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes of one view.
    others : Tensor of shape (n, bits)
        Continuous codes of the other view of the same samples.

    Returns
    -------
    divergence : Tensor
        Scalar, not negative.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import bernoulli_divergence
    >>> bernoulli_divergence(torch.tensor([[0.0]]), torch.tensor([[0.0]]))
    tensor(0.)
    >>> bernoulli_divergence(torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    tensor(0.3808)
    """
    return 0.5 * (_divergence(z, others.detach()) + _divergence(others, z.detach()))


def _divergence(z: Tensor, others: Tensor) -> Tensor:
    # log p = logsigmoid(z) and log(1 - p) = logsigmoid(-z) stay finite where p itself rounds to 0 or 1, so that no
    # probability has to be clamped.
    p = torch.sigmoid(z)
    ones = p * (F.logsigmoid(z) - F.logsigmoid(others))
    zeros = (1 - p) * (F.logsigmoid(-z) - F.logsigmoid(-others))
    return (ones + zeros).sum(dim=1).mean()


def cib_loss(
    z: Tensor,
    others: Tensor,
    thresholds: Tensor | float = 0.5,
    *,
    kl_weight: float = 0.001,
    temperature: float = 0.3,
) -> Tensor:
    r"""Compute the CIBHash loss of two views.

    .. math::
        \operatorname{NT-Xent}(b, b') + \beta \, \tfrac{1}{2} \operatorname{mean}_i \big(
        \operatorname{KL}(p_i \,\|\, \bar p'_i) + \operatorname{KL}(p'_i \,\|\, \bar p_i) \big), \qquad
        b = \operatorname{sgn}(p - \epsilon), \quad p = \sigma(v)

    with the continuous codes v and v' of the views. The gradient passes the sign as if it were the identity, so it
    reaches v multiplied by :math:`p (1 - p)`; see `nt_xent_loss` and `bernoulli_divergence`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes of one view.
    others : Tensor of shape (n, bits)
        Continuous codes of the other view of the same samples.
    thresholds : Tensor of shape (2, n, bits) or float, default=0.5
        The :math:`\epsilon` above: drawn from U(0, 1) for each view in the paper, 0.5 in the authors' code.
    kl_weight : float, default=0.001
        The :math:`\beta` above.
    temperature : float, default=0.3
        Temperature of the contrastive term.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] Z. Qiu, Q. Su, Z. Ou, J. Yu, C. Chen. "Unsupervised hashing with contrastive information bottleneck".
       IJCAI 2021.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import cib_loss
    >>> z = torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    >>> cib_loss(z, z) < cib_loss(z, z.flip(0))
    tensor(True)
    """
    codes, other_codes = sign_ste(torch.sigmoid(torch.stack([z, others])) - thresholds)
    contrast = nt_xent_loss(codes, other_codes, temperature=temperature)
    return contrast + kl_weight * bernoulli_divergence(z, others)


class CIBLoss(nn.Module):
    """`cib_loss` as a module.

    Parameters
    ----------
    random : bool, default=False
        Whether codes are drawn at random, as in the paper, or are the most probable ones, as in the authors' code.
    **options
        Keyword arguments of `cib_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import CIBLoss
    >>> z = torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    >>> CIBLoss(kl_weight=0.0)(z, z)
    tensor(0.0025)
    """

    random: bool
    options: dict[str, Any]

    def __init__(self, *, random: bool = False, **options: Any) -> None:
        super().__init__()
        self.random = random
        self.options = options

    def forward(self, z: Tensor, others: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes of one view.
        others : Tensor of shape (n, bits)
            Continuous codes of the other view.
        generator : torch.Generator, default=None
            Source of the draws of codes; None draws from torch's global state.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        thresholds = torch.rand((2, *z.shape), generator=generator).to(z) if self.random else 0.5
        return cib_loss(z, others, thresholds, **self.options)
