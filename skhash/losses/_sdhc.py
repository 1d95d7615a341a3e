"""SDH-C: classification, with regularizers of quantization error, variance of the bits and independent projections.

Liong, Lu, Wang, Moulin, Zhou, "Deep hashing for compact binary codes learning", CVPR 2015, in the form that OrthoHash
compares with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from skhash.losses._classification import soft_cross_entropy
from skhash.nn import sign
from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Callable


def sdhc_loss(
    z: Tensor,
    targets: Tensor,
    classifier: Callable[[Tensor], Tensor],
    projection: Tensor | None = None,
    *,
    quantization_weight: float = 0.001,
    variance_weight: float = 0.001,
    projection_weight: float = 0.001,
    variance: Literal["mean", "sum"] = "mean",
) -> Tensor:
    r"""Compute the SDH-C loss.

    .. math::
        \operatorname{CE}(\text{classifier}(u), y) + \lambda_0 \operatorname{mean} (u - \operatorname{sgn} u)^2
        - \lambda_1 \frac{\operatorname{tr}(u^\top u)}{2 N K} + \lambda_2 \operatorname{mean} (W W^\top - I)^2,
        \qquad u = \tanh v

    with N continuous codes v of K bits. The labels of a sample share its weight, see `soft_cross_entropy`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, before the tanh.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    classifier : callable
        From u (n, bits) to logits (n, n_classes).
    projection : Tensor of shape (bits, n_features), default=None
        Weights W of the hash layer; None omits the last term.
    quantization_weight : float, default=0.001
        The :math:`\lambda_0` above.
    variance_weight : float, default=0.001
        The :math:`\lambda_1` above.
    projection_weight : float, default=0.001
        The :math:`\lambda_2` above.
    variance : {"mean", "sum"}, default="mean"
        "sum" does not divide the trace by N, as in OrthoHash's framework.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] V. E. Liong, J. Lu, G. Wang, P. Moulin, J. Zhou. "Deep hashing for compact binary codes learning".
       CVPR 2015.
    .. [2] J. T. Hoe et al. "One loss for all". NeurIPS 2021, appendix D.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import sdhc_loss
    >>> z, targets = torch.tensor([[2.0, -2.0], [-2.0, 2.0]]), torch.tensor([0, 1])
    >>> loss = sdhc_loss(z, targets, lambda u: 5 * u, projection=torch.eye(2, 3))
    >>> bool(loss < 0.01)
    True
    """
    check_option("variance", variance, ("mean", "sum"))
    u = torch.tanh(z)
    spread = 0.5 * u.square().sum() / u.shape[1]
    loss = soft_cross_entropy(classifier(u), targets)
    loss = loss + quantization_weight * (u - sign(u)).square().mean()
    loss = loss - variance_weight * (spread if variance == "sum" else spread / len(u))
    if projection is None:
        return loss
    identity = torch.eye(len(projection), dtype=projection.dtype, device=projection.device)
    return loss + projection_weight * (projection @ projection.T - identity).square().mean()


class SDHCLoss(nn.Module):
    """`sdhc_loss` with its linear classifier.

    Parameters
    ----------
    bits : int
        Code length.
    n_classes : int
        Number of classes.
    **options
        Keyword arguments of `sdhc_loss`.

    Attributes
    ----------
    classifier : nn.Linear
        From the tanh of continuous codes to logits. `skhash.nn.build` draws its weights from a generator.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SDHCLoss
    >>> from skhash.nn import HashHead, build
    >>> generator = torch.Generator().manual_seed(0)
    >>> loss = build(SDHCLoss, bits=16, n_classes=4, generator=generator)
    >>> head = build(HashHead, in_features=8, bits=16, generator=generator)
    >>> bool(loss(head(torch.ones(2, 8)), torch.tensor([0, 3]), projection=head.linear.weight) > 0)
    True
    """

    classifier: nn.Linear
    options: dict[str, Any]

    def __init__(self, bits: int, n_classes: int, **options: Any) -> None:
        super().__init__()
        self.classifier = nn.Linear(bits, n_classes)
        self.options = options

    def forward(self, z: Tensor, targets: Tensor, *, projection: Tensor | None = None) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        z : Tensor of shape (n, bits)
            Continuous codes.
        targets : Tensor of shape (n,) or (n, n_classes)
            Class indices or multi-hot labels.
        projection : Tensor of shape (bits, n_features), default=None
            Weights of the hash layer, which the last term keeps orthonormal.

        Returns
        -------
        loss : Tensor
            Scalar.
        """
        return sdhc_loss(z, targets, self.classifier, projection, **self.options)

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the logits (n, n_classes) of continuous codes `z` (n, bits)."""
        return self.classifier(torch.tanh(z))
