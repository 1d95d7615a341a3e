"""GreedyHash: classify the sign, and pass its gradient straight through.

Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS 2018.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Unpack

from skhash.deep import DeepHasher
from skhash.losses import GreedyHashLoss, GreedySimilarityLoss
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HashHead
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval, read_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike
    from torch import Tensor, nn

    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters
    from skhash.utils import Labels

_RECIPES_WITHOUT_LABELS = {
    "skhash": adapt_to_features(batch_size=512, weight_decay=0.2),
    "paper": Recipe(
        max_epochs=60, batch_size=32, optimizer="sgd", learning_rate=1e-4, backbone_lr_ratio=0.0, schedule="constant"
    ),
}


class GreedyHasher(UnsupervisedHasher):
    r"""Hashing that trains with the hash code itself, with the gradient of the identity for the sign.

    A linear classifier reads the bits, so training uses the same codes as search. The sign has no useful gradient:
    its input gets the gradient of its output. A small penalty keeps the input near -1 and +1, where both are equal.
    Without labels in `fit` there is no classifier; codes copy the samples' similarities instead.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    penalty_weight : float, default=0.1
        Weight of the penalty, :math:`\alpha` in the equations. The authors use 0.1 on CIFAR-10 and 1 on ImageNet.
    p : float, default=3.0
        Power of the penalty.
    classifier_bias : bool, default=False
        Whether the classifier has a bias.
    train_classifier : bool, default=True
        Whether to train the classifier. Published results of ports before August 2022 are those of a fixed random
        classifier, whose columns act as random centers of the classes.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    CEHasher : Classifies continuous codes.
    JMLHHasher : Classifies random codes.
    BiHalfHasher : Copies similarities into balanced bits.
    skhash.losses.greedy_hash_loss : The loss alone.
    skhash.losses.greedy_similarity_loss : The loss without labels.

    Notes
    -----
    With continuous codes v and a classifier W,

    .. math::

        L = \operatorname{CE}(W b, y) + \alpha \operatorname{mean}_{ik} \big||v_{ik}| - 1\big|^p, \qquad
        b = \operatorname{sgn} v

    The gradient passes from b to v as if they were equal. Several labels of a sample share its weight, as in
    `skhash.losses.soft_cross_entropy`. `predict` classifies the code.

    Without labels, with features x and the pairs i, j of the first half of a batch with its second half,

    .. math::

        L = \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2
        + \alpha \operatorname{mean}_{ik} \big||v_{ik}| - 1\big|^p

    and `classifier_bias` and `train_classifier` have no effect. Training that continues (`warm_start`, `partial_fit`)
    must have labels if it began with labels, and must not if it began without.

    ``recipe="paper"`` is that of the authors for 5,000 training images of CIFAR-10, with or without labels. On ImageNet
    they train for 100 epochs with a step after 80, and for 300 epochs for 16 bits without labels. Their SGD has
    momentum 0.9; here it is Nesterov momentum.

    References
    ----------
    .. [1] S. Su, C. Zhang, K. Han, Y. Tian. "Greedy hash: towards fast optimization for accurate hash coding in CNN".
       NeurIPS 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import GreedyHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = GreedyHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    >>> hasher = hasher.fit(X[200:])
    >>> hasattr(hasher, "predict")
    False
    """

    _learns_labels = True

    _parameter_constraints: dict[str, Any] = {
        **UnsupervisedHasher._parameter_constraints,
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 1, None, closed="left")],
        "classifier_bias": ["boolean"],
        "train_classifier": ["boolean"],
    }

    _recipes = {
        "paper": Recipe(max_epochs=50, batch_size=32, optimizer="sgd", schedule=Steps(every=30)),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        penalty_weight: float = 0.1,
        p: float = 3.0,
        classifier_bias: bool = False,
        train_classifier: bool = True,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.penalty_weight = penalty_weight
        self.p = p
        self.classifier_bias = classifier_bias
        self.train_classifier = train_classifier

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        if context.labels is None:
            return GreedySimilarityLoss(penalty_weight=self.penalty_weight, p=self.p)
        return context.build(
            GreedyHashLoss,
            self.bits,
            context.n_classes,
            bias=self.classifier_bias,
            train_classifier=self.train_classifier,
            penalty_weight=self.penalty_weight,
            p=self.p,
        )

    def _check_labels(self, y: ArrayLike | None, labels: Labels | None, *, resume: bool) -> None:
        if labels is None and y is not None:
            read_labels(y)  # raises an error that says what is wrong with them
        if labels is not None and len(labels.classes) < 2:
            raise ValueError(f"GreedyHasher needs at least 2 classes, or no labels, got 1 class: {labels.classes[0]}.")
        if resume and isinstance(self.module_.criterion, GreedySimilarityLoss) != (labels is None):
            now, before = ("without", "with") if labels is None else ("with", "without")
            raise ValueError(f"Training began {before} labels in y and cannot continue {now}: fit a new hasher.")

    # With labels this is a plain deep hasher, without labels an unsupervised one.

    def _recipes_for(self, labels: Labels | None) -> Mapping[str, Any]:
        return self._recipes if labels is not None else {**self._recipes, **_RECIPES_WITHOUT_LABELS}

    def _choose_recipe(self, samples: Samples, labels: Labels | None) -> Recipe:
        base = UnsupervisedHasher if labels is None else DeepHasher
        return base._choose_recipe(self, samples, labels)

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        base = UnsupervisedHasher if batch.targets is None else DeepHasher
        return base._loss(self, network, batch)
