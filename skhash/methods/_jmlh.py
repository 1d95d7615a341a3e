"""JMLH: labels from random binary codes whose distribution is kept near fair coins.

Shen et al., "Embarrassingly simple binary representation learning", ICCV workshops 2019.
"""

from numbers import Real

from skhash.deep import DeepHasher
from skhash.losses import JMLHLoss
from skhash.methods._classifier import make_classifying
from skhash.nn import HashHead
from skhash.training import Recipe
from skhash.utils import Interval, StrOptions


class JMLHHasher(DeepHasher):
    r"""Just-maximising-likelihood hashing: the network gives the probability of every bit, a classifier reads a draw.

    The bits are random in training, and a price is paid for every bit that is far from a fair coin, so that only what
    tells classes apart is stored (the variational information bottleneck). `transform` gives the most probable bits.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    kl_weight : float, default=0.1
        Weight of the divergence from fair coins, :math:`\lambda` in the equation: 0.1 with OrthoHash's authors, 0.2 in
        the authors' own code.
    random_codes : bool, default=True
        Whether the codes in training are drawn, as in the paper, or the most probable ones, as in the authors' code.
    multilabel_loss : {"softmax", "sigmoid"}, default="softmax"
        For multi-hot labels: softmax with normalised labels, or the paper's binary cross-entropy per label, which
        OrthoHash's authors found to perform badly. Single labels always take the softmax.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    GreedyHasher : Classifies the most probable code, with a plainer gradient.
    skhash.losses.jmlh_loss : The loss alone.

    Notes
    -----
    With continuous codes v and :math:`p = \sigma(v)`,

    .. math::

        L = \operatorname{CE}(\text{classifier}(b), y) + \lambda \operatorname{mean}_i \sum_k \left(
        p \log\frac{p}{1/2} + (1 - p) \log\frac{1 - p}{1/2} \right)_{ik}, \qquad b \sim \operatorname{Bernoulli}(p)

    The gradient passes from b to p as if they were equal.

    ``recipe="paper"`` has the optimiser, learning rate and batch size of the only code that the authors made public,
    which trains on fixed features with ``kl_weight=0.2, random_codes=False``; the number of epochs is ours.

    References
    ----------
    .. [1] Y. Shen et al. "Embarrassingly simple binary representation learning". ICCV workshops 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, JMLHHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = JMLHHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "random_codes": ["boolean"],
        "multilabel_loss": [StrOptions({"softmax", "sigmoid"})],
    }

    _recipes = {
        "paper": Recipe(
            batch_size=400, learning_rate=1e-4, backbone_lr_ratio=0.0, schedule="constant", weight_decay=0.0
        )
    }

    def __init__(self, bits=64, *, kl_weight=0.1, random_codes=True, multilabel_loss="softmax", **training):
        super().__init__(bits, **training)
        self.kl_weight = kl_weight
        self.random_codes = random_codes
        self.multilabel_loss = multilabel_loss

    def _make_head(self, in_features):
        return HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, labels, random_state):
        return make_classifying(
            JMLHLoss,
            self.bits,
            labels,
            random_state,
            random=self.random_codes,
            kl_weight=self.kl_weight,
            multilabel_loss=self.multilabel_loss,
        )
