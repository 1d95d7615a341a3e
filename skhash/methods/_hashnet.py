"""HashNet: the likelihood of pairs of tanh codes, which become signs during training.

Cao, Long, Wang, Yu, "HashNet: deep learning to hash by continuation", ICCV 2017.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.deep import DeepHasher
from skhash.losses import HashNetLoss
from skhash.training import Recipe, Steps, adapt_to_features
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class HashNetHasher(DeepHasher):
    r"""Hashing by continuation: a smooth problem that turns into the binary problem during training.

    Two samples are similar if they share a label. The inner product of their codes gives the probability of being
    similar, and training maximizes the likelihood of the labels. Codes pass through a tanh that becomes steeper over
    the epochs, so the loss gets values closer and closer to signs. As only few pairs are similar, the two kinds of
    pairs are weighted.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    pairs : {"batch", "halves", "memory"}, default="batch"
        Pairs to compare: all samples of a batch; its first half with its second half, as in the authors' code; or a
        batch with the latest code of every training sample, as in the published results of DeepHash-pytorch.
    alpha : {"5/bits", "10/bits"} or float, default="5/bits"
        Scale of the inner product. A number suits one code length only: pairs of short codes are never certain with a
        small one, and gradients of long codes vanish with a large one. The authors use "10/bits", DeepHash-pytorch uses
        0.1, OrthoHash's baselines use 1. "5/bits" was best at 8, 16 and 64 bits on held-out training data.
    pair_weight : {"balanced"}, float or None, default="balanced"
        Weight of similar against dissimilar pairs. "balanced": both kinds have the same total weight, as in ports. A
        number, which the authors set per data set, multiplies each similar pair. None: all pairs weigh the same.
    beta_every : int, default=20
        Epochs after which the tanh becomes steeper, each time.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    LowerBoundHasher : Brings the codes of a class together.
    skhash.losses.hashnet_loss : The loss alone.

    Notes
    -----
    With continuous codes v, and s = 1 for pairs that share a label, a weighted mean over pairs

    .. math::
        L = \operatorname{wmean}_{ij} \; \log(1 + e^{d_{ij}}) - s_{ij} d_{ij}, \qquad
        d_{ij} = \alpha \tanh(\beta v_i) \cdot \tanh(\beta v_j), \qquad
        \beta = \sqrt{1 + \lfloor \text{epoch} / 20 \rfloor}

    The authors count batches instead of epochs: 200 batches. Their 10,000 batches are 72 epochs of the 10,000 training
    images of MS-COCO in ``recipe="paper"``; use ``pairs="halves", alpha="10/bits"`` with it.

    References
    ----------
    .. [1] Z. Cao, M. Long, J. Wang, P. S. Yu. "HashNet: deep learning to hash by continuation". ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, HashNetHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = HashNetHasher(bits=32, learning_rate=0.01, max_epochs=20, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "pairs": [StrOptions({"batch", "halves", "memory"})],
        "alpha": [StrOptions({"5/bits", "10/bits"}), Interval(Real, 0, None, closed="neither")],
        "pair_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="neither"), None],
        "beta_every": [Interval(Integral, 1, None, closed="left")],
    }

    _recipes = {
        "skhash": adapt_to_features(),  # the faster recipe of images loses mAP
        "paper": Recipe(
            max_epochs=72,
            batch_size=72,
            optimizer="sgd",
            learning_rate=3e-3,
            backbone_lr_ratio=0.1,
            schedule=Steps(factor=0.5, at=(0.2, 0.4, 0.6, 0.8)),
        ),
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        pairs: Literal["batch", "halves", "memory"] = "batch",
        alpha: Literal["5/bits", "10/bits"] | float = "5/bits",
        pair_weight: Literal["balanced"] | float | None = "balanced",
        beta_every: int = 20,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.pairs: Literal["batch", "halves", "memory"] = pairs
        self.alpha = alpha
        self.pair_weight = pair_weight
        self.beta_every = beta_every

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return HashNetLoss(self.pairs, beta_every=self.beta_every, alpha=self.alpha, class_weight=self.pair_weight)
