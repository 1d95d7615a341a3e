"""SDC: keep the order of the samples' similarities, and give those of the codes a prescribed distribution.

Ng, Zhu, Hoe, Chan, Zhang, Song, Xiang, "Unsupervised hashing with similarity distribution calibration", BMVC 2023.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from scipy.stats.distributions import rv_frozen
from torch import nn

from skhash.losses import SDCLoss
from skhash.methods._instance import INSTANCE_RECIPE, InstanceRecipe
from skhash.nn import HashHead
from skhash.training import RECIPES, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import Tensor

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters


class SDCHasher(InstanceRecipe):
    r"""Similarity distribution calibration: similar samples get similar codes, and codes use the whole space.

    Similarities of features lie close together. Codes that copy them do so too, and cannot distinguish much with a few
    bits. This method keeps only the order of the pairs' similarities. The target similarity of a pair's codes is taken
    from a prescribed distribution over [-1, 1]: the least similar pair gets the lowest quantile, and so on.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    distribution : {"beta", "gaussian"} or frozen scipy.stats distribution, default="beta"
        Distribution of the codes' similarities, see `skhash.losses.sdc_targets`.
    alpha, beta : float, default=5.0
        Shape of "beta". Values from 2 to 10 work well; low values ask for codes that are equal or opposite.
    quantization_weight : float, default=None
        Weight of the angle between continuous and binary codes, :math:`\lambda_q` in the equation: 1 in the paper for
        categories and 0.01 for instances. None is 4, and 0.01 in the recipe "instance". High values gather samples into
        groups with the same code; from about 10 on, there are too few groups.
    contrastive_weight : float, default=None
        Weight of the contrastive part, :math:`\lambda_{cl}` in the equation; 1 in the paper's other configuration.
        If it is not 0, random views of the samples are compared: see `views`. None is 0, and 1 in the recipe
        "instance". On features, whose views only add noise, it helps to find the same thing, but not the same category.
    temperature : float, default=None
        Temperature of the contrastive part, :math:`\tau` in the equation. None is 0.3; 0.1 in the recipe "instance".
    clip_targets : bool, default=None
        Whether to clip target similarities to at least 0. None means True with a contrastive part and False without, as
        in the authors' code, and False in the recipe "instance".
    calibration : {"l1", "l2", "one_sided"}, default="l1"
        Distance of similarities from their targets, see `skhash.losses.sdc_loss`.
    hidden_features : int, "auto" or None, default=None
        Width of a hidden layer in the head. None is a linear head, as in the paper for instances. For categories, the
        paper has 4096, and the authors' code has the width of the features, which is "auto". A hidden layer helps on
        features that do not come from a trained network.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    BiHalfHasher : Copies similarities, and balances bits in every batch.
    CIBHasher : Has the contrastive part alone.
    skhash.losses.SDCLoss : The loss alone.

    Notes
    -----
    A batch forms pairs of its first half with its second half. With features x, continuous codes v, the pairs sorted by
    :math:`\cos(x_i, x_j)` and F the distribution function of Beta(5, 5),

    .. math::

        L = \frac{1}{n} \sum_{p=1}^n \Big| \cos(v_i, v_j)_p - 2 F^{-1}\Big(\frac{2p - 1}{2n}\Big) + 1 \Big|
        + \lambda_q \operatorname{mean}_i \big( 1 - \cos(v_i, \operatorname{sgn} v_i) \big) + \lambda_{cl} L_{cl}

    where :math:`L_{cl}` is `skhash.losses.nt_xent_loss` of two views of every sample; each view then has its own pairs,
    and all pairs are ranked together. The head ends in batch normalization, which balances the bits.

    Features are not standardized: the order of their cosines is to be kept, and these are the cosines of the features
    as they are, computed in double precision. After a ReLU, cosines are never negative; the method only depends on
    their order. The network gets features less their mean, divided by one number for all: before a linear head with
    batch normalization this changes nothing but rounding, but without it, features of a small scale or far from 0 had
    a single code.

    Published settings: ``SDCHasher(recipe="paper", hidden_features=4096, quantization_weight=1)`` for categories, with
    ``contrastive_weight=1`` for the better half of the results; ``SDCHasher(recipe="sdc-instance",
    quantization_weight=0.01)`` for instances. The defaults were chosen on held-out training data of CIFAR-10 as
    features.

    ``recipe="instance"`` is the library's own for features, where the same thing must come first and not others of its
    category. The loss remains, with its contrastive part. The head starts as `ITQHasher`, the order is that of the
    cosines of centered features, views are ``FeatureViews(0.2, 0.2)``, and 20 epochs with a learning rate of 1e-4 and
    without dropout are enough. See :ref:`instances` for what it gains and costs.

    References
    ----------
    .. [1] K. W. Ng, X. Zhu, J. T. Hoe, C. S. Chan, T. Zhang, Y.-Z. Song, T. Xiang. "Unsupervised hashing with
       similarity distribution calibration". BMVC 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, SDCHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = SDCHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.6
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **InstanceRecipe._parameter_constraints,
        "distribution": [StrOptions({"beta", "gaussian"}), rv_frozen],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "quantization_weight": [Interval(Real, 0, None, closed="left"), None],
        "contrastive_weight": [Interval(Real, 0, None, closed="left"), None],
        "temperature": [Interval(Real, 0, None, closed="neither"), None],
        "clip_targets": ["boolean", None],
        "calibration": [StrOptions({"l1", "l2", "one_sided"})],
        "hidden_features": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
    }

    _recipes = {
        "skhash": adapt_to_features(batch_size=512, standardize=False),
        "paper": RECIPES["sdc"],
        "instance": INSTANCE_RECIPE,
    }

    _values = {
        "quantization_weight": (4.0, 0.01),
        "contrastive_weight": (0.0, 1.0),
        "temperature": (0.3, 0.1),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        distribution: Literal["beta", "gaussian"] | rv_frozen = "beta",
        alpha: float = 5.0,
        beta: float = 5.0,
        quantization_weight: float | None = None,
        contrastive_weight: float | None = None,
        temperature: float | None = None,
        clip_targets: bool | None = None,
        calibration: Literal["l1", "l2", "one_sided"] = "l1",
        hidden_features: int | Literal["auto"] | None = None,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.distribution = distribution
        self.alpha = alpha
        self.beta = beta
        self.quantization_weight = quantization_weight
        self.contrastive_weight = contrastive_weight
        self.temperature = temperature
        self.clip_targets = clip_targets
        self.calibration = calibration
        self.hidden_features: int | Literal["auto"] | None = hidden_features

    @property
    def _compares_views(self) -> bool:
        return self._value("contrastive_weight") > 0

    @property
    def _centers_features(self) -> bool:
        return True

    def _make_head(self, in_features: int) -> nn.Module:
        if self.hidden_features is None:
            return HashHead(in_features, self.bits, "batch_norm")
        width = in_features if self.hidden_features == "auto" else self.hidden_features
        return nn.Sequential(
            nn.Linear(in_features, width), nn.GELU(), nn.Linear(width, self.bits), nn.BatchNorm1d(self.bits)
        )

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        clips = self._compares_views and not self._is_instance()
        return SDCLoss(
            **{name: self._value(name) for name in self._values},
            distribution=self.distribution,
            alpha=self.alpha,
            beta=self.beta,
            clip_targets=clips if self.clip_targets is None else self.clip_targets,
            loss=self.calibration,
        )

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        if not self._compares_views:
            return super()._loss(network, batch)
        views = [self._codes_and_reference(network, batch.view(), batch.generator) for _ in range(2)]
        return network.criterion(*views[0], *views[1], **batch.extra_arguments(network.criterion))
