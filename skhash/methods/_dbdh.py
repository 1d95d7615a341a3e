"""DBDH: the likelihood of pairs of nearly discrete codes, and a penalty for codes that are not balanced.

Zheng, Zhang, Lu, "Deep balanced discrete hashing for image retrieval", Neurocomputing 403, 2020.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from skhash.losses import DBDHLoss
from skhash.methods._balanced_head import PairHasher
from skhash.training import RECIPES, Recipe, Steps
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class DBDHHasher(PairHasher):
    r"""Hashing of pairs with codes that are already discrete, or nearly discrete, in training.

    The inner product of two codes gives the probability that the samples share a label. It is not computed from the
    network's outputs but from their clamped values or signs, so that little is lost by taking signs in the end. A
    penalty asks for as many +1 as -1.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"batch", "halves", "memory"}, default="memory"
        Pairs to compare: all samples of a batch; its first half with its second half; or a batch with the latest code
        of every training sample, as in the published results.
    balance_weight : float, default=0.1
        Weight of the penalty: :math:`\alpha` in the equations.
    p : float, default=2.0
        Power of the penalty.
    balance_axis : {"sample", "bit"}, default="sample"
        Whether to balance the +1 and -1 of each sample's code, as in the published results, or those of each bit over a
        batch.
    relax : {"clamp", "ste"}, default="clamp"
        How outputs become codes: clamped to [-1, 1], which passes no gradient outside of it; or the sign, with the
        gradient of the identity, as in the paper.
    scale : float or {"2.5/bits"}, default="2.5/bits"
        Factor of inner products: the c in the equations. The paper has 0.5; then pairs of codes of 64 bits are soon
        certain, and what they could still teach is lost. "2.5/bits" was best on held-out samples of CIFAR-10 as 1,280
        features (mAP .616 against .532), and better on the 64 features of digits (.895 against .801).
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    HashNetHasher : Makes a tanh steeper instead.
    skhash.losses.dbdh_loss : The loss alone.

    Notes
    -----
    With codes u, and s = 1 for pairs that share a label,

    .. math::
        L = \operatorname{mean}_{ij} (\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij})
        + \alpha \operatorname{mean}_i |\operatorname{mean}_k u_{ik}|^p, \qquad \theta_{ij} = c \, u_i \cdot u_j

    Outputs outside of [-1, 1] get no gradient: without ``standardize``, features of a large scale can stop training.

    In ``recipe="skhash"``, a batch normalization follows the linear layer of a new network for images. Without it, the
    features of such a network, which are alike at first, collapse to two or three different codes.

    We had no access to the paper. Formula, constants and ``recipe="paper"`` are those of DeepHash-pytorch, whose
    results others quote.

    References
    ----------
    .. [1] X. Zheng, Y. Zhang, X. Lu. "Deep balanced discrete hashing for image retrieval". Neurocomputing 403, 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DBDHHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DBDHHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.65
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **PairHasher._parameter_constraints,
        "pairs": [StrOptions({"batch", "halves", "memory"})],
        "balance_weight": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 1, None, closed="left")],
        "balance_axis": [StrOptions({"sample", "bit"})],
        "scale": [StrOptions({"2.5/bits"}), Interval(Real, 0, None, closed="neither")],
        "relax": [StrOptions({"clamp", "ste"})],
    }

    _recipes = {
        "paper": replace(cast("Recipe", RECIPES["deephash-pytorch"]), batch_size=128, schedule=Steps(every=50)),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        pairs: Literal["batch", "halves", "memory"] = "memory",
        balance_weight: float = 0.1,
        p: float = 2.0,
        balance_axis: Literal["sample", "bit"] = "sample",
        relax: Literal["clamp", "ste"] = "clamp",
        scale: float | Literal["2.5/bits"] = "2.5/bits",
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.pairs: Literal["batch", "halves", "memory"] = pairs
        self.balance_weight = balance_weight
        self.p = p
        self.balance_axis = balance_axis
        self.relax = relax
        self.scale: float | Literal["2.5/bits"] = scale

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return DBDHLoss(
            self.pairs,
            balance_weight=self.balance_weight,
            p=self.p,
            balance_axis=self.balance_axis,
            relax=self.relax,
            scale=self.scale,
        )
