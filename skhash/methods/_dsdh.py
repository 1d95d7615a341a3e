"""DSDH: the likelihood of pairs, and binary codes that a linear classifier understands, solved for in between.

Li, Sun, He, Tan, "Deep supervised discrete hashing", NeurIPS 2017.
"""

from numbers import Integral, Real

from skhash.deep import DeepHasher
from skhash.losses import DSDHLoss
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval, StrOptions


class DSDHHasher(DeepHasher):
    r"""Hashing of pairs and classes at once, with binary codes that are variables of their own.

    The network is trained on pairs: the inner product of two codes says how probable it is that the samples share a
    label. Beside it, every training sample has a binary code, and there is a linear classifier of these codes. Both are
    solved for in turn, each exactly, and the network is pulled towards the codes. `predict` is that classifier.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"memory", "batch"}, default="memory"
        "memory" compares a batch with the latest code of every training sample, and solves for the binary codes of all
        of them before every epoch, as in the paper. "batch" does both within each batch, as in the authors' code, and
        learns faster if there is a network to train and there are few classes.
    classification_weight : float, default=0.01
        Weight of the classifier's error: :math:`\mu` in the equations.
    ridge_weight : float, default=1.0
        Weight of the classifier's norm: :math:`\nu`.
    quantization_weight : float, default=0.01
        Weight of the distance between continuous and binary codes: :math:`\eta`. 0 trains the network on pairs alone
        (DPSH), which is what DeepHash-pytorch does under this name.
    rounds : int, default=10
        How often the classifier and the codes are solved for in turn, each time.
    {training_parameters}

    Attributes
    ----------
    {training_attributes}

    See Also
    --------
    skhash.losses.dsdh_loss : The loss alone.
    skhash.losses.dsdh_codes : How binary codes are solved for.

    Notes
    -----
    With continuous codes u, binary codes b, labels y, the classifier W, and s = 1 for pairs that share a label, every
    term a mean where the paper has sums,

    .. math::
        L = \operatorname{mean}_{ij} (\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij})
        + \mu \operatorname{mean}_{il} (y_{il} - W_l^\top b_i)^2 + \nu \operatorname{mean} W^2
        + \eta \operatorname{mean}_{ik} (b_{ik} - u_{ik})^2, \qquad \theta_{ij} = \tfrac12 u_i \cdot u_j

    The weights are those of a port that averages, too; on ImageNet it had 5, 5 and 2. In ``recipe="paper"`` the
    learning rate falls from 0.01 to 0.000001 in equal ratios.

    References
    ----------
    .. [1] Q. Li, Z. Sun, R. He, T. Tan. "Deep supervised discrete hashing". NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DSDHHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DSDHHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **DeepHasher._parameter_constraints,
        "pairs": [StrOptions({"memory", "batch"})],
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
        "ridge_weight": [Interval(Real, 0, None, closed="neither")],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "rounds": [Interval(Integral, 1, None, closed="left")],
    }

    _recipes = {
        "skhash": adapt_to_features(learning_rate=1e-4),
        "paper": Recipe(
            max_epochs=150,
            optimizer="sgd",
            learning_rate=1e-2,
            schedule=Steps(factor=1e-4 ** (1 / 149), every=1),
        ),
    }

    def __init__(
        self,
        bits=64,
        *,
        pairs="memory",
        classification_weight=0.01,
        ridge_weight=1.0,
        quantization_weight=0.01,
        rounds=10,
        **training,
    ):
        super().__init__(bits, **training)
        self.pairs = pairs
        self.classification_weight = classification_weight
        self.ridge_weight = ridge_weight
        self.quantization_weight = quantization_weight
        self.rounds = rounds

    def _make_criterion(self, labels, random_state):
        return DSDHLoss(
            self.bits,
            len(labels.classes),
            self.pairs,
            classification_weight=self.classification_weight,
            ridge_weight=self.ridge_weight,
            quantization_weight=self.quantization_weight,
            rounds=self.rounds,
        )
