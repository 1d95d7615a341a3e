"""DPN: a hinge loss on each bit, which is 0 once the continuous code is beyond a margin on its center's side.

Fan, Ng, Ju, Zhang, Chan, "Deep polarized network for supervised learning of accurate binary hashing codes",
IJCAI 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._center_targets import center_targets
from skhash.losses._hashnet import add_pairs
from skhash.utils import check_option

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def dpn_loss(
    z: Tensor,
    targets: Tensor,
    centers: Tensor,
    *,
    margin: float = 1.0,
    reduction: Literal["sum", "mean"] = "sum",
    multilabel: Literal["sum", "merge"] = "sum",
    ties: Tensor | None = None,
    norm_weight: float = 0.0,
    likelihood_weight: float = 0.0,
) -> Tensor:
    r"""Compute the DPN loss.

    .. math:: \operatorname{mean}_i \sum_k \max(0, m - v_{ik} c_{ik}) + \lambda \operatorname{mean}_{ik} v_{ik}^2

    with continuous codes v and the center c of the sample's class.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    centers : Tensor of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    margin : float, default=1.0
        The m above.
    reduction : {"sum", "mean"}, default="sum"
        Reduction over bits: "sum" as above and in the authors' code, "mean" in DeepHash-pytorch.
    multilabel : {"sum", "merge"}, default="sum"
        For several labels: the sum of the hinges to each class's center, as in the authors' code, or the hinge to the
        bitwise majority of the centers, as in DeepHash-pytorch.
    ties : Tensor of shape (bits,), default=None
        See `center_targets`; only used with "merge".
    norm_weight : float, default=0.0
        The :math:`\lambda` above, 0.1 in OrthoHash's framework.
    likelihood_weight : float, default=0.0
        Weight of the likelihood of pairs, `hashnet_loss` with alpha="5/bits", which is added for multi-hot targets;
        multiplied by the number of bits if the reduction is "sum".

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] L. Fan, K. W. Ng, C. Ju, T. Zhang, C. S. Chan. "Deep polarized network for supervised learning of accurate
       binary hashing codes". IJCAI 2020.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dpn_loss
    >>> dpn_loss(torch.tensor([[2.0, 0.5]]), torch.tensor([0]), torch.tensor([[1.0, -1.0]]))
    tensor(1.5000)
    """
    check_option("reduction", reduction, ("sum", "mean"))
    check_option("multilabel", multilabel, ("sum", "merge"))
    centers = centers.to(z.dtype)
    if targets.ndim == 1 or multilabel == "merge":
        hinges = F.relu(margin - z * center_targets(targets, centers, ties))
    else:
        each = F.relu(margin - z[:, None] * centers)  # (n, n_classes, bits)
        hinges = (targets[..., None].to(z.dtype) * each).sum(dim=1)
    rows = hinges.sum(dim=1) if reduction == "sum" else hinges.mean(dim=1)
    loss = rows.mean() + norm_weight * z.square().mean()
    return add_pairs(loss, z, targets, likelihood_weight * (z.shape[1] if reduction == "sum" else 1))


class DPNLoss(nn.Module):
    """`dpn_loss` as a module whose centers are part of `to(device)` and `state_dict`.

    Parameters
    ----------
    centers : array-like of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    ties : array-like of shape (bits,), default=None
        See `center_targets`.
    **options
        Keyword arguments of `dpn_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.centers import make_hash_centers
    >>> from skhash.losses import DPNLoss
    >>> loss = DPNLoss(make_hash_centers(4, 16, random_state=0), reduction="mean")
    >>> loss(torch.zeros(2, 16), torch.tensor([0, 3]))
    tensor(1.)
    """

    centers: Tensor
    ties: Tensor
    options: dict[str, Any]

    def __init__(self, centers: ArrayLike, ties: ArrayLike | None = None, **options: Any) -> None:
        super().__init__()
        self.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        ties = torch.ones(self.centers.shape[1]) if ties is None else torch.as_tensor(ties, dtype=torch.float32)
        self.register_buffer("ties", ties)
        self.options = options

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return dpn_loss(z, targets, self.centers, ties=self.ties, **self.options)
