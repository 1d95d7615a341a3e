"""BiHalf: of every training batch, each bit is +1 for one half and -1 for the other.

Li and van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021.
"""

from numbers import Real

from torch import nn

from skhash.losses import SimilarityLoss
from skhash.methods._unsupervised import UnsupervisedHasher
from skhash.nn import BiHalf, HashHead
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval


class BiHalfHasher(UnsupervisedHasher):
    r"""Copy the samples' similarities into codes whose every bit halves the batch.

    A bit tells most if it is +1 as often as -1. In training, the half of the batch with the larger values gets +1 and
    the other half -1, whatever the values are; the gradient passes this step as if it were the identity and in addition
    pulls each value towards its bit.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    gamma : float, default=6.0
        Weight of the pull, :math:`\gamma` in the equation.
    center : bool, default=False
        Whether continuous codes lose their training mean (a running one, over the batches), so that bits are balanced
        on the training data if they have not become so by themselves. A single sample has no batch to halve.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    SDCHasher : Keeps only the order of the similarities.
    GreedyHasher : Without labels, the same with plain signs.
    skhash.nn.BiHalf : The layer that halves.
    skhash.losses.similarity_loss : The loss alone.

    Notes
    -----
    A batch of N makes pairs of its first with its second half. With features x, continuous codes v of K bits, and b
    the halved ones,

    .. math::

        L = \operatorname{mean}_{ij} \big( \cos(b_i, b_j) - \cos(x_i, x_j) \big)^2, \qquad
        \frac{\partial L}{\partial v} := \frac{\partial L}{\partial b} + \frac{\gamma}{N K} (v - b)

    The loss may rise while codes get better, say the authors. What is halved is a batch: the more samples it has, the
    better does the threshold suit the others. Features stay as they are, and are not standardised, since their cosines
    are what is to be kept.

    ``recipe="paper"`` is the authors' for CIFAR-10, with a learning rate of 1e-3 and half the epochs for MS-COCO.

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

    _parameter_constraints: dict = {
        **UnsupervisedHasher._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
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
    }

    def __init__(self, bits=64, *, gamma=6.0, center=False, **training):
        super().__init__(bits, **training)
        self.gamma = gamma
        self.center = center

    def _make_head(self, in_features):
        halves = BiHalf(self.gamma, center=self.bits if self.center else None)
        return nn.Sequential(HashHead(in_features, self.bits), halves)

    def _make_criterion(self, labels, random_state):
        return SimilarityLoss()
