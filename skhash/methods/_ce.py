"""CE: cross-entropy of a linear classifier on continuous codes, the plainest of OrthoHash's baselines.

Hoe, Ng, Zhang, Chan, Song, Xiang, "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021.
"""

from skhash.deep import DeepHasher
from skhash.losses import CELoss
from skhash.methods._classifier import make_classifying
from skhash.nn import HashHead
from skhash.training import RECIPES
from skhash.utils import StrOptions


class CEHasher(DeepHasher):
    r"""Classify continuous codes linearly, and take their signs as hash codes.

    Nothing makes the codes binary or the bits balanced unless `balance` does. This is what other methods should be
    compared with, and with batch normalisation it is hard to beat by much.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    balance : {"batch_norm", "bihalf"} or None, default=None
        What balances the bits: batch normalisation (CE+BN), the bi-half layer (CE+BiHalf), or nothing (CE).
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    GreedyHasher : Classifies the signs.
    OrthoHasher : Classifies by cosine to fixed binary centers.
    skhash.losses.CELoss : The loss alone.

    Notes
    -----
    With continuous codes v, a classifier W, :math:`\beta`, labels y and :math:`q_i = y_i / \sum_l y_{il}`,

    .. math:: L = -\frac{1}{N} \sum_i \sum_l q_{il} \log \operatorname{softmax}_l(W v_i + \beta)

    With the bi-half layer, the classifier sees -1 and +1 in training and continuous codes in `predict`.

    References
    ----------
    .. [1] J. T. Hoe, K. W. Ng, T. Zhang, C. S. Chan, Y.-Z. Song, T. Xiang. "One loss for all: deep hashing with a
       single cosine similarity based learning objective". NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import CEHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = CEHasher(bits=32, balance="batch_norm", max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "balance": [StrOptions({"batch_norm", "bihalf"}), None],
    }

    _recipes = {"paper": (RECIPES["orthohash-instance"], RECIPES["orthohash"])}

    def __init__(self, bits=64, *, balance=None, **training):
        super().__init__(bits, **training)
        self.balance = balance

    def _make_head(self, in_features):
        return HashHead(in_features, self.bits, self.balance, bias=self.balance is None)

    def _make_criterion(self, labels, random_state):
        return make_classifying(CELoss, self.bits, labels, random_state)
