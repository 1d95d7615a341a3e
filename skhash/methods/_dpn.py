"""DPN: a hinge loss on every bit, until its continuous value is beyond a margin on the side of its center.

Fan, Ng, Ju, Zhang, Chan, "Deep polarized network for supervised learning of accurate binary hashing codes",
IJCAI 2020.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.losses import DPNLoss
from skhash.methods._centers import CenterHasher
from skhash.nn import HashHead
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class DPNHasher(CenterHasher):
    r"""Deep polarized network: a hinge loss pushes every value of the continuous code past a margin.

    Every class gets a binary code, its center, before training. Each value that is not yet a margin away from zero on
    the side of its center has a gradient of the same size, however far away it is; the other values have none. Values
    thus gather on both sides of zero, with few in between.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default="auto"
        Method that makes the centers, see `skhash.centers.make_hash_centers`; or the centers themselves, entries -1 or
        +1, in the order of `classes_`.
        The paper uses "bernoulli".
    margin : float, default=1.0
        Distance from zero that a value must reach: m in the equation.
    reduction : {"sum", "mean"}, default="sum"
        Reduction over bits: the authors' sum, or the mean of DeepHash-pytorch, whose gradient is smaller by the number
        of bits.
    multilabel : {"sum", "merge"}, default="sum"
        For multi-hot labels: the sum of the hinge losses to the centers of all classes, as in the authors' code; or the
        hinge loss to the bitwise majority of the centers, as in DeepHash-pytorch.
    norm_weight : float, default=0.0
        Weight of the mean square of the continuous codes, :math:`\lambda` in the equation: 0.1 in OrthoHash's
        framework.
    likelihood_weight : float, default=5.0
        For multi-hot labels only: weight of the likelihood of pairs that is added to the loss, that of `HashNetHasher`,
        for each bit. 0 is the paper's rule.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    centers_, min_distance_, class_centers_, orthogonality_ : object
        The hash centers and where the codes of the classes are, see `CenterHasher`.
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    CSQHasher : Binary cross-entropy on every bit.
    OrthoHasher : The cosine to the center instead of its bits.
    skhash.losses.dpn_loss : The loss alone.

    Notes
    -----
    With continuous codes v and the center c of the sample's class,

    .. math:: L = \operatorname{mean}_i \sum_k \max(0, m - v_{ik} c_{ik}) + \lambda \operatorname{mean}_{ik} v_{ik}^2

    The authors' SGD has momentum 0.9; here it is Nesterov momentum. Their recomputed centers and their third symbol for
    values within the margin, both off by default in their code, are left out.

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

    _parameter_constraints: dict[str, Any] = {
        **CenterHasher._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="neither")],
        "reduction": [StrOptions({"sum", "mean"})],
        "multilabel": [StrOptions({"sum", "merge"})],
        "norm_weight": [Interval(Real, 0, None, closed="left")],
        "likelihood_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {
        "skhash": adapt_to_features(),  # the faster recipe of images loses mAP
        "paper": Recipe(max_epochs=200, batch_size=256, optimizer="sgd", learning_rate=1e-4, schedule=Steps(at=(0.5,))),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        centers: str | ArrayLike = "auto",
        margin: float = 1.0,
        reduction: Literal["sum", "mean"] = "sum",
        multilabel: Literal["sum", "merge"] = "sum",
        norm_weight: float = 0.0,
        likelihood_weight: float = 5.0,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.centers = centers
        self.margin = margin
        self.reduction = reduction
        self.multilabel = multilabel
        self.norm_weight = norm_weight
        self.likelihood_weight = likelihood_weight

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return DPNLoss(
            self._make_centers(context),
            self._draw_ties(context.random_state),
            margin=self.margin,
            reduction=self.reduction,
            multilabel=self.multilabel,
            norm_weight=self.norm_weight,
            likelihood_weight=self.likelihood_weight,
        )
