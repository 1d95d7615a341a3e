"""DBDH: the likelihood of pairs of nearly discrete codes, and a penalty for codes that are not balanced.

Zheng, Zhang, Lu, "Deep balanced discrete hashing for image retrieval", Neurocomputing 403, 2020.
"""

from dataclasses import replace
from numbers import Real

from skhash.deep import DeepHasher
from skhash.losses import DBDHLoss
from skhash.training import RECIPES, Steps, adapt_to_features
from skhash.utils import Interval, StrOptions


class DBDHHasher(DeepHasher):
    r"""Hashing of pairs with codes that are discrete, or nearly so, while they are being learnt.

    The inner product of two codes says how probable it is that the samples share a label. What it is computed from is
    not the network's output but what has become of it on the way to a sign, so that nothing is lost by taking the sign
    in the end. A penalty wants as many +1 as -1.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"batch", "halves", "memory"}, default="memory"
        What is compared: all samples of a batch; its first half with its second; or a batch with the latest code of
        every training sample, as in the published figures.
    balance_weight : float, default=0.1
        Weight of the penalty: :math:`\alpha` in the equations.
    p : float, default=2.0
        Its power.
    balance_axis : {"sample", "bit"}, default="sample"
        Whether the +1 and -1 of each sample's code are to be balanced, as in the published figures, or those of each
        bit over a batch.
    relax : {"clamp", "ste"}, default="clamp"
        How outputs become codes: clamped to [-1, 1], which passes no gradient outside; or the sign, whose gradient is
        taken for the identity's, as the paper describes it.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    HashNetHasher : Sharpens a tanh instead.
    skhash.losses.dbdh_loss : The loss alone.

    Notes
    -----
    With codes u, and s = 1 for pairs that share a label,

    .. math::
        L = \operatorname{mean}_{ij} (\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij})
        + \alpha \operatorname{mean}_i |\operatorname{mean}_k u_{ik}|^p, \qquad \theta_{ij} = \tfrac12 u_i \cdot u_j

    Outputs beyond the clamp learn nothing: without ``standardize``, features of a large scale can stop all learning.

    The paper could not be read. Formula, constants and ``recipe="paper"`` are those of DeepHash-pytorch, which made the
    figures that others quote.

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

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "pairs": [StrOptions({"batch", "halves", "memory"})],
        "balance_weight": [Interval(Real, 0, None, closed="left")],
        "p": [Interval(Real, 1, None, closed="left")],
        "balance_axis": [StrOptions({"sample", "bit"})],
        "relax": [StrOptions({"clamp", "ste"})],
    }

    _recipes = {
        "skhash": adapt_to_features(learning_rate=1e-4),
        "paper": replace(RECIPES["deephash-pytorch"], batch_size=128, schedule=Steps(every=50)),
    }

    def __init__(
        self,
        bits=64,
        *,
        pairs="memory",
        balance_weight=0.1,
        p=2.0,
        balance_axis="sample",
        relax="clamp",
        **training,
    ):
        super().__init__(bits, **training)
        self.pairs = pairs
        self.balance_weight = balance_weight
        self.p = p
        self.balance_axis = balance_axis
        self.relax = relax

    def _make_criterion(self, labels, random_state):
        return DBDHLoss(
            self.pairs,
            balance_weight=self.balance_weight,
            p=self.p,
            balance_axis=self.balance_axis,
            relax=self.relax,
        )
