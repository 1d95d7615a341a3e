"""DTSH: the likelihood of triplets, in which an anchor is closer to a similar sample than to a dissimilar one.

Wang, Shi, Kitani, "Deep supervised hashing with triplet labels", ACCV 2016.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skhash.losses._likelihood import sum_of_rests
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
    triplets = _MeanTriplets.apply(scale * z @ z.T, targets, margin, self_positives)
    return triplets + quantization_weight * (z - sign(z)).square().mean()


class _MeanTriplets(torch.autograd.Function):
    """The mean of the triplets, with its gradient by the way: graphs of many small groups would be slow."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, margin: float, self_positives: bool) -> Tensor:
        order, groups, anchors = _find_groups(targets, self_positives)
        ordered, loss = logits[order][:, order], logits.new_zeros(())
        slopes = torch.zeros_like(ordered)
        for rows, positives, n_pairs in groups:
            triplets = _triplets(ordered, rows, positives, margin, self_positives)
            total = triplets.clamp(min=0).sum()
            total += sum_of_rests(triplets.sigmoid_())
            loss += total / n_pairs
            torch.sum(triplets, dim=1, out=slopes[rows])  # 0 for the positives
            slopes[rows, positives] = triplets.sum(dim=2).neg_()
            slopes[rows] /= n_pairs
        ctx.save_for_backward(logits, targets)
        ctx.slopes, ctx.anchors = torch.empty_like(slopes), max(anchors, 1)
        ctx.slopes[order[:, None], order] = slopes
        ctx.options = margin, self_positives
        return loss / ctx.anchors

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        if not torch.is_grad_enabled():
            return ctx.slopes * (gradient / ctx.anchors), None, None, None
        # For a second derivative.
        (logits, targets), (margin, self_positives) = ctx.saved_tensors, ctx.options
        order, groups, _ = _find_groups(targets, self_positives)
        ordered, places = logits[order][:, order], torch.arange(len(order), device=order.device)
        slopes = torch.zeros_like(ordered)
        for rows, positives, n_pairs in groups:
            triplets = _triplets(ordered, rows, positives, margin, self_positives).sigmoid() / n_pairs
            slopes = slopes.index_put((places[rows],), triplets.sum(dim=1))
            slopes = slopes.index_put((places[rows][:, None], places[positives]), -triplets.sum(dim=2))
        slopes = torch.zeros_like(slopes).index_put((order[:, None], order), slopes)
        return slopes * (gradient / ctx.anchors), None, None, None


def _find_groups(targets: Tensor, self_positives: bool) -> tuple[Tensor, list[tuple[slice, slice | Tensor, int]], int]:
    """Return an order of the samples, groups of anchors in this order, and the number of anchors.

    Anchors with the same positives, such as those of a class, are computed at once; not all of them, because all
    triplets of a batch would need memory for the cube of its size. A group has anchors, positives, and the number of
    pairs of a positive and a negative of each anchor.
    """
    similar = None if targets.ndim == 1 else share_label(targets)
    if similar is None:
        ordered, order = targets.sort(stable=True)
        counts = ordered.unique_consecutive(return_counts=True)[1]
    else:
        _, kinds, counts = torch.unique(similar, dim=0, return_inverse=True, return_counts=True)
        order = kinds.argsort(stable=True)
        similar = similar[order][:, order]
    groups, anchors, start = [], 0, 0
    for count in counts.tolist():
        stop = start + count
        positives, n_positives = slice(start, stop), count
        if similar is not None:
            positives = similar[start].nonzero()[:, 0]
            n_positives = len(positives)
        n_pairs = (n_positives - (not self_positives)) * (len(targets) - n_positives)
        if n_pairs > 0:
            anchors += count
            step = max(1, _MAX_TRIPLETS // (n_positives * len(targets)))
            groups += [(slice(i, min(i + step, stop)), positives, n_pairs) for i in range(start, stop, step)]
        start = stop
    return order, groups, anchors


def _triplets(logits: Tensor, rows: slice, positives: slice | Tensor, margin: float, self_positives: bool) -> Tensor:
    """Return the -T of triplets, of shape (anchors, positives, samples), minus infinity for those that do not count."""
    far = logits[rows].clone()
    near = far[:, positives] - margin
    far[:, positives] = -torch.inf
    if not self_positives:
        places = torch.arange(len(logits), device=logits.device)
        near = near.masked_fill(places[rows][:, None] == places[positives], torch.inf)
    return far[:, None, :] - near[:, :, None]


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
