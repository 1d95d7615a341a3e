"""DCH: a Cauchy instead of a logistic likelihood of pairs, for codes within a small Hamming radius.

Cao, Long, Liu, Wang, "Deep Cauchy hashing for Hamming space retrieval", CVPR 2018.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.deep import DeepHasher
from skhash.losses import DCHLoss
from skhash.training import Recipe
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class DCHHasher(DeepHasher):
    r"""Hashing for lookups within a small Hamming radius.

    A logistic function of the inner product hardly distinguishes similar samples that are 2 bits apart from those that
    are 10 bits apart. The Cauchy distribution does: the probability of being similar falls fast with the distance, so
    similar samples are pulled together until a table lookup within a small radius finds them.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    gamma : float, default=20.0
        Scale of the distance: the number of bits at which the probability of being similar is one half. The default
        suits 16 to 64 bits.
    quantization_weight : float, default=0.1
        Weight of the distance of the continuous code from a binary one: :math:`\lambda` in the equations; 0 in the
        authors' code.
    distance : {"cosine", "euclidean"}, default="cosine"
        The distance d between continuous codes: by cosine, as in the equations and in DeepHash-pytorch, or squared
        Euclidean, which is the default of the authors' code.
    pair_weight : {"balanced", "similar"}, float or None, default="balanced"
        Weight of similar against dissimilar pairs. "balanced": both kinds have the same total weight. "similar": the
        same, without dividing dissimilar pairs by their share, as in the authors' code. A number multiplies each
        similar pair. None: all pairs weigh the same.
    self_pairs : bool, default=True
        Whether pairs of a sample with itself count. In the authors' code they do not.
    quantization : {"cauchy", "squared"}, default="cauchy"
        The second term: as in the equations, or :math:`\operatorname{mean} (|v| - 1)^2` as in the authors' code.
    activation : {"tanh"} or None, default=None
        Activation of continuous codes before the loss: none, or a tanh as in the authors' code.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    HashNetHasher : The logistic likelihood.
    skhash.losses.dch_loss : The loss alone.

    Notes
    -----
    With continuous codes v of K bits, and s = 1 for pairs that share a label, a weighted mean over pairs

    .. math::
        L = \operatorname{wmean}_{ij} \left( s_{ij} \log\frac{d_{ij}}{\gamma}
        + \log(1 + \frac{\gamma}{d_{ij}}) \right)
        + \lambda \operatorname{mean}_i \log(1 + \frac{d(|v_i|, 1)}{\gamma}), \qquad
        d(u, v) = \tfrac{K}{2} (1 - \cos(u, v))

    The authors' 2,000 batches are 51 epochs of the 5,000 training images of CIFAR-10 in ``recipe="paper"``.

    References
    ----------
    .. [1] Y. Cao, M. Long, B. Liu, J. Wang. "Deep Cauchy hashing for Hamming space retrieval". CVPR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import DCHHasher, HammingIndex
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = DCHHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "distance": [StrOptions({"cosine", "euclidean"})],
        "pair_weight": [StrOptions({"balanced", "similar"}), Interval(Real, 0, None, closed="neither"), None],
        "self_pairs": ["boolean"],
        "quantization": [StrOptions({"cauchy", "squared"})],
        "activation": [StrOptions({"tanh"}), None],
    }

    _recipes = {
        "paper": Recipe(max_epochs=51, optimizer="sgd", learning_rate=0.05, backbone_lr_ratio=0.1, schedule="constant")
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        gamma: float = 20.0,
        quantization_weight: float = 0.1,
        distance: Literal["cosine", "euclidean"] = "cosine",
        pair_weight: Literal["balanced", "similar"] | float | None = "balanced",
        self_pairs: bool = True,
        quantization: Literal["cauchy", "squared"] = "cauchy",
        activation: Literal["tanh"] | None = None,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.gamma = gamma
        self.quantization_weight = quantization_weight
        self.distance = distance
        self.pair_weight = pair_weight
        self.self_pairs = self_pairs
        self.quantization = quantization
        self.activation = activation

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return DCHLoss(
            gamma=self.gamma,
            quantization_weight=self.quantization_weight,
            distance=self.distance,
            class_weight=self.pair_weight,
            self_pairs=self.self_pairs,
            quantization=self.quantization,
            activation=self.activation,
        )
