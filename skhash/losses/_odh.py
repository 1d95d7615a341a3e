"""ODH: classification by the cosine to adaptive hash centers, and aggregation of the codes of a class.

He, Huang, Liu, Li, Wu, Liu, Chen, "One-bit deep hashing: towards resource-efficient hashing model with binary neural
network", ACM MM 2024.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.losses._classification import soft_cross_entropy
from skhash.losses._pairs import share_label
from skhash.utils import check_option


def hash_center_loss(
    z: Tensor,
    targets: Tensor,
    centers: Tensor,
    *,
    temperature: float = 0.2,
    similarity: Literal["cosine", "inner"] = "cosine",
    multilabel: Literal["normalized", "raw"] = "normalized",
) -> Tensor:
    r"""Compute the hash-center loss of ODH.

    .. math::
        -\frac{1}{N} \sum_i \sum_l q_{il} \log \frac{\exp(\varphi(h_i, c_l) / \tau)}
        {\sum_m \exp(\varphi(h_i, c_m) / \tau)}, \qquad h = \tanh v

    with continuous codes v, labels y and :math:`q_i = y_i / \sum_l y_{il}`. Centers that require a gradient get one.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, before the tanh.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    centers : Tensor of shape (n_classes, bits)
        Hash centers, entries -1 or +1.
    temperature : float, default=0.2
        The :math:`\tau` above.
    similarity : {"cosine", "inner"}, default="cosine"
        The :math:`\varphi` above: the cosine, as in the authors' code, or the inner product divided by the bits, as in
        their supplement. They agree for binary h.
    multilabel : {"normalized", "raw"}, default="normalized"
        "raw" sets q = y for multi-hot labels, as in the authors' code: the weight of a sample is its number of labels.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing". ACM MM 2024, section 4.2.1, equation 9, which the supplement repeats as
       equation 1.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import hash_center_loss
    >>> centers = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    >>> hash_center_loss(torch.zeros(1, 2), torch.tensor([2]), centers)
    tensor(1.0986)
    """
    check_option("similarity", similarity, ("cosine", "inner"))
    check_option("multilabel", multilabel, ("normalized", "raw"))
    codes, centers = torch.tanh(z), centers.to(z.dtype)
    if similarity == "cosine":
        logits = F.linear(F.normalize(codes), F.normalize(centers)) / temperature
    else:
        logits = F.linear(codes, centers) / (z.shape[1] * temperature)
    if targets.ndim == 2 and multilabel == "raw":
        return -(targets.to(z.dtype) * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
    return soft_cross_entropy(logits, targets)


def aggregation_loss(
    strong: Tensor,
    weak: Tensor,
    group_size: int = 2,
    *,
    factors: Tensor | float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Compute the aggregation loss of ODH's second stage.

    A group is images of the same class, each with two views (random augmentations). The codes :math:`h = \tanh v` of a
    group are pushed away from their mean by random factors, :math:`h'_j = \bar h + \lambda_j (h_j - \bar h)`, and then
    pulled together:

    .. math:: -\operatorname{mean}_{\text{groups}} \operatorname{mean}_{j < k} \cos(h'_j, h'_k)

    Parameters
    ----------
    strong : Tensor of shape (n, bits)
        Continuous codes v of strongly augmented images; every `group_size` consecutive rows are a group. Rows left
        over at the end are ignored.
    weak : Tensor of shape (n, bits)
        Continuous codes v of the same images, weakly augmented. They get no gradient.
    group_size : int, default=2
        Number of images in a group.
    factors : Tensor of shape (n_groups, 2 * group_size) or float, default=None
        The :math:`\lambda` above, those of strong codes first; None draws them from U(1, 2).
    generator : torch.Generator, default=None
        Source of the draws of factors; None draws from torch's global state.

    Returns
    -------
    loss : Tensor
        Scalar in [-1, 1]; 0 if there is no full group.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing". ACM MM 2024, framework figure and the authors' code.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import aggregation_loss
    >>> alike = torch.tensor([[1.0, -2.0], [1.0, -2.0]])
    >>> aggregation_loss(alike, alike, factors=1.5)
    tensor(-1.)
    """
    n_groups, bits = len(strong) // group_size, strong.shape[1]
    if n_groups == 0:
        return strong.sum() * 0  # 0 that still has a gradient
    views = [torch.tanh(v[: n_groups * group_size]).view(n_groups, group_size, bits) for v in (strong, weak.detach())]
    codes = torch.cat(views, dim=1)  # (n_groups, 2 * group_size, bits)
    if factors is None:
        factors = 1 + torch.rand(codes.shape[:2], generator=generator).to(codes)
    if isinstance(factors, Tensor):
        factors = factors[..., None]
    mean = codes.mean(dim=1, keepdim=True)
    pushed = F.normalize(mean + factors * (codes - mean), dim=2)
    j, k = torch.triu_indices(codes.shape[1], codes.shape[1], offset=1)
    return -(pushed[:, j] * pushed[:, k]).sum(dim=2).mean()


def class_aggregation_loss(
    z: Tensor,
    targets: Tensor,
    *,
    factors: Tensor | float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Compute the aggregation loss over all samples of a class in a batch, instead of over groups.

    As `aggregation_loss`, with the mean :math:`\bar h_i` of all samples that share a label with sample i:

    .. math::
        -\operatorname{mean}_i \operatorname{mean}_{j \ne i \text{ sharing a label}} \cos(h'_i, h'_j), \qquad
        h'_i = \bar h_i + \lambda_i (h_i - \bar h_i)

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, with :math:`h = \tanh v`.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    factors : Tensor of shape (n,) or float, default=None
        The :math:`\lambda` above; None draws them from U(1, 2).
    generator : torch.Generator, default=None
        Source of the draws of factors; None draws from torch's global state.

    Returns
    -------
    loss : Tensor
        Scalar in [-1, 1]; 0 if no two samples share a label.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import class_aggregation_loss
    >>> z = torch.tensor([[1.0, -2.0], [1.0, -2.0], [5.0, 5.0]])
    >>> class_aggregation_loss(z, torch.tensor([0, 0, 1]), factors=1.5)
    tensor(-1.)
    """
    codes, alike = torch.tanh(z), share_label(targets).to(z.dtype)
    alike.fill_diagonal_(1.0)  # a sample without labels shares none with itself, but its mean needs one code
    if factors is None:
        factors = 1 + torch.rand(len(z), generator=generator).to(codes)
    if isinstance(factors, Tensor):
        factors = factors[:, None]
    mean = alike @ codes / alike.sum(dim=1, keepdim=True)
    pushed = F.normalize(mean + factors * (codes - mean), dim=1)
    others = alike.clone().fill_diagonal_(0.0)
    partners = others.sum(dim=1)
    cosines = (others * (pushed @ pushed.T)).sum(dim=1) / partners.clamp(min=1)
    return -cosines.sum() / (partners > 0).sum().clamp(min=1)
