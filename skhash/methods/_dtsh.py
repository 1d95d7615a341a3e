"""DTSH: the likelihood of triplets: an anchor is nearer to a similar sample than to a dissimilar one.

Wang, Shi, Kitani, "Deep supervised hashing with triplet labels", ACCV 2016.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.deep import DeepHasher
from skhash.losses import DTSHLoss
from skhash.training import Recipe, Steps
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class DTSHHasher(DeepHasher):
    r"""Hashing of triplets: the loss depends on which of two samples is nearer.

    Every sample of a batch is an anchor. Its inner product with each sample that shares a label should exceed its inner
    product with each other sample by a margin. A second term pulls codes to their signs.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    margin : float or {"bits/2"}, default=5.0
        The margin: :math:`\alpha` in the equations. "bits/2" in the paper, 5 in ports.
    scale : float, default=1.0
        Factor of the inner products: c in the equations. 0.5 in the paper, 1 in ports.
    self_positives : bool, default=True
        Whether an anchor is one of the samples similar to it, as in ports. In the paper it is not.
    quantization_weight : float, default=1.0
        Weight of the second term: :math:`\lambda`. 1 in ports. The authors' 100 is for sums; it corresponds to 0.0044
        times the number of bits here.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    HashNetHasher : Compares pairs.
    skhash.losses.dtsh_loss : The loss alone.

    Notes
    -----
    For anchors q with similar samples p and dissimilar samples n of the batch, and continuous codes u,

    .. math::
        L = \operatorname{mean}_q \operatorname{mean}_{p,n} \log(1 + e^{-T_{qpn}})
        + \lambda \operatorname{mean}_{ik} (u_{ik} - \operatorname{sgn} u_{ik})^2, \qquad
        T_{qpn} = \theta_{qp} - \theta_{qn} - \alpha, \quad \theta_{ij} = c \, u_i \cdot u_j

    The authors draw triplets from the codes of all training samples. Their gradient is a sum over the triplets of an
    anchor, and only the anchor gets a gradient. ``recipe="paper"`` has their learning rate, which is for such sums: the
    means here learn more slowly with it.

    References
    ----------
    .. [1] X. Wang, Y. Shi, K. M. Kitani. "Deep supervised hashing with triplet labels". ACCV 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DTSHHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DTSHHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "margin": [StrOptions({"bits/2"}), Interval(Real, 0, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "self_positives": ["boolean"],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {"paper": Recipe(optimizer="sgd", learning_rate=5e-4, schedule=Steps(factor=2 / 3, every=20))}

    def __init__(
        self,
        bits: int = 64,
        *,
        margin: float | Literal["bits/2"] = 5.0,
        scale: float = 1.0,
        self_positives: bool = True,
        quantization_weight: float = 1.0,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.margin = margin
        self.scale = scale
        self.self_positives = self_positives
        self.quantization_weight = quantization_weight

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return DTSHLoss(
            margin=self.margin,
            scale=self.scale,
            self_positives=self.self_positives,
            quantization_weight=self.quantization_weight,
        )
