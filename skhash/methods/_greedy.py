"""GreedyHash: classify from the sign and hand its gradient straight through.

Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS 2018.
"""

from numbers import Real

from skhash.deep import DeepHasher
from skhash.losses import GreedyHashLoss, GreedySimilarityLoss
from skhash.methods._classifier import make_classifying
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import HashHead
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval, read_labels

_RECIPES_WITHOUT_LABELS = {
    "skhash": adapt_to_features(batch_size=512, weight_decay=0.2),
    "paper": Recipe(
        max_epochs=60, batch_size=32, optimizer="sgd", learning_rate=1e-4, backbone_lr_ratio=0.0, schedule="constant"
    ),
}


class GreedyHasher(UnsupervisedHasher):
    r"""Train with the hash code itself, and pretend that the sign were the identity on the way back.

    A linear classifier reads the bits, so that what is trained is what is used. As the sign has no gradient, its input
    gets that of its output; a small penalty keeps the input near -1 and +1, where both are alike. If `fit` is given no
    labels, there is no classifier, and codes copy the samples' similarities instead.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    penalty_weight : float, default=0.1
        Weight of the penalty, :math:`\alpha` in the equations: 0.1 on CIFAR-10 and 1 on ImageNet with the authors.
    p : float, default=3.0
        Power of the penalty.
    classifier_bias : bool, default=False
        Whether the classifier has a bias.
    train_classifier : bool, default=True
        Whether the classifier learns. A random one that stays is behind published figures of ports before August 2022;
        its columns act as random centers of the classes.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    CEHasher : Classifies continuous codes.
    JMLHHasher : Classifies random codes.
    BiHalfHasher : Copies similarities, too, into balanced bits.
    skhash.losses.greedy_hash_loss : The loss alone.
    skhash.losses.greedy_similarity_loss : The loss without labels.

    Notes
    -----
    With continuous codes v and a classifier W,

    .. math::

        L = \operatorname{CE}(W b, y) + \alpha \operatorname{mean}_{ik} \big||v_{ik}| - 1\big|^p, \qquad
        b = \operatorname{sgn} v

    The gradient passes from b to v as if they were equal. Several labels share their weight, as in
    `skhash.losses.soft_cross_entropy`. `predict` classifies the code.

    Without labels, with features x and the pairs i, j of the first with the second half of a batch,

    .. math::

        L = \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2
        + \alpha \operatorname{mean}_{ik} \big||v_{ik}| - 1\big|^p

    and `classifier_bias` and `train_classifier` mean nothing. A hasher goes on as it began: `warm_start` and
    `partial_fit` refuse labels after none, and the reverse.

    ``recipe="paper"`` is the authors' for 5,000 training images of CIFAR-10, with labels or without; on ImageNet they
    train for 100 epochs with a step after 80, and for 16 bits without labels for 300. Their SGD has momentum 0.9, here
    of Nesterov's kind.

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

    _parameter_constraints: dict = {
        **UnsupervisedHasher._parameter_constraints,
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 1, None, closed="left")],
        "classifier_bias": ["boolean"],
        "train_classifier": ["boolean"],
    }

    _recipes = {
        "paper": Recipe(max_epochs=50, batch_size=32, optimizer="sgd", schedule=Steps(every=30)),
    }

    def __init__(self, bits=64, *, penalty_weight=0.1, p=3.0, classifier_bias=False, train_classifier=True, **training):
        super().__init__(bits, **training)
        self.penalty_weight = penalty_weight
        self.p = p
        self.classifier_bias = classifier_bias
        self.train_classifier = train_classifier

    def _make_head(self, in_features):
        return HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, labels, random_state):
        if labels is None:
            return GreedySimilarityLoss(penalty_weight=self.penalty_weight, p=self.p)
        return make_classifying(
            GreedyHashLoss,
            self.bits,
            labels,
            random_state,
            bias=self.classifier_bias,
            train_classifier=self.train_classifier,
            penalty_weight=self.penalty_weight,
            p=self.p,
        )

    # Which of the two methods it is, is known when labels have been read; then one of both bases is followed.

    def _read_training(self, X, y, *, classes, reset):
        samples, labels = super()._read_training(X, y, classes=classes, reset=reset)
        if labels is None and y is not None:
            read_labels(y)  # says what is wrong with them
        if labels is not None and len(labels.classes) < 2:
            raise ValueError(f"GreedyHasher needs at least 2 classes, or no labels, got 1 class: {labels.classes[0]}.")
        if not reset and isinstance(self.module_.criterion, GreedySimilarityLoss) != (labels is None):
            now, before = ("without", "with") if labels is None else ("with", "without")
            raise ValueError(f"Training goes on {now} labels in y, but began {before}. Start anew, with a new hasher.")
        self._base = UnsupervisedHasher if labels is None else DeepHasher
        self._recipes = {**type(self)._recipes, **(_RECIPES_WITHOUT_LABELS if labels is None else {})}
        return samples, labels

    def _choose_recipe(self, samples):
        return self._base._choose_recipe(self, samples)

    def _loss(self, network, batch):
        return self._base._loss(self, network, batch)
