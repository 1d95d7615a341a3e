"""CSQ: pull each code to the fixed center of its class, bit by bit.

Yuan, Wang, Zhang, Tay, Jie, Liu, Feng, "Central similarity quantization for efficient image and video retrieval",
CVPR 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._center_targets import center_targets
from skhash.losses._hashnet import add_pairs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def csq_loss(
    z: Tensor,
    targets: Tensor,
    centers: Tensor,
    *,
    ties: Tensor | None = None,
    quantization_weight: float = 1e-4,
    likelihood_weight: float = 0.0,
) -> Tensor:
    r"""Compute the CSQ loss.

    .. math::
        \operatorname{mean}_{ik} \operatorname{BCE}\big(\tfrac{h_{ik} + 1}{2}, \tfrac{c'_{ik} + 1}{2}\big)
        + \lambda \operatorname{mean}_{ik} (|h_{ik}| - 1)^2, \qquad h = \tanh v

    with continuous codes v and target codes c'.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, before the tanh.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    centers : Tensor of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    ties : Tensor of shape (bits,), default=None
        See `center_targets`, which computes c' for several labels.
    quantization_weight : float, default=1e-4
        The :math:`\lambda` above: 1e-4 in DeepHash-pytorch, 1e-3 in OrthoHash's baselines, 0.05 in the authors' code
        (1e-3 or 1e-4 for AlexNet).
    likelihood_weight : float, default=0.0
        Weight of the likelihood of pairs, `hashnet_loss` with alpha="5/bits", which is added for multi-hot targets.

    Returns
    -------
    loss : Tensor
        Scalar.

    Notes
    -----
    The second term is that of the authors' code; the paper has the logarithm of a hyperbolic cosine instead of the
    square.

    References
    ----------
    .. [1] L. Yuan et al. "Central similarity quantization for efficient image and video retrieval". CVPR 2020.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import csq_loss
    >>> centers = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> csq_loss(torch.zeros(2, 2), torch.tensor([0, 1]), centers, quantization_weight=0.0)
    tensor(0.6931)
    """
    codes = center_targets(targets, centers.to(z.dtype), ties)
    # (tanh v + 1) / 2 is the logistic function of 2 v. With logits, its logarithm cannot round to log 0.
    central = F.binary_cross_entropy_with_logits(2 * z, (codes + 1) / 2)
    loss = central + quantization_weight * (z.tanh().abs() - 1).square().mean()
    return add_pairs(loss, z, targets, likelihood_weight)


class CSQLoss(nn.Module):
    """`csq_loss` as a module whose centers are part of `to(device)` and `state_dict`.

    Parameters
    ----------
    centers : array-like of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    ties : array-like of shape (bits,), default=None
        See `center_targets`.
    quantization_weight : float, default=1e-4
        See `csq_loss`.
    likelihood_weight : float, default=0.0
        See `csq_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.centers import make_hash_centers
    >>> from skhash.losses import CSQLoss
    >>> loss = CSQLoss(make_hash_centers(4, 16, method="hadamard"))
    >>> loss(torch.zeros(2, 16), torch.tensor([0, 3]))
    tensor(0.6932)
    """

    centers: Tensor
    ties: Tensor
    quantization_weight: float
    likelihood_weight: float = 0.0  # of the class, for models saved before it was a parameter

    def __init__(
        self,
        centers: ArrayLike,
        ties: ArrayLike | None = None,
        *,
        quantization_weight: float = 1e-4,
        likelihood_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        ties = torch.ones(self.centers.shape[1]) if ties is None else torch.as_tensor(ties, dtype=torch.float32)
        self.register_buffer("ties", ties)
        self.quantization_weight = quantization_weight
        self.likelihood_weight = likelihood_weight

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return csq_loss(
            z,
            targets,
            self.centers,
            ties=self.ties,
            quantization_weight=self.quantization_weight,
            likelihood_weight=self.likelihood_weight,
        )
