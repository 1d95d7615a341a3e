"""CE: cross-entropy of a linear classifier on continuous codes, the simplest baseline of OrthoHash.

Hoe, Ng, Zhang, Chan, Song, Xiang, "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.deep import DeepHasher
from skhash.losses import CELoss
from skhash.nn import HashHead
from skhash.training import RECIPES
from skhash.utils import StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class CEHasher(DeepHasher):
    r"""Hashing by a linear classifier of continuous codes, whose signs are the hash codes.

    No term makes the codes binary, and bits are balanced only by `balance`. This is the baseline for other methods;
    with batch normalization it is hard to beat by much.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    balance : {"batch_norm", "bihalf"} or None, default=None
        Layer that balances the bits: batch normalization (CE+BN), the bi-half layer (CE+BiHalf), or none (CE).
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    GreedyHasher : Classifies the signs.
    OrthoHasher : Classifies by cosine to fixed binary centers.
    skhash.losses.CELoss : The loss alone.

    Notes
    -----
    With continuous codes v, a classifier W, :math:`\beta`, labels y and :math:`q_i = y_i / \sum_l y_{il}`,

    .. math:: L = -\frac{1}{N} \sum_i \sum_l q_{il} \log \operatorname{softmax}_l(W v_i + \beta)

    With the bi-half layer, the classifier gets values of -1 and +1 in training, and continuous codes in `predict`.

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

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "balance": [StrOptions({"batch_norm", "bihalf"}), None],
    }

    _recipes = {"paper": (RECIPES["orthohash-instance"], RECIPES["orthohash"])}

    def __init__(
        self,
        bits: int = 64,
        *,
        balance: Literal["batch_norm", "bihalf"] | None = None,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.balance: Literal["batch_norm", "bihalf"] | None = balance

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, self.balance, bias=self.balance is None)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return context.build(CELoss, self.bits, context.n_classes)
