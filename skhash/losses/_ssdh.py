"""SSDH: pairs of samples that are surely alike or surely not, by the histogram of the distances of their features.

Yang, Deng, Liu, Liu, Tao, Gao, "Semantic structure-based unsupervised deep hashing", IJCAI 2018.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BIN_WIDTH = 0.01
_N_BINS = 200  # cosine distances reach from 0 to 2, those of features that are never negative to 1
_BLOCK_DISTANCES = 2**22  # in memory at once: 16 or 32 MB


def ssdh_thresholds(
    features: Tensor, *, alpha: float = 2.0, beta: float = 2.0, self_pairs: bool = False
) -> tuple[float, float]:
    r"""Find the cosine distances below which two samples are surely alike, and above which they surely are not.

    With the left edge m of the fullest of the bins of width 0.01, the distances up to m and their mirror images
    :math:`2 m - d` make a normal distribution with mean m, and so do those above m. The thresholds are
    :math:`m - \alpha \sigma_l` and :math:`m + \beta \sigma_r`, with

    .. math::
        \sigma_l^2 = \operatorname{mean}_{d \le m} (d - m)^2, \qquad \sigma_r^2 = \operatorname{mean}_{d > m} (d - m)^2

    All pairs i < j count. They are gone through block by block, so that memory does not grow with their number; time
    does.

    Parameters
    ----------
    features : Tensor of shape (n, n_features)
        Feature vectors; their length does not matter. The distance from a vector of zeros is 1.
    alpha : float, default=2.0
        Standard deviations on the left.
    beta : float, default=2.0
        Standard deviations on the right.
    self_pairs : bool, default=False
        Whether the whole matrix of distances counts, with each pair twice and the zeros of its diagonal, as in the
        authors' code.

    Returns
    -------
    alike_below, unlike_above : float
        The thresholds. They are equal if all distances are.

    Raises
    ------
    ValueError
        If there are less than 2 vectors.

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
        raise ValueError(f"features must be at least 2 vectors, got {len(features)}.")
    # Each distance of a pair is 2 entries of the matrix, and the diagonal has one per sample.
    times, zeros = (2, len(features)) if self_pairs else (1, 0)
    counts = torch.zeros(_N_BINS, dtype=torch.int64)
    for distances in _pair_distances(features):
        counts += torch.histc(distances, _N_BINS, min=0, max=_N_BINS * _BIN_WIDTH).to(counts)
    counts *= times
    counts[0] += zeros
    mode = counts.argmax().item() * _BIN_WIDTH

    left_sum, n_left, right_sum, n_right = zeros * mode**2, zeros, 0.0, 0
    for distances in _pair_distances(features):
        left = distances <= mode
        squares = (distances.double() - mode).square_()
        left_squares = squares[left]
        left_sum += times * left_squares.sum().item()
        n_left += times * len(left_squares)
        right_sum += times * squares[~left].sum().item()
        n_right += times * (len(squares) - len(left_squares))
    left_deviation = (left_sum / max(n_left, 1)) ** 0.5
    right_deviation = (right_sum / max(n_right, 1)) ** 0.5
    return mode - alpha * left_deviation, mode + beta * right_deviation


def _pair_distances(features: Tensor) -> Iterator[Tensor]:
    """Give the cosine distances of all pairs i < j, in blocks."""
    features = F.normalize(features, dim=1)
    start = 0
    while start < len(features) - 1:
        others = features[start:]
        rows = others[: max(_BLOCK_DISTANCES // len(others), 1)]
        above = torch.ones(len(rows), len(others), dtype=torch.bool, device=features.device).triu_(1)
        yield (1 - rows @ others.T)[above].clamp_(0, 2)
        start += len(rows)


def ssdh_similarity(features: Tensor, alike_below: float, unlike_above: float) -> Tensor:
    """Tell which pairs of samples are surely alike, and which surely not, by the cosine distance of their features.

    Parameters
    ----------
    features : Tensor of shape (n, n_features)
        Feature vectors.
    alike_below : float
        Pairs below this distance are alike.
    unlike_above : float
        Pairs above this distance are not.

    Returns
    -------
    similarity : Tensor of shape (n, n)
        +1, -1, or 0 where neither is sure.

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

    with continuous codes v of K bits. The mean is over all pairs, those that do not count included.

    Parameters
    ----------
    z : Tensor of shape (n, bits)
        Continuous codes v, before the tanh.
    similarity : Tensor of shape (n, n)
        The S above: +1 for pairs that are alike, -1 for those that are not, 0 for those that do not count; see
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
    """`ssdh_loss` of pairs that two thresholds choose.

    Parameters
    ----------
    thresholds : tuple of (float, float), default=(0.0, 2.0)
        What `ssdh_thresholds` gave. The default chooses no pair at all.

    Attributes
    ----------
    thresholds : Tensor of shape (2,)
        The same, as a buffer, which may be overwritten.

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

    def __init__(self, thresholds=(0.0, 2.0)):
        super().__init__()
        self.register_buffer("thresholds", torch.tensor(thresholds, dtype=torch.float32))

    def forward(self, z: Tensor, reference: Tensor) -> Tensor:
        """Compute the loss of continuous codes `z` (n, bits) of samples with feature vectors `reference` (n, d)."""
        return ssdh_loss(z, ssdh_similarity(reference, *self.thresholds))
