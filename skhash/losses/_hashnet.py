"""HashNet: pair likelihood on tanh codes that become sharper during training until they are signs.

Cao, Long, Wang, Yu, "HashNet: deep learning to hash by continuation", ICCV 2017.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from skhash.losses._pairing import Pairing
from skhash.losses._pairs import pair_likelihood_loss, relative_scale, share_label

if TYPE_CHECKING:
    from skhash.losses._pairing import RowsLike


def hashnet_loss(
    z: Tensor,
    targets: Tensor,
    z2: Tensor | None = None,
    targets2: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    beta: float = 1.0,
    alpha: float | Literal["10/bits", "5/bits"] = "10/bits",
    class_weight: Literal["balanced"] | float | None = "balanced",
) -> Tensor:
    r"""Compute the HashNet loss.

    .. math::
        \operatorname{wmean}_{ij} \; \log(1 + e^{d_{ij}}) - s_{ij} d_{ij}, \qquad
        d_{ij} = \alpha \tanh(\beta v_i) \cdot \tanh(\beta v_j)

    with continuous codes v, and s = 1 for pairs that share a label.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes, before the tanh.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    z2 : Tensor of shape (m, bits), default=None
        Codes to compare `z` with; None compares `z` with itself, including pairs of a sample with itself.
    targets2 : Tensor of shape (m,) or (m, n_classes), default=None
        Labels of `z2`.
    mask : Tensor of bool of shape (m,), default=None
        Which rows of `z2` count.
    beta : float, default=1.0
        Sharpness of the tanh, see `hashnet_beta`.
    alpha : float or {"10/bits", "5/bits"}, default="10/bits"
        Scale of the inner product. The authors' code has 10 / bits, DeepHash-pytorch 0.1, OrthoHash's baselines 1.
    class_weight : {"balanced"}, float or None, default="balanced"
        See `pair_mean`. The authors' code has a number per data set, DeepHash-pytorch and OrthoHash's baselines
        "balanced".

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] Z. Cao, M. Long, J. Wang, P. S. Yu. "HashNet: deep learning to hash by continuation". ICCV 2017.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import hashnet_loss
    >>> hashnet_loss(torch.zeros(3, 16), torch.tensor([0, 0, 1]))
    tensor(1.3863)
    """
    alpha = relative_scale(alpha, z.shape[1], ("5/bits", "10/bits"), argument="alpha")
    codes = torch.tanh(beta * z)
    codes2 = codes if z2 is None else torch.tanh(beta * z2)
    similar = share_label(targets, targets2)
    return pair_likelihood_loss(alpha * codes @ codes2.T, similar, class_weight=class_weight, mask=mask)


def add_pairs(loss: Tensor, z: Tensor, targets: Tensor, weight: float) -> Tensor:
    """Add to a loss of centers the likelihood of pairs, if targets are multi-hot: centers of label sets share bits."""
    if weight == 0 or targets.ndim == 1:
        return loss
    return loss + weight * hashnet_loss(z, targets, alpha="5/bits")


def hashnet_beta(step: int, every: int = 20) -> float:
    r"""Compute the sharpness of the tanh, :math:`\sqrt{1 + \lfloor step / every \rfloor}`.

    Parameters
    ----------
    step : int
        Number of epochs (DeepHash-pytorch, OrthoHash's baselines) or batches (the authors' code) so far.
    every : int, default=20
        Number of steps with the same sharpness: 20 epochs in the ports, 200 batches in the authors' code.

    Returns
    -------
    beta : float
        At least 1.

    Examples
    --------
    >>> from skhash.losses import hashnet_beta
    >>> [hashnet_beta(epoch) for epoch in (0, 19, 60)]
    [1.0, 1.0, 2.0]
    """
    return math.sqrt(1 + step // every)


class HashNetLoss(nn.Module):
    """`hashnet_loss` with its continuation and a choice of pairs.

    Parameters
    ----------
    pairs : {"batch", "halves", "memory"}, default="batch"
        See `Pairing`. The authors' code compares halves; DeepHash-pytorch used "memory" until September 2022, and
        "batch" since.
    beta_every : int, default=20
        Number of epochs with the same sharpness, see `hashnet_beta`.
    **options
        Keyword arguments of `hashnet_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import HashNetLoss
    >>> loss = HashNetLoss(pairs="memory", alpha=0.1)
    >>> z, targets = torch.tensor([[0.5, -2.0], [1.0, 1.0]]), torch.tensor([0, 1])
    >>> bool(loss(z, targets, epoch=20, rows=[1, 0]) > 0)
    True
    """

    pairing: Pairing
    beta_every: int
    options: dict[str, Any]

    def __init__(
        self, pairs: Literal["batch", "halves", "memory"] = "batch", *, beta_every: int = 20, **options: Any
    ) -> None:
        super().__init__()
        self.pairing = Pairing(pairs)
        self.beta_every = beta_every
        self.options = options

    def forward(self, z: Tensor, targets: Tensor, *, epoch: int = 0, rows: RowsLike | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        epoch : int, default=0
            Number of finished epochs, which determines the sharpness.
        rows : Tensor or ndarray of int of shape (n,), default=None
            Positions of the samples in the training set; needed for pairs="memory".

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        beta = hashnet_beta(epoch, self.beta_every)
        return hashnet_loss(*self.pairing(z, targets, rows), beta=beta, **self.options)
