"""OrthoHash: one cosine loss against fixed, nearly orthogonal binary centers.

Hoe, Ng, Zhang, Chan, Song, Xiang, "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._classification import imbalanced_binary_cross_entropy, soft_cross_entropy, to_multi_hot
from skhash.losses._hashnet import add_pairs
from skhash.utils import check_option

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


MULTILABEL_LOSSES: tuple[str, ...] = ("softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced")


def label_log_odds(targets: Tensor, weights: Tensor | None = None) -> Tensor:
    r"""Compute the logit that each label has in a data set, :math:`\log \frac{n_l + 1/2}{n - n_l + 1/2}`.

    A cosine to a center has no intercept. Where few samples have a label, a binary cross-entropy therefore pushes all
    codes away from all centers, until bits in which the centers are out of balance are constant. With this number
    added to each logit, a code that is perpendicular to a center already has the label as often as it should.

    Parameters
    ----------
    targets : Tensor of shape (n, n_classes)
        Multi-hot labels, of :math:`n_l` samples each.
    weights : Tensor of shape (n,), default=None
        Positive weights in proportion to which training draws the samples. Then :math:`n_l` is n times the share of the
        weights that a label has.

    Returns
    -------
    log_odds : Tensor of float32 of shape (n_classes,)
        Finite, also for labels that no sample or every sample has.

    Raises
    ------
    ValueError
        If `targets` are not multi-hot, or there is not one weight per sample.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import label_log_odds
    >>> label_log_odds(torch.tensor([[1, 0], [0, 0], [0, 1], [0, 1]]))
    tensor([-0.8473,  0.0000])
    """
    if targets.ndim != 2:
        raise ValueError(f"targets must be multi-hot, of shape (n, n_classes), got shape {tuple(targets.shape)}.")
    n = len(targets)
    if weights is None:
        positive = targets.sum(dim=0, dtype=torch.float64)
    elif weights.shape == (n,):
        weights = weights.to(torch.float64)
        positive = n * (weights / weights.sum()) @ targets.to(torch.float64)
    else:
        raise ValueError(f"weights must have shape ({n},), one for each sample, got {tuple(weights.shape)}.")
    return torch.log((positive + 0.5) / ((n - positive).clamp(min=0) + 0.5)).to(torch.float32)


def margin_logits(
    z: Tensor,
    targets: Tensor,
    centers: Tensor,
    *,
    margin: float = 0.2,
    scale: float,
    margin_type: Literal["cos", "arc"] = "cos",
) -> Tensor:
    r"""Compute scaled cosines to the centers, reduced for the true classes by a margin.

    .. math::
        \text{cos: } s\,(\cos\theta_{il} - m\,y_{il}) \qquad \text{arc: } s\cos(\theta_{il} + m\,y_{il})

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels y; the margin applies to every positive label.
    centers : Tensor of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    margin : float, default=0.2
        The m above.
    scale : float
        The s above.
    margin_type : {"cos", "arc"}, default="cos"
        Whether the margin is subtracted from the cosine (OrthoCos) or added to the angle (OrthoArc).

    Returns
    -------
    logits : Tensor of shape (n, n_classes)
        Input of a cross-entropy.
    """
    check_option("margin_type", margin_type, ("cos", "arc"))
    positive = to_multi_hot(targets, len(centers)).to(z.dtype)
    cosine = F.linear(F.normalize(z), F.normalize(centers.to(z.dtype)))
    if margin_type == "cos":
        return scale * (cosine - margin * positive)
    # The clamp keeps the derivative of arccos, which is infinite at -1 and 1, finite.
    angle = torch.acos(cosine.clamp(-0.99999, 0.99999))
    return scale * torch.cos(angle + margin * positive)


def ortho_loss(
    z: Tensor,
    targets: Tensor,
    centers: Tensor,
    *,
    margin: float = 0.2,
    scale: float | None = None,
    margin_type: Literal["cos", "arc"] = "cos",
    multilabel_loss: Literal["softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"] = "softmax",
    log_odds: Tensor | None = None,
    likelihood_weight: float = 0.0,
) -> Tensor:
    """Compute the OrthoHash loss.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    centers : Tensor of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    margin : float, default=0.2
        See `margin_logits`.
    scale : float, default=None
        See `margin_logits`; None means the square root of the bits.
    margin_type : {"cos", "arc"}, default="cos"
        OrthoCos or OrthoArc.
    multilabel_loss : {"softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"}, default="softmax"
        For multi-hot targets: softmax cross-entropy with normalized labels, or one of the alternatives that the paper
        compares it with ("sigmoid", "sigmoid_imbalanced"); or "sigmoid" with `log_odds` added to the logits. With class
        indices, it is always the softmax.
    log_odds : Tensor of shape (n_classes,), default=None
        See `label_log_odds`; needed for "sigmoid_prior" only.
    likelihood_weight : float, default=0.0
        Weight of the likelihood of pairs, `hashnet_loss` with alpha="5/bits", which is added for multi-hot targets.

    Returns
    -------
    loss : Tensor
        Scalar.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import ortho_loss
    >>> centers = torch.tensor([[1.0, -1, 1, -1], [1, 1, -1, -1]])
    >>> round(ortho_loss(3 * centers, torch.tensor([0, 1]), centers).item(), 4)
    0.1839
    """
    check_option("multilabel_loss", multilabel_loss, MULTILABEL_LOSSES)
    scale = math.sqrt(z.shape[1]) if scale is None else scale
    logits = margin_logits(z, targets, centers, margin=margin, scale=scale, margin_type=margin_type)
    if targets.ndim == 1:
        return soft_cross_entropy(logits, targets)
    if multilabel_loss == "softmax":
        loss = soft_cross_entropy(logits, targets)
    elif multilabel_loss == "sigmoid_imbalanced":
        loss = imbalanced_binary_cross_entropy(logits, targets)
    else:
        if multilabel_loss == "sigmoid_prior":
            if log_odds is None:
                raise ValueError("multilabel_loss='sigmoid_prior' needs log_odds, see label_log_odds, got None.")
            logits = logits + log_odds.to(logits.dtype)
        loss = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
    return add_pairs(loss, z, targets, likelihood_weight)


class OrthoLoss(nn.Module):
    """`ortho_loss` as a module whose centers are part of `to(device)` and `state_dict`.

    Parameters
    ----------
    centers : array-like of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    log_odds : array-like of shape (n_classes,), default=None
        See `ortho_loss`.
    **options
        Keyword arguments of `ortho_loss`.
    """

    centers: Tensor
    log_odds: Tensor | None
    options: dict[str, Any]

    def __init__(self, centers: ArrayLike, log_odds: ArrayLike | None = None, **options: Any) -> None:
        super().__init__()
        self.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        self.register_buffer("log_odds", None if log_odds is None else torch.as_tensor(log_odds, dtype=torch.float32))
        self.options = options

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        log_odds = getattr(self, "log_odds", None)  # models saved before it was there lack it
        return ortho_loss(z, targets, self.centers, log_odds=log_odds, **self.options)

    def class_scores(self, z: Tensor) -> Tensor:
        """Compute the cosines (n, n_classes) of continuous codes `z` (n, bits) to the centers."""
        return F.linear(F.normalize(z), F.normalize(self.centers.to(z.dtype)))
