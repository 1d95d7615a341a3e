"""DCH: a Cauchy instead of a logistic likelihood of pairs, which concentrates similar codes in a small Hamming radius.

Cao, Long, Liu, Wang, "Deep Cauchy hashing for Hamming space retrieval", CVPR 2018.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.losses._pairs import pair_mean, share_label
from skhash.utils import check_option

# Both keep the distance of equal codes above 0, because its logarithm is taken.
_COSINE_BOUND = 0.99
_EUCLIDEAN_OFFSET = 0.001


def dch_loss(
    z: Tensor,
    targets: Tensor,
    *,
    gamma: float = 20.0,
    quantization_weight: float = 0.1,
    distance: Literal["cosine", "euclidean"] = "cosine",
    class_weight: Literal["balanced", "similar"] | float | None = "balanced",
    self_pairs: bool = True,
    quantization: Literal["cauchy", "squared"] = "cauchy",
    activation: Literal["tanh"] | None = None,
) -> Tensor:
    r"""Compute the DCH loss.

    .. math::
        \operatorname{wmean}_{ij} \left( s_{ij} \log\frac{d_{ij}}{\gamma} + \log(1 + \frac{\gamma}{d_{ij}}) \right)
        + \lambda \operatorname{mean}_i \log(1 + \frac{d(|v_i|, 1)}{\gamma}), \qquad
        d(u, v) = \tfrac{K}{2} (1 - \cos(u, v))

    with continuous codes v of K bits, and s = 1 for pairs that share a label. The first term is the negative
    log-likelihood if a pair is similar with probability :math:`\gamma / (\gamma + d)`.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v.
    targets : Tensor of shape (n,) or (n, n_classes)
        Class indices or multi-hot labels.
    gamma : float, default=20.0
        Scale of the distance, in bits.
    quantization_weight : float, default=0.1
        The :math:`\lambda` above; 0 in the authors' code.
    distance : {"cosine", "euclidean"}, default="cosine"
        The d above, with cosines clamped to at most 0.99; or the squared Euclidean distance plus 0.001, the authors'
        default.
    class_weight : {"balanced", "similar"}, float or None, default="balanced"
        See `pair_mean`. "similar", as in the authors' code, weighs similar pairs :math:`|S| / |S_1|` and dissimilar
        ones 1.
    self_pairs : bool, default=True
        Whether the pairs of a sample with itself count. In the authors' code they count in the weights only.
    quantization : {"cauchy", "squared"}, default="cauchy"
        The second term above, or :math:`\operatorname{mean} (|v| - 1)^2`, as in the authors' code.
    activation : {"tanh"} or None, default=None
        Whether to apply tanh to the codes first, as in the authors' code.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] Y. Cao, M. Long, B. Liu, J. Wang. "Deep Cauchy hashing for Hamming space retrieval". CVPR 2018.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import dch_loss
    >>> near = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, -1], [-1, -1, 1, 1]])
    >>> bool(dch_loss(near, torch.tensor([0, 0, 1])) < dch_loss(near, torch.tensor([0, 1, 0])))
    True
    """
    check_option("distance", distance, ("cosine", "euclidean"))
    check_option("quantization", quantization, ("cauchy", "squared"))
    check_option("activation", activation, (None, "tanh"))
    z = z if activation is None else z.tanh()
    half = z.shape[1] / 2
    if distance == "cosine":
        far = half * (1 - (F.normalize(z) @ F.normalize(z).T).clamp(max=_COSINE_BOUND))
    else:
        norms = z.square().sum(dim=1)
        far = (norms[:, None] - 2 * z @ z.T + norms).clamp(min=0) + _EUCLIDEAN_OFFSET  # rounding can give less than 0
    similar = share_label(targets)
    values = torch.where(similar, (far / gamma).log(), 0.0) + (gamma / far).log1p()
    if class_weight == "similar":
        # The weights multiply the values but not the divisor of the mean, as in the authors' code.
        values = torch.where(similar, values * similar.numel() / similar.sum().clamp(min=1), values)
        class_weight = None
    mask = None if self_pairs else ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    loss = pair_mean(values, similar, class_weight=class_weight, mask=mask)
    if quantization == "cauchy":
        corner = half * (1 - F.cosine_similarity(z.abs(), torch.ones_like(z)))
        return loss + quantization_weight * (corner / gamma).log1p().mean()
    return loss + quantization_weight * (z.abs() - 1).square().mean()


class DCHLoss(nn.Module):
    """`dch_loss` as a module.

    Parameters
    ----------
    **options
        Keyword arguments of `dch_loss`.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import DCHLoss
    >>> official = DCHLoss(distance="euclidean", class_weight="similar", self_pairs=False, quantization_weight=0.0)
    >>> z = torch.tensor([[0.9, -0.8], [-0.9, 0.7]])
    >>> bool(official(z, torch.tensor([0, 1])) > 0)
    True
    """

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, z: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) for class indices or multi-hot `targets`."""
        return dch_loss(z, targets, **self.options)
