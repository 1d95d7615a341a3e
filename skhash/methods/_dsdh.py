"""DSDH: the likelihood of pairs, and binary codes that a linear classifier reads, solved for in turn.

Li, Sun, He, Tan, "Deep supervised discrete hashing", NeurIPS 2017.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from skhash.losses import DSDHLoss
from skhash.methods._balanced_head import PairHasher
from skhash.training import RECIPES, Recipe, Steps, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters
    from skhash.utils import Labels


class DSDHHasher(PairHasher):
    r"""Hashing of pairs and classes at once, with binary codes as separate variables.

    The network is trained on pairs: the inner product of two codes gives the probability that the samples share a
    label. In addition, every training sample has a binary code, and a linear classifier reads these codes. Codes and
    classifier are solved for in turn, each exactly, and the network is pulled toward the codes. `predict` uses this
    classifier.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"memory", "batch"}, default="memory"
        "memory" compares a batch with the latest code of every training sample, and solves for the binary codes of all
        samples before every epoch, as in the paper. "batch" does both within each batch, as in the authors' code, and
        learns faster with a backbone to train and few classes.
    classification_weight : float, default=0.01
        Weight of the classifier's error: :math:`\mu` in the equations.
    ridge_weight : float, default=1.0
        Weight of the classifier's norm: :math:`\nu`.
    quantization_weight : float, default=0.01
        Weight of the distance between continuous and binary codes: :math:`\eta`. 0 trains the network on pairs alone
        (DPSH), which DeepHash-pytorch calls DSDH.
    scale : float or {"auto", "2.5/bits"}, default="auto"
        Factor of inner products: the c in the equations. The paper has 0.5; then pairs of codes of 64 bits are soon
        certain, and what they could still teach is lost. "auto" is "2.5/bits" for features without a backbone, where it
        was best on held-out samples of CIFAR-10 as 1,280 features (mAP .598 against .546) and better on the 64 features
        of digits (.876 against .815); and 0.5 otherwise.
    rounds : int, default=10
        Number of alternations between classifier and codes, each time they are solved for.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    skhash.losses.dsdh_loss : The loss alone.
    skhash.losses.dsdh_codes : Solves for the binary codes.

    Notes
    -----
    With continuous codes u, binary codes b, labels y, the classifier W, and s = 1 for pairs that share a label (every
    term is a mean; the paper has sums),

    .. math::
        L = \operatorname{mean}_{ij} (\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij})
        + \mu \operatorname{mean}_{il} (y_{il} - W_l^\top b_i)^2 + \nu \operatorname{mean} W^2
        + \eta \operatorname{mean}_{ik} (b_{ik} - u_{ik})^2, \qquad \theta_{ij} = c \, u_i \cdot u_j

    The default weights are those of a port that also uses means; its weights for ImageNet are 5, 5 and 2. In
    ``recipe="paper"`` the learning rate falls from 0.01 to 0.000001 by the same factor in every epoch.

    In ``recipe="skhash"``, a batch normalization follows the linear layer of a new network for images. Without it, the
    features of such a network, which are alike at first, collapse to two or three different codes.

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

    _parameter_constraints: dict[str, Any] = {
        **PairHasher._parameter_constraints,
        "pairs": [StrOptions({"memory", "batch"})],
        "classification_weight": [Interval(Real, 0, None, closed="neither")],
        "ridge_weight": [Interval(Real, 0, None, closed="neither")],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
        "scale": [StrOptions({"auto", "2.5/bits"}), Interval(Real, 0, None, closed="neither")],
        "rounds": [Interval(Integral, 1, None, closed="left")],
    }

    _recipes = {
        "paper": Recipe(
            max_epochs=150,
            optimizer="sgd",
            learning_rate=1e-2,
            schedule=Steps(factor=1e-4 ** (1 / 149), every=1),
        ),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        pairs: Literal["memory", "batch"] = "memory",
        classification_weight: float = 0.01,
        ridge_weight: float = 1.0,
        quantization_weight: float = 0.01,
        scale: float | Literal["auto", "2.5/bits"] = "auto",
        rounds: int = 10,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.pairs: Literal["memory", "batch"] = pairs
        self.classification_weight = classification_weight
        self.ridge_weight = ridge_weight
        self.quantization_weight = quantization_weight
        self.scale: float | Literal["auto", "2.5/bits"] = scale
        self.rounds = rounds

    def _recipes_for(self, labels: Labels | None) -> Mapping[str, Any]:
        if self._has_no_backbone():
            return self._recipes
        # At the usual learning rate, an MLP reaches .78 on digits, at this one .95.
        *_, small_images = cast("tuple[Recipe, ...]", RECIPES["skhash"])
        return {**self._recipes, "skhash": (*adapt_to_features(learning_rate=1e-4), small_images)}

    def _has_no_backbone(self) -> bool:
        return self.backbone is None or (isinstance(self.backbone, str) and self.backbone == "auto")

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        scale = self.scale
        if scale == "auto":
            scale = "2.5/bits" if context.samples.kind == "features" and self._has_no_backbone() else 0.5
        return DSDHLoss(
            self.bits,
            context.n_classes,
            self.pairs,
            classification_weight=self.classification_weight,
            ridge_weight=self.ridge_weight,
            quantization_weight=self.quantization_weight,
            scale=scale,
            rounds=self.rounds,
        )
