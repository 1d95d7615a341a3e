"""SDH-C: classification, with regularizers of quantization, variance of the bits and orthogonality of projections.

Liong, Lu, Wang, Moulin, Zhou, "Deep hashing for compact binary codes learning", CVPR 2015, in the form in
which OrthoHash compares with it.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from skhash.deep import DeepHasher
from skhash.losses import SDHCLoss
from skhash.nn import HashHead
from skhash.training import RECIPES, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters


class SDHCHasher(DeepHasher):
    r"""Supervised deep hashing with classification: a classifier and three regularizers of the code.

    A linear classifier reads the continuous codes after a tanh. Small terms ask for values near -1 and +1, for bits
    that vary, and for orthonormal projections, so that bits differ from each other.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    quantization_weight : float, default=0.001
        Weight of the distance to the signs, :math:`\lambda_0` in the equation.
    variance_weight : float, default=0.001
        Weight of the variance of the bits, :math:`\lambda_1`.
    projection_weight : float, default=0.001
        Weight of the distance of the projections from orthonormal ones, :math:`\lambda_2`.
    variance : {"mean", "sum"}, default="mean"
        Reduction over the batch. "sum" is that of OrthoHash's framework, where the weight of the term thus grows with
        the batch.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    CEHasher : Has the classifier alone.
    skhash.losses.sdhc_loss : The loss alone.

    Notes
    -----
    With N features f, K bits, the weights W of the hash layer and :math:`u = \tanh(W f)`,

    .. math::

        L = \operatorname{CE}(\text{classifier}(u), y) + \lambda_0 \operatorname{mean} (u - \operatorname{sgn} u)^2
        - \lambda_1 \frac{\operatorname{tr}(u^\top u)}{2 N K} + \lambda_2 \operatorname{mean} (W W^\top - I)^2

    Several labels of a sample share its weight, as in `skhash.losses.soft_cross_entropy`. OrthoHash's framework
    compares :math:`W W^\top` with a matrix of ones and trains on one of several labels; this implementation does
    neither. As no other code is public, ``recipe="paper"`` is that of OrthoHash.

    References
    ----------
    .. [1] V. E. Liong, J. Lu, G. Wang, P. Moulin, J. Zhou. "Deep hashing for compact binary codes learning".
       CVPR 2015.
    .. [2] J. T. Hoe et al. "One loss for all". NeurIPS 2021, appendix D.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, SDHCHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = SDHCHasher(bits=32, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "variance_weight": [Interval(Real, 0, None, closed="left")],
        "projection_weight": [Interval(Real, 0, None, closed="left")],
        "variance": [StrOptions({"mean", "sum"})],
    }

    _recipes = {
        "skhash": adapt_to_features(learning_rate=3e-4),
        "paper": (RECIPES["orthohash-instance"], RECIPES["orthohash"]),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        quantization_weight: float = 0.001,
        variance_weight: float = 0.001,
        projection_weight: float = 0.001,
        variance: Literal["mean", "sum"] = "mean",
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.quantization_weight = quantization_weight
        self.variance_weight = variance_weight
        self.projection_weight = projection_weight
        self.variance = variance

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return context.build(
            SDHCLoss,
            self.bits,
            context.n_classes,
            quantization_weight=self.quantization_weight,
            variance_weight=self.variance_weight,
            projection_weight=self.projection_weight,
            variance=self.variance,
        )

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        z = network(batch.view(), batch.generator)
        more = batch.extra_arguments(network.criterion)
        return network.criterion(z, batch.targets, projection=cast("HashHead", network.head).linear.weight, **more)
