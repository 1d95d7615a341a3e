"""JMLH: a classifier of random binary codes whose distribution is kept close to that of fair coins.

Shen et al., "Embarrassingly simple binary representation learning", ICCV workshops 2019.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Unpack

from skhash.deep import DeepHasher
from skhash.losses import JMLHLoss
from skhash.nn import HashHead
from skhash.training import Recipe
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from torch import nn

    from skhash.deep import TrainingContext
    from skhash.training import TrainingParameters


class JMLHHasher(DeepHasher):
    r"""Just-maximizing-likelihood hashing: a network computes probabilities of bits, a classifier reads random bits.

    The bits are random in training. Every bit that is far from a fair coin is penalized, so codes store only what
    distinguishes classes (the variational information bottleneck). `transform` returns the most probable bits.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    kl_weight : float, default=0.1
        Weight of the divergence from fair coins, :math:`\lambda` in the equation. OrthoHash's authors use 0.1, the
        method's authors use 0.2 in their code.
    random_codes : bool, default=True
        Whether training draws the codes, as in the paper, or takes the most probable codes, as in the authors' code.
    multilabel_loss : {"softmax", "sigmoid"}, default="softmax"
        For multi-hot labels: softmax with normalized labels, or the paper's binary cross-entropy per label, which
        OrthoHash's authors found to perform badly. Single labels always use the softmax.
    **training
        Parameters of training that all deep hashers share, see `DeepHasher`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share, see `DeepHasher`.

    See Also
    --------
    GreedyHasher : Classifies the most probable code, with a simpler gradient.
    skhash.losses.jmlh_loss : The loss alone.

    Notes
    -----
    With continuous codes v and :math:`p = \sigma(v)`,

    .. math::

        L = \operatorname{CE}(\text{classifier}(b), y) + \lambda \operatorname{mean}_i \sum_k \left(
        p \log\frac{p}{1/2} + (1 - p) \log\frac{1 - p}{1/2} \right)_{ik}, \qquad b \sim \operatorname{Bernoulli}(p)

    The gradient passes from b to p as if they were equal.

    ``recipe="paper"`` has the optimizer, learning rate and batch size of the only public code of the authors, which
    trains on fixed features with ``kl_weight=0.2, random_codes=False``; the number of epochs is the library's.

    References
    ----------
    .. [1] Y. Shen et al. "Embarrassingly simple binary representation learning". ICCV workshops 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, JMLHHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = JMLHHasher(bits=32, max_epochs=50, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **DeepHasher._parameter_constraints,
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "random_codes": ["boolean"],
        "multilabel_loss": [StrOptions({"softmax", "sigmoid"})],
    }

    _recipes = {
        "paper": Recipe(
            batch_size=400, learning_rate=1e-4, backbone_lr_ratio=0.0, schedule="constant", weight_decay=0.0
        )
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        kl_weight: float = 0.1,
        random_codes: bool = True,
        multilabel_loss: Literal["softmax", "sigmoid"] = "softmax",
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.kl_weight = kl_weight
        self.random_codes = random_codes
        self.multilabel_loss = multilabel_loss

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, bias=True)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        return context.build(
            JMLHLoss,
            self.bits,
            context.n_classes,
            random=self.random_codes,
            kl_weight=self.kl_weight,
            multilabel_loss=self.multilabel_loss,
        )
