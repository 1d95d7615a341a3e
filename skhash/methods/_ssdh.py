"""SSDH: learn from pairs that are clearly similar or clearly dissimilar by the distance of their features.

Yang, Deng, Liu, Liu, Tao, Gao, "Semantic structure-based unsupervised deep hashing", IJCAI 2018.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

import torch

from skhash.losses import SSDHLoss, ssdh_thresholds
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HashHead
from skhash.training import Recipe, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork
    from skhash.training import TrainingParameters

_BLOCK_ROWS = 256


class SSDHHasher(UnsupervisedHasher):
    r"""Semantic structure-based hashing: learn from the pairs that are clear from the features.

    Most pairs of samples are about equally far apart. Pairs that are much nearer count as similar, pairs that are much
    farther count as dissimilar, and a regression makes their codes equal or opposite. All other pairs are left out.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    alpha : float, default=2.0
        Number of standard deviations below the most frequent distance from which on a pair counts as similar.
    beta : float, default=2.0
        Number of standard deviations above it from which on a pair counts as dissimilar.
    histogram : {"pairs", "matrix"}, default="pairs"
        Distances that give the most frequent distance and the standard deviations: those of every pair once; or, as in
        the authors' code, the whole matrix of distances with the zeros of its diagonal.
    max_samples : int, default=10000
        Largest number of training samples whose distances to each other are computed; of more samples, that many are
        drawn. The time grows with the square of this number.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    thresholds_ : tuple of (float, float)
        Cosine distances of features: pairs below the first are similar, pairs above the second are dissimilar.
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    GreedyHasher : Without labels, keeps the similarities of all pairs.
    skhash.losses.ssdh_thresholds : The thresholds alone.
    skhash.losses.ssdh_loss : The loss alone.

    Notes
    -----
    With continuous codes v of K bits, and the cosine distances :math:`d_{ij}` of features,

    .. math::

        L = \operatorname{mean}_{ij} |S_{ij}| \left(\frac{h_i \cdot h_j}{K} - S_{ij}\right)^2, \qquad h = \tanh v,
        \qquad S_{ij} = \begin{cases}
        1 & d_{ij} < m - \alpha \sigma_l \\ -1 & d_{ij} > m + \beta \sigma_r \\ 0 & \text{else} \end{cases}

    If few pairs are far from the most frequent distance, all bits learn to separate the same two groups, and distances
    of codes have few values. A smaller `beta` includes more pairs. Features of a trained network work best; a new
    network for images, whose pixels then determine what is similar, learns little.

    m is the most frequent distance, in bins of width 0.01; :math:`\sigma_l` is the root mean square of :math:`d - m`
    for :math:`d \le m`, and :math:`\sigma_r` for :math:`d > m`. They are computed once, from the features before
    training.

    ``recipe="paper"`` is that of the authors, except for the :math:`\epsilon = 1` of their Adam, which makes much
    smaller steps.

    References
    ----------
    .. [1] E. Yang, C. Deng, T. Liu, W. Liu, D. Tao. "Semantic structure-based unsupervised deep hashing".
       IJCAI 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, SSDHHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = SSDHHasher(bits=32, max_epochs=20, random_state=0).fit(X[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.4
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **UnsupervisedHasher._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "histogram": [StrOptions({"pairs", "matrix"})],
        "max_samples": [Interval(Integral, 2, None, closed="left")],
    }

    _recipes = {
        "skhash": adapt_to_features(),  # the faster recipe of images loses mAP
        "paper": Recipe(max_epochs=10, batch_size=24, schedule="constant", weight_decay=0.0),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        alpha: float = 2.0,
        beta: float = 2.0,
        histogram: Literal["pairs", "matrix"] = "pairs",
        max_samples: int = 10_000,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.alpha = alpha
        self.beta = beta
        self.histogram = histogram
        self.max_samples = max_samples

    @property
    def thresholds_(self) -> tuple[float, float]:
        """Cosine distances of features: pairs below the first are similar, pairs above the second are dissimilar."""
        criterion: Any = self.module_.criterion
        similar, different = criterion.thresholds.tolist()
        return similar, different

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return SSDHLoss()

    def _prepare(self, network: HashNetwork, context: TrainingContext) -> None:
        samples = context.samples
        rows = torch.randperm(len(samples), generator=context.generator)[: self.max_samples].sort().values
        criterion: Any = network.criterion
        device = criterion.thresholds.device
        network.eval()
        with torch.no_grad():
            blocks = (samples.batch(block, network.input_dtype).to(device) for block in rows.split(_BLOCK_ROWS))
            features = torch.cat([self._reference(network, block, network.features(block)).cpu() for block in blocks])
        thresholds = ssdh_thresholds(features, alpha=self.alpha, beta=self.beta, self_pairs=self.histogram == "matrix")
        criterion.thresholds.copy_(torch.tensor(thresholds))
