"""BiHalf: in every training batch, each bit is +1 for one half of the samples and -1 for the other half.

Li and van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Unpack

from torch import nn

from skhash.losses import SimilarityLoss
from skhash.methods._instance import INSTANCE_RECIPE, InstanceRecipe
from skhash.nn import BiHalf, HashHead
from skhash.training import FeatureViews, Recipe, Steps, adapt_to_features
from skhash.utils import Interval

if TYPE_CHECKING:
    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class BiHalfHasher(InstanceRecipe):
    r"""Hashing that copies the samples' similarities into codes in which every bit halves the batch.

    A bit carries most information if it is +1 as often as -1. In training, the half of the batch with the larger values
    gets +1 and the other half gets -1. The gradient passes this step as if it were the identity, and in addition pulls
    each value toward its bit.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    gamma : float, default=None
        Weight of the pull, :math:`\gamma` in the equation. None is 6, and 0 in the recipe "instance".
    center : bool, default=False
        Whether to subtract the training mean (a running mean over the batches) from continuous codes. Bits are then
        balanced on the training data even if training has not balanced them. A single sample has no batch to halve.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    SDCHasher : Keeps only the order of the similarities.
    GreedyHasher : Without labels, does the same with plain signs.
    skhash.nn.BiHalf : The layer that halves.
    skhash.losses.similarity_loss : The loss alone.

    Notes
    -----
    A batch of N samples forms pairs of its first half with its second half. With features x, continuous codes v of K
    bits, and halved codes b,

    .. math::

        L = \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2, \qquad
        \frac{\partial L}{\partial v} := \frac{\partial L}{\partial b} + \frac{\gamma}{N K} (v - b)

    According to the authors, the loss may rise while codes get better. A larger batch gives a threshold that suits
    other samples better. Features are not standardized, because their cosines are to be kept.

    ``recipe="paper"`` is that of the authors for CIFAR-10; for MS-COCO they use a learning rate of 1e-3 and half the
    epochs.

    ``recipe="instance"`` is for features, where the same thing must come first and not others of its category. The loss
    remains. The head starts as `ITQHasher`, cosines are those of centered features, without a pull (gamma 0), training
    sees ``FeatureViews(0.4, 0.4)``, and 20 epochs with a learning rate of 1e-4, without dropout and weight decay, are
    enough. See :ref:`instances` for what it gains and costs.

    References
    ----------
    .. [1] Y. Li, J. van Gemert. "Deep unsupervised image hashing by maximizing bit entropy". AAAI 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import BiHalfHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = BiHalfHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.6
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **InstanceRecipe._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "center": ["boolean"],
    }

    _recipes = {
        "skhash": adapt_to_features(batch_size=512, weight_decay=5e-3, standardize=False),
        "paper": Recipe(
            max_epochs=300,
            batch_size=32,
            optimizer="sgd",
            learning_rate=1e-4,
            backbone_lr_ratio=0.0,
            schedule=Steps(every=120),
        ),
        "instance": (replace(INSTANCE_RECIPE[0], weight_decay=0.0), INSTANCE_RECIPE[1]),
    }

    _values = {"gamma": (6.0, 0.0)}
    _instance_views = FeatureViews(dropout=0.4, noise=0.4)

    def __init__(
        self,
        bits: int = 64,
        *,
        gamma: float | None = None,
        center: bool = False,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.gamma = gamma
        self.center = center

    def _make_head(self, in_features: int) -> nn.Module:
        halves = BiHalf(self._value("gamma"), center=self.bits if self.center else None)
        return nn.Sequential(HashHead(in_features, self.bits, bias=self._is_instance()), halves)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return SimilarityLoss()
