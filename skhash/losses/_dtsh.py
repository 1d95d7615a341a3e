"""DTSH: the likelihood of triplets, in which an anchor is closer to a similar sample than to a dissimilar one.

Wang, Shi, Kitani, "Deep supervised hashing with triplet labels", ACCV 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._pairs import share_label
from skhash.nn import sign

_MAX_TRIPLETS = 2**22  # at once


def dtsh_loss(
    z: Tensor,
    targets: Tensor,
    *,
    margin: float | Literal["bits/2"] = 5.0,
    scale: float = 1.0,
    self_positives: bool = True,
    quantization_weight: float = 1.0,
) -> Tensor:
    r"""Compute the DTSH loss.

    .. math::
        \operatorname{mean}_q \operatorname{mean}_{p,n} \log(1 + e^{-T_{qpn}})
        + \lambda \operatorname{mean}_{ik} (u_{ik} - \operatorname{sgn} u_{ik})^2, \qquad
        T_{qpn} = \theta_{qp} - \theta_{qn} - \alpha, \quad \theta_{ij} = c \, u_i \cdot u_j

    over the anchors q for which the batch has samples p that share a label with q, and samples n that do not.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes, the u above.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    margin : float or {"bits/2"}, default=5.0
        The :math:`\alpha` above. "bits/2" in the paper, 5 in ports.
    scale : float, default=1.0
        The c above. 0.5 in the paper, 1 in ports.
    self_positives : bool, default=True
        Whether an anchor counts as a sample similar to itself, as in ports. In the paper it does not.
    quantization_weight : float, default=1.0
        The :math:`\lambda` above. The authors' value 100 belongs to a sum over 22,500 triplets per anchor and a sum
        over bits; here, where both are means, it corresponds to 0.0044 times the bits.

    Returns
    -------
    loss : Tensor
        Scalar. The first term is 0 if no anchor has both.

    References
    ----------
    .. [1] X. Wang, Y. Shi, K. M. Kitani. "Deep supervised hashing with triplet labels". ACCV 2016.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dtsh_loss
    >>> dtsh_loss(torch.zeros(3, 16), torch.tensor([0, 0, 1]), quantization_weight=0.0)
    tensor(5.0067)
    """
    if isinstance(margin, str):
        if margin != "bits/2":
            raise ValueError(f"margin must be a number or 'bits/2', got {margin!r}.")
        margin = z.shape[1] / 2
    logits = scale * z @ z.T
    similar = share_label(targets)
    anchors, losses = 0, []
    # Anchors with the same positives, such as those of a class, are computed at once; not all of them, because all
    # triplets of a batch would need memory for the cube of its size.
    for rows in _rows_of_groups(targets, similar):
        positives, negatives = similar[rows[0]].nonzero()[:, 0], (~similar[rows[0]]).nonzero()[:, 0]
        n_pairs = (len(positives) - (not self_positives)) * len(negatives)
        if n_pairs <= 0:
            continue
        anchors += len(rows)
        for part in rows.split(max(1, _MAX_TRIPLETS // (len(positives) * len(negatives)))):
            near, far = logits[part][:, positives], logits[part][:, negatives]
            triplets = F.softplus(margin + far[:, None, :] - near[:, :, None])
            if not self_positives:
                triplets = triplets * (part[:, None] != positives)[:, :, None]
            losses.append(triplets.sum() / n_pairs)
    triplets = torch.stack(losses).sum() / anchors if losses else logits.sum() * 0  # 0 that still has a gradient
    return triplets + quantization_weight * (z - sign(z)).square().mean()


def _rows_of_groups(targets: Tensor, similar: Tensor) -> Sequence[Tensor]:
    """Return the rows of the samples that share a label with the same samples: those of each class, or label set."""
    kinds = targets if targets.ndim == 1 else similar
    _, group, counts = torch.unique(kinds, dim=0, return_inverse=True, return_counts=True)
    return torch.argsort(group, stable=True).split(counts.tolist())


class DTSHLoss(nn.Module):
    """`dtsh_loss` as a module.

    Parameters
    ----------
    **options
        Keyword arguments of `dtsh_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import DTSHLoss
    >>> paper = DTSHLoss(margin="bits/2", scale=0.5, self_positives=False, quantization_weight=0.0088)
    >>> bool(paper(torch.tensor([[0.9, -0.8], [0.8, -0.7], [-0.9, 0.7]]), torch.tensor([0, 0, 1])) > 0)
    True
    """

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return dtsh_loss(z, targets, **self.options)
