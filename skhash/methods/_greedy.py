"""GreedyHash: classify from the sign and hand its gradient straight through.

Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS 2018.
"""

from numbers import Real

from skhash.deep import DeepHasher
from skhash.losses import GreedyHashLoss
from skhash.methods._classifier import make_classifying
from skhash.nn import HashHead
from skhash.training import Recipe, Steps
from skhash.utils import Interval


class GreedyHasher(DeepHasher):
    r"""Train with the hash code itself, and pretend that the sign were the identity on the way back.

    A linear classifier reads the bits, so that what is trained is what is used. As the sign has no gradient, its input
    gets that of its output; a small penalty keeps the input near -1 and +1, where both are alike.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    penalty_weight : float, default=0.1
        Weight of the penalty, :math:`\alpha` in the equation: 0.1 on CIFAR-10 and 1 on ImageNet with the authors.
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
    skhash.losses.greedy_hash_loss : The loss alone.

    Notes
    -----
    With continuous codes v and a classifier W,

    .. math::

        L = \operatorname{CE}(W b, y) + \alpha \operatorname{mean}_{ik} \big||v_{ik}| - 1\big|^p, \qquad
        b = \operatorname{sgn} v

    The gradient passes from b to v as if they were equal. Several labels share their weight, as in
    `skhash.losses.soft_cross_entropy`. `predict` classifies the code.

    ``recipe="paper"`` is the authors' for 5,000 training images of CIFAR-10; on ImageNet they train for 100 epochs with
    a step after 80. Their SGD has momentum 0.9, here of Nesterov's kind.

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
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
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
