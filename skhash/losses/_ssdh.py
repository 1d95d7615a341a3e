"""SSDH: pairs of samples that are clearly similar or clearly dissimilar, by the histogram of their features' distances.

Yang, Deng, Liu, Liu, Tao, Gao, "Semantic structure-based unsupervised deep hashing", IJCAI 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIN_WIDTH = 0.01
_N_BINS = 200  # cosine distances are in [0, 2]; those of non-negative features are in [0, 1]
_BLOCK_DISTANCES = 2**20  # at once, so that the passes over them read from a cache
_KEPT_DISTANCES = 2**24  # between the two passes, 64 MB in float32; more are computed twice


def ssdh_thresholds(
    features: Tensor, *, alpha: float = 2.0, beta: float = 2.0, self_pairs: bool = False
) -> tuple[float, float]:
    r"""Compute the cosine distances below which two samples are similar, and above which they are dissimilar.

    Let m be the left edge of the fullest bin of width 0.01. The distances up to m and their mirror images
    :math:`2 m - d` are modeled by a normal distribution with mean m, and so are those above m. The thresholds are
    :math:`m - \alpha \sigma_l` and :math:`m + \beta \sigma_r`, with

    .. math::
        \sigma_l^2 = \operatorname{mean}_{d \le m} (d - m)^2, \qquad \sigma_r^2 = \operatorname{mean}_{d > m} (d - m)^2

    All pairs i < j count. They are processed in blocks, so that memory does not grow with the number of pairs, but time
    does.

    Parameters
    ----------
    features : Tensor of shape (n, n_features)
        Feature vectors; their norm does not matter. The distance from a vector of zeros is 1.
    alpha : float, default=2.0
        Number of standard deviations on the left.
    beta : float, default=2.0
        Number of standard deviations on the right.
    self_pairs : bool, default=False
        Whether the whole matrix of distances counts, with each pair twice and the zeros of the diagonal, as in the
        authors' code.

    Returns
    -------
    alike_below, unlike_above : float
        The thresholds. If all distances have the same value d, no pair is beyond them unless `beta` is less than 1:
        they are m and :math:`m + \beta (d - m)`, and m is at most d.

    Raises
    ------
    ValueError
        If there are fewer than 2 vectors.

    References
    ----------
    .. [1] E. Yang, C. Deng, T. Liu, W. Liu, D. Tao. "Semantic structure-based unsupervised deep hashing".
       IJCAI 2018.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import ssdh_thresholds
    >>> angles = torch.tensor([0.0, 0.1, 1.5, 1.6])
    >>> features = torch.stack([angles.cos(), angles.sin()], dim=1)
    >>> alike_below, unlike_above = ssdh_thresholds(features, alpha=0.5, beta=0.5)
    >>> alike_below < unlike_above
    True
    """
    if len(features) < 2:
        raise ValueError(f"features must have at least 2 rows, got {len(features)}.")
    # Each distance of a pair is 2 entries of the matrix, and the diagonal has one per sample.
    times, zeros = (2, len(features)) if self_pairs else (1, 0)
    counts = torch.zeros(_N_BINS, dtype=torch.int64)
    n_pairs = len(features) * (len(features) - 1) // 2
    kept: list[Tensor] = []
    for distances in _pair_distances(features):
        counts += torch.histc(distances, _N_BINS, min=0, max=_N_BINS * _BIN_WIDTH).to(counts)
        if n_pairs <= _KEPT_DISTANCES:
            kept.append(distances)
    counts *= times
    counts[0] += zeros
    mode = counts.argmax().item() * _BIN_WIDTH

    # The zeros of the diagonal are all on the left. Each half and its mirror image have mean m, so that the variance of
    # both together is the mean square of the distances from m.
    left_sum, n_left, right_sum = 0.0, 0, 0.0
    for distances in kept or _pair_distances(features):
        n_left += int(distances.le(mode).sum())
        shifted = distances.double().sub_(mode)  # double, as there may be billions of terms
        right = shifted.clamp(min=0)
        right_sum += float(torch.dot(right, right))
        left = shifted.clamp_(max=0)
        left_sum += float(torch.dot(left, left))
    left_deviation = ((times * left_sum + zeros * mode**2) / max(times * n_left + zeros, 1)) ** 0.5
    right_deviation = (right_sum / max(n_pairs - n_left, 1)) ** 0.5
    return mode - alpha * left_deviation, mode + beta * right_deviation


def _pair_distances(features: Tensor) -> Iterator[Tensor]:
    """Yield the cosine distances of all pairs i < j, in blocks."""
    features = F.normalize(features, dim=1)
    start = 0
    while start < len(features) - 1:
        others = features[start:]
        n_rows = max(_BLOCK_DISTANCES // len(others), 1)
        rows, later = others[:n_rows], others[n_rows:]
        i, j = torch.triu_indices(len(rows), len(rows), 1, device=features.device)
        for products in ((rows @ rows.T)[i, j], (rows @ later.T).flatten()):
            if len(products):
                yield products.neg_().add_(1).clamp_(0, 2)
        start += len(rows)


def ssdh_similarity(features: Tensor, alike_below: float | Tensor, unlike_above: float | Tensor) -> Tensor:
    """Return which pairs of samples are similar, and which dissimilar, by the cosine distance of their features.

    Parameters
    ----------
    features : Tensor of shape (n, n_features)
        Feature vectors.
    alike_below : float or Tensor
        Pairs below this distance are similar.
    unlike_above : float or Tensor
        Pairs above this distance are dissimilar.

    Returns
    -------
    similarity : Tensor of shape (n, n)
        +1 for similar pairs, -1 for dissimilar ones, 0 for the others.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import ssdh_similarity
    >>> ssdh_similarity(torch.tensor([[1.0, 0.0], [1.0, 0.9], [-1.0, 0.1]]), 0.1, 0.5)
    tensor([[ 1.,  0., -1.],
            [ 0.,  1., -1.],
            [-1., -1.,  1.]])
    """
    features = F.normalize(features, dim=1)
    distances = (1 - features @ features.T).clamp_(0, 2)
    return (distances < alike_below).to(features.dtype) - (distances > unlike_above).to(features.dtype)


def ssdh_loss(z: Tensor, similarity: Tensor) -> Tensor:
    r"""Compute the SSDH loss.

    .. math::
        \operatorname{mean}_{ij} \; |S_{ij}| \left( \frac{h_i \cdot h_j}{K} - S_{ij} \right)^2, \qquad h = \tanh v

    with continuous codes v of K bits. The mean is over all pairs, including those that do not count.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, before the tanh.
    similarity : Tensor of shape (n, n)
        The S above: +1 for similar pairs, -1 for dissimilar ones, 0 for those that do not count; see
        `ssdh_similarity`.

    Returns
    -------
    loss : Tensor
        Scalar.

    References
    ----------
    .. [1] E. Yang, C. Deng, T. Liu, W. Liu, D. Tao. "Semantic structure-based unsupervised deep hashing".
       IJCAI 2018.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import ssdh_loss
    >>> z = torch.tensor([[9.0, 9.0], [9.0, -9.0]])
    >>> ssdh_loss(z, torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    tensor(0.5000)
    """
    h = torch.tanh(z)
    return (similarity.abs() * (h @ h.T / h.shape[1] - similarity).square()).mean()


class SSDHLoss(nn.Module):
    """`ssdh_loss` of pairs chosen by two thresholds.

    Parameters
    ----------
    thresholds : tuple of (float, float), default=(0.0, 2.0)
        The result of `ssdh_thresholds`. With the default, no pair counts.

    Attributes
    ----------
    thresholds : Tensor of shape (2,)
        The thresholds as a buffer, which may be overwritten.

    Examples
    --------
    >>> import torch
    >>> from skhash.losses import SSDHLoss
    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> loss = SSDHLoss(thresholds=(0.3, 0.7))
    >>> pairs_together = torch.tensor([[9.0], [9.0], [-9.0], [-9.0]])
    >>> bool(loss(pairs_together, features) < loss(pairs_together[[0, 2, 1, 3]], features))
    True
    """

    thresholds: Tensor

    def __init__(self, thresholds: tuple[float, float] = (0.0, 2.0)) -> None:
        super().__init__()
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.float32))

    def forward(self, z: Tensor, reference: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) of samples with feature vectors `reference` (n, d)."""
        alike_below, unlike_above = self.thresholds
        return ssdh_loss(z, ssdh_similarity(reference, alike_below, unlike_above))
