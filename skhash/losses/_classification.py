"""Classification losses for class indices and for multi-hot targets."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def to_multi_hot(targets: Tensor, n_classes: int) -> Tensor:
    """Encode targets as a 0/1 matrix.

    Parameters
    ----------
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices (int64), or a multi-hot matrix, which is returned as it is.
    n_classes : int
        Number of columns.

    Returns
    -------
    multi_hot : Tensor of shape (n, n_classes)
        Entries 0 or 1; int64 if `targets` are class indices.
    """
    return F.one_hot(targets, n_classes) if targets.ndim == 1 else targets


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Compute the softmax cross-entropy with normalized labels.

    .. math:: -\frac{1}{N} \sum_i \sum_l q_{il} \log \operatorname{softmax}_l(z_i), \quad q_i = y_i / \sum_l y_{il}

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        The z of the equation.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices (int64) or multi-hot y. A row without labels adds 0 to the sum.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import soft_cross_entropy
    >>> soft_cross_entropy(torch.zeros(2, 4), torch.tensor([[1, 1, 0, 0], [0, 0, 0, 1]]))
    tensor(1.3863)
    """
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets)
    targets = targets.to(logits.dtype)
    share = targets / targets.sum(dim=1, keepdim=True).clamp(min=1)
    return -(share * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def imbalanced_binary_cross_entropy(logits: Tensor, targets: Tensor, threshold: float = 0.7) -> Tensor:
    r"""Compute a weighted binary cross-entropy in which many easy negatives do not outweigh a few positives.

    The weight of an entry is 1 where the label is set, 1 where the prediction (:math:`\sigma(z) \ge` `threshold`) is
    wrong, and one over the number of classes elsewhere; the loss is the weighted mean.

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes)
        The z above.
    targets : Tensor of shape (n, n_classes)
        Multi-hot labels.
    threshold : float, default=0.7
        Smallest probability at which a label counts as predicted.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, the "sigmoid + imbalance" row of the multi-label ablation.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import imbalanced_binary_cross_entropy
    >>> imbalanced_binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[1, 0]]))
    tensor(0.6931)
    """
    targets = targets.to(logits.dtype)
    predicted = logits.detach().sigmoid() >= threshold
    matters = (targets > 0) | (predicted != (targets > 0))
    weight = matters.to(logits.dtype).clamp(min=1 / logits.shape[1])  # 1, or 1 / n_classes for easy negatives
    entries = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weight * entries).sum() / (weight.sum() + 1e-7)
