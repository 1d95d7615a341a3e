"""DPN: a hinge on every bit, until the continuous code clears a margin on its center's side.

Fan, Ng, Ju, Zhang, Chan, "Deep polarized network for supervised learning of accurate binary hashing codes",
IJCAI 2020.
"""

from numbers import Real

from skhash.losses import DPNLoss
from skhash.methods._centers import CenterHasher
from skhash.nn import HashHead
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions


class DPNHasher(CenterHasher):
    r"""Deep polarised network: every value of the continuous code is pushed past a margin, and then left alone.

    Every class gets a binary code, its center, before training. Each bit that is not yet a margin away from zero on the
    center's side pulls with the same force, however far it is; the others do not pull at all. Values thus gather on
    either side of zero with nothing in between.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default="auto"
        {centers}
        The paper's are "bernoulli".
    margin : float, default=1.0
        How far from zero a value must be: m in the equation.
    reduction : {"sum", "mean"}, default="sum"
        Over bits: the authors' sum, or the mean of DeepHash-pytorch, whose gradient is smaller by the number of bits.
    multilabel : {"sum", "merge"}, default="sum"
        For multi-hot labels: the sum of the hinges to each class's center, as with the authors; or the hinge to the
        bitwise majority of the centers, as in DeepHash-pytorch.
    norm_weight : float, default=0.0
        Weight of the mean square of the continuous codes, :math:`\lambda` in the equation: 0.1 in OrthoHash's
        framework.
    {training_parameters}

    Attributes
    ----------
    {center_attributes}
    {training_attributes}

    See Also
    --------
    CSQHasher : Binary cross-entropy on every bit.
    OrthoHasher : The cosine to the center instead of its bits.
    skhash.losses.dpn_loss : The loss alone.

    Notes
    -----
    With continuous codes v and the center c of the sample's class,

    .. math:: L = \operatorname{mean}_i \sum_k \max(0, m - v_{ik} c_{ik}) + \lambda \operatorname{mean}_{ik} v_{ik}^2

    The authors' SGD has momentum 0.9, here of Nesterov's kind. Their recomputed centers and third symbol for values
    within the margin, both off by default there, are left out.

    References
    ----------
    .. [1] L. Fan, K. W. Ng, C. Ju, T. Zhang, C. S. Chan. "Deep polarized network for supervised learning of accurate
       binary hashing codes". IJCAI 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DPNHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DPNHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **CenterHasher._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="neither")],
        "reduction": [StrOptions({"sum", "mean"})],
        "multilabel": [StrOptions({"sum", "merge"})],
        "norm_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {
        "paper": Recipe(max_epochs=200, batch_size=256, optimizer="sgd", learning_rate=1e-4, schedule=Steps(at=(0.5,)))
    }

    def __init__(
        self, bits=64, *, centers="auto", margin=1.0, reduction="sum", multilabel="sum", norm_weight=0.0, **training
    ):
        super().__init__(bits, **training)
        self.centers = centers
        self.margin = margin
        self.reduction = reduction
        self.multilabel = multilabel
        self.norm_weight = norm_weight

    def _make_head(self, in_features):
        return HashHead(in_features, self.bits)

    def _make_criterion(self, labels, random_state):
        return DPNLoss(
            self._make_centers(labels, random_state),
            self._draw_ties(random_state),
            margin=self.margin,
            reduction=self.reduction,
            multilabel=self.multilabel,
            norm_weight=self.norm_weight,
        )
