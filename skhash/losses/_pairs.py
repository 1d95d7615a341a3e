"""The core of all pairwise losses: which pairs are similar, their likelihood, and its weighted mean over pairs."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def share_label(targets: Tensor, others: Tensor | None = None) -> Tensor:
    """Return which pairs of samples have a label in common.

    Parameters
    ----------
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    others : Tensor of shape (m,) or (m, n_classes), default=None
        Labels of the other samples, in the same form; None compares `targets` with themselves.

    Returns
    -------
    similar : Tensor of bool of shape (n, m)
        Whether the pair shares at least one label.

    Raises
    ------
    ValueError
        If one argument has class indices and the other multi-hot labels.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import share_label
    >>> share_label(torch.tensor([0, 1]), torch.tensor([1, 1, 0]))
    tensor([[False, False,  True],
            [ True,  True, False]])
    """
    others = targets if others is None else others
    check_same_form(targets, others)
    if targets.ndim == 1:
        return targets[:, None] == others
    return targets.float() @ others.float().T > 0


def check_same_form(targets: Tensor, others: Tensor) -> None:
    """Raise ValueError if one argument has class indices and the other multi-hot labels."""
    if targets.ndim != others.ndim:
        raise ValueError(
            f"others must be labels of the same form as targets, got {others.ndim} and {targets.ndim} dimensions "
            "(class indices have 1, multi-hot labels have 2)."
        )


def relative_scale(scale: float | str, bits: int, names: tuple[str, ...], *, argument: str = "scale") -> float:
    """Return the number that a scale of inner products stands for, such as "5/bits" for a code length.

    Parameters
    ----------
    scale : float or str
        A number, or one of the names.
    bits : int
        Code length.
    names : tuple of str
        Accepted names: a number, a slash, and "bits".
    argument : str, default="scale"
        Name of the argument, for the error.

    Returns
    -------
    number : float
        The number itself, or the number of the name divided by the code length.

    Raises
    ------
    ValueError
        If `scale` is another string.

    Examples
    --------
    >>> from skhash.losses._pairs import relative_scale
    >>> relative_scale("10/bits", 64, ("10/bits",))
    0.15625
    """
    if not isinstance(scale, str):
        return scale
    if scale not in names:
        raise ValueError(f"{argument} must be a number or one of {', '.join(map(repr, names))}, got {scale!r}.")
    return float(scale.removesuffix("/bits")) / bits


def pair_mean(
    values: Tensor,
    similar: Tensor,
    *,
    class_weight: Literal["balanced"] | float | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute a mean over pairs, optionally weighted because similar pairs are usually rarer than dissimilar ones.

    Parameters
    ----------
    values : Tensor of shape (n, m)
        One value per pair.
    similar : Tensor of bool of shape (n, m)
        See `share_label`.
    class_weight : {"balanced"}, float or None, default=None
        "balanced" weighs similar pairs :math:`|S| / |S_1|` and dissimilar ones :math:`|S| / |S_0|`: the result is the
        sum of the two classes' means, where an empty class adds 0. A number is the weight of similar pairs, dissimilar
        ones have weight 1, and the sum is divided by the sum of the weights. None is the plain mean.
    mask : Tensor of bool of shape (n, m) or (m,), default=None
        Which pairs, or which of the second samples, count; None means all.

    Returns
    -------
    mean : Tensor
        Scalar; 0 if there are no pairs.

    Raises
    ------
    ValueError
        If `class_weight` is a string other than "balanced".

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import pair_mean
    >>> values, similar = torch.tensor([[1.0, 2.0, 6.0]]), torch.tensor([[True, False, False]])
    >>> pair_mean(values, similar)
    tensor(3.)
    >>> pair_mean(values, similar, class_weight="balanced")
    tensor(5.)
    """
    counted = torch.ones_like(similar) if mask is None else mask.expand_as(similar)
    if class_weight == "balanced":
        return _mean_where(values, similar & counted) + _mean_where(values, ~similar & counted)
    if isinstance(class_weight, str):
        raise ValueError(f"class_weight must be 'balanced', a number or None, got {class_weight!r}.")
    weight = counted.to(values.dtype)
    if class_weight is not None:
        weight = torch.where(similar, class_weight * weight, weight)
    return (weight * values).sum() / weight.sum().clamp(min=torch.finfo(values.dtype).tiny)


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp(min=1)


def pair_likelihood_loss(
    logits: Tensor,
    similar: Tensor,
    *,
    class_weight: Literal["balanced"] | float | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute the negative log-likelihood of pair labels, the core of DPSH, DSDH, HashNet and DBDH.

    .. math:: \operatorname{mean}_{ij} \; \log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij}

    Parameters
    ----------
    logits : Tensor of shape (n, m)
        The :math:`\theta` above; :math:`\sigma(\theta_{ij})` is the probability that the pair is similar.
    similar : Tensor of bool of shape (n, m)
        The s above, see `share_label`.
    class_weight : {"balanced"}, float or None, default=None
        See `pair_mean`.
    mask : Tensor of bool of shape (n, m) or (m,), default=None
        See `pair_mean`.

    Returns
    -------
    loss : Tensor
        Scalar.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import pair_likelihood_loss
    >>> pair_likelihood_loss(torch.zeros(2, 2), torch.eye(2) > 0)
    tensor(0.6931)
    """
    if class_weight is None:
        return _MeanLikelihood.apply(logits, similar, mask)
    # softplus is log(1 + exp(x)) without the overflow of exp for confident pairs.
    return pair_mean(F.softplus(logits) - similar * logits, similar, class_weight=class_weight, mask=mask)


class _MeanLikelihood(torch.autograd.Function):
    """The plain mean, with its gradient by the way: with a memory of pairs, every further pass over them is dear."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, similar: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and mask.all():
            mask = None
        flip = similar.to(logits.dtype).mul_(-2).add_(1)
        flipped = logits * flip  # log(1 + exp(x)) - x is log(1 + exp(-x))
        values = F.softplus(flipped)
        slopes = flipped.sigmoid_().mul_(flip)
        n_pairs: int | Tensor = logits.numel()
        if mask is not None:
            values, slopes = values.mul_(mask), slopes.mul_(mask)
            n_pairs = mask.expand_as(logits).sum()
        n_pairs = max(n_pairs, 1) if isinstance(n_pairs, int) else n_pairs.clamp(min=1)
        ctx.save_for_backward(logits, similar, mask)
        ctx.slopes, ctx.n_pairs = slopes, n_pairs
        return values.sum() / n_pairs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        slopes = ctx.slopes
        if torch.is_grad_enabled():  # for a second derivative
            logits, similar, mask = ctx.saved_tensors
            slopes = logits.sigmoid() - similar.to(logits.dtype)
            slopes = slopes if mask is None else slopes * mask
        return slopes * (gradient / ctx.n_pairs), None, None
