"""CSQ: pull every code to the fixed center of its class, bit by bit.

Yuan, Wang, Zhang, Tay, Jie, Liu, Feng, "Central similarity quantization for efficient image and video retrieval",
CVPR 2020.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.losses import CSQLoss
from skhash.methods._centers import CenterHasher
from skhash.nn import DeepHead, HashHead
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class CSQHasher(CenterHasher):
    r"""Central similarity quantization: the bits of a class's center are the labels of its samples.

    Every class gets a binary code, its center, before training, far from all others. The bits of the center are then
    learned as binary labels. A sample of several classes gets the bitwise majority of their centers.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    centers : str or array-like of shape (n_classes, bits), default="auto"
        Method that makes the centers, see `skhash.centers.make_hash_centers`; or the centers themselves, entries -1 or
        +1, in the order of `classes_`.
        "paper" is "hadamard", or "bernoulli" if there are not enough Hadamard centers.
    quantization_weight : float, default=1e-4
        Weight of the quantization term, :math:`\lambda` in the equation. The authors use 0.05 with ResNet-50 and 1e-3
        with AlexNet (1e-4 for 64 bits), DeepHash-pytorch uses 1e-4, and OrthoHash's authors use 1e-3.
    likelihood_weight : float, default=10.0
        For multi-hot labels only: weight of the likelihood of pairs that is added to the loss, that of `HashNetHasher`.
        0 is the paper's rule.
    head : {"linear", "csq"}, default="linear"
        A linear layer, as in most comparisons; or the authors' head, which has two hidden layers as wide as the
        features, and a dropout of one half after the first.
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
    DPNHasher : A hinge on every bit.
    OrthoHasher : The cosine to the center instead of its bits.
    skhash.losses.csq_loss : The loss alone.

    Notes
    -----
    With continuous codes v, :math:`h = \tanh v` and target codes c' of entries -1 or +1,

    .. math::

        L = \operatorname{mean}_{ik} \operatorname{BCE}\big(\tfrac{h_{ik} + 1}{2}, \tfrac{c'_{ik} + 1}{2}\big)
        + \lambda \operatorname{mean}_{ik} (|h_{ik}| - 1)^2, \qquad c'_i = \operatorname{sgn} \sum_l y_{il} c_l

    Where the sum is 0, the bit is taken from one random vector, the same for all samples. Of two labels, this is half
    of the bits, so for several labels `likelihood_weight` adds the likelihood of pairs. The square is that of the
    authors' code; the paper has the logarithm of a hyperbolic cosine.

    To train as the authors did: ``recipe="paper", centers="paper", head="csq", quantization_weight=0.05,
    likelihood_weight=0``. They keep the best of many evaluations on the test queries; here the last epoch is kept, or
    with `early_stopping` the best epoch on held-out training data.

    References
    ----------
    .. [1] L. Yuan, T. Wang, X. Zhang, F. E. H. Tay, Z. Jie, W. Liu, J. Feng. "Central similarity quantization for
       efficient image and video retrieval". CVPR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import CSQHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = CSQHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **CenterHasher._parameter_constraints,
        "centers": [StrOptions({*CENTER_METHODS, "paper"}), "array-like"],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "likelihood_weight": [Interval(Real, 0, None, closed="left")],
        "head": [StrOptions({"linear", "csq"})],
    }

    _recipes = {
        "paper": Recipe(
            max_epochs=90, batch_size=64, backbone_lr_ratio=0.01, schedule=Steps(0.7, every=10), weight_decay=0.0
        )
    }

    _keeps_own_loss = False

    def __init__(
        self,
        bits: int = 64,
        *,
        centers: str | ArrayLike = "auto",
        quantization_weight: float = 1e-4,
        likelihood_weight: float = 10.0,
        head: Literal["linear", "csq"] = "linear",
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.centers = centers
        self.quantization_weight = quantization_weight
        self.likelihood_weight = likelihood_weight
        self.head = head

    def _make_head(self, in_features: int) -> nn.Module:
        return DeepHead(in_features, self.bits) if self.head == "csq" else HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        centers = self._make_centers(context)
        return CSQLoss(
            centers,
            self._draw_ties(context.random_state),
            quantization_weight=self.quantization_weight,
            likelihood_weight=self.likelihood_weight,
        )

    def _draw_centers(self, n_classes: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
        if self.centers != "paper":
            return super()._draw_centers(n_classes, random_state)
        try:
            return make_hash_centers(n_classes, self.bits, method="hadamard", random_state=random_state)
        except ValueError:
            return make_hash_centers(n_classes, self.bits, method="bernoulli", random_state=random_state)
