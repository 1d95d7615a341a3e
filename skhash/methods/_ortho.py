"""OrthoHash: maximize the cosine between continuous codes and fixed, nearly orthogonal binary centers.

Hoe, Ng, Zhang, Chan, Song, Xiang, "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021.
"""

from __future__ import annotations

import math
import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skhash.losses import OrthoLoss, cosine_quantization_loss, label_log_odds
from skhash.methods._centers import CenterHasher
from skhash.nn import HashHead, encode
from skhash.training import RECIPES
from skhash.utils import Interval, StrOptions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor, nn

    from skhash.deep import TrainingContext
    from skhash.nn import HashNetwork
    from skhash.training import Batch, TrainingParameters
    from skhash.utils import Labels, SamplesLike

_SPARSE = 0.1  # share of labels that are set


class OrthoHasher(CenterHasher):
    r"""Hashing with one loss: classification by cosine similarity to fixed binary centers.

    Every class gets a random binary code, its center, before training. Pulling continuous codes toward the direction
    of their center separates the classes and makes the codes binary at once; batch normalization balances the bits.
    There are no other terms, and so no weights between terms.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    margin : float, default=0.5
        Margin by which the cosine to the right center must exceed the others: m in the equations. The paper's main
        tables have 0.2; in its comparison of margins, as in ours, larger margins do better.
    margin_type : {"cos", "arc"}, default="cos"
        OrthoCos subtracts the margin from the cosine, OrthoArc adds it to the angle.
    scale : {"sqrt_bits", "adacos"} or float, default="sqrt_bits"
        Steepness of the softmax, s in the equations: the square root of the bits; :math:`\sqrt{2} \log(C - 1)` for C
        classes, at least 1; or a number.
    balance : {"batch_norm", "bihalf"} or None, default="batch_norm"
        Layer that balances the bits: batch normalization, the bi-half layer, or none.
    centers : str or array-like of shape (n_classes, bits), default="bernoulli"
        Method that makes the centers, see `skhash.centers.make_hash_centers`; or the centers themselves, entries -1 or
        +1, in the order of `classes_`.
    multilabel_loss : {"softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"}, default="softmax"
        For multi-hot labels: softmax with normalized labels; binary cross-entropy per label, which is for labels that
        many samples have, see the notes; the same with each label's log odds in the training data, as its samples are
        weighted, added to its logit (those of the first call in `partial_fit`); or weighted against the imbalance of
        labels. Single labels always use the softmax.
    likelihood_weight : float, default=10.0
        For multi-hot labels only: weight of the likelihood of pairs that is added to the loss, that of `HashNetHasher`.
        0 is the paper's rule.
    quantization_weight : float, default=0.0
        Weight of an additional term, one minus the cosine between continuous and binary code.
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
    HammingIndex : Searches the codes.
    skhash.losses.ortho_loss : The loss alone.

    Notes
    -----
    With :math:`\cos\theta_{il}` between continuous code i and center l, labels y and :math:`q_i = y_i / \sum_l y_{il}`,

    .. math::

        L = -\frac{1}{N} \sum_i \sum_l q_{il} \log \operatorname{softmax}_l(z_i), \qquad
        z_{il} = s (\cos\theta_{il} - m y_{il}) \text{ or } s \cos(\theta_{il} + m y_{il})

    With "sigmoid", labels that a sample lacks count as much as those that it has. If it has few, all codes are pushed
    away from the mean of the centers, and bits in which the centers are out of balance become constant: with 80 labels,
    3 a sample, 11 to 23 of 64 bits. Nothing in the paper's definition opposes this; there, too, "sigmoid" is far behind
    "sigmoid_imbalanced" and "softmax" (table 5). `fit` warns if less than a tenth of the labels are set. The cause is
    that a cosine has no intercept: "sigmoid_prior" adds the log odds of each label to its logit.

    Centers of sets of labels cancel each other out in many bits. For multi-hot labels, `likelihood_weight` therefore
    adds the likelihood of all pairs in the batch to share a label, the loss of `HashNetHasher`. With
    ``likelihood_weight=0`` the rule is the paper's.

    The authors' script trains on the first label of multi-label data and keeps the best of many evaluations on the test
    queries. Here all labels count, and the last epoch is kept, or with `early_stopping` the best epoch on held-out
    training data.

    References
    ----------
    .. [1] J. T. Hoe, K. W. Ng, T. Zhang, C. S. Chan, Y.-Z. Song, T. Xiang. "One loss for all: deep hashing with a
       single cosine similarity based learning objective". NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, OrthoHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = OrthoHasher(bits=32, max_epochs=10, random_state=0).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.8
    True
    """

    _parameter_constraints: dict[str, Any] = {
        **CenterHasher._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="left")],
        "margin_type": [StrOptions({"cos", "arc"})],
        "scale": [StrOptions({"sqrt_bits", "adacos"}), Interval(Real, 0, None, closed="neither")],
        "balance": [StrOptions({"batch_norm", "bihalf"}), None],
        "multilabel_loss": [StrOptions({"softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"})],
        "likelihood_weight": [Interval(Real, 0, None, closed="left")],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {"paper": (RECIPES["orthohash-instance"], RECIPES["orthohash"])}

    def __init__(
        self,
        bits: int = 64,
        *,
        margin: float = 0.5,
        margin_type: Literal["cos", "arc"] = "cos",
        scale: Literal["sqrt_bits", "adacos"] | float = "sqrt_bits",
        balance: Literal["batch_norm", "bihalf"] | None = "batch_norm",
        centers: str | ArrayLike = "bernoulli",
        multilabel_loss: Literal["softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"] = "softmax",
        likelihood_weight: float = 10.0,
        quantization_weight: float = 0.0,
        **training: Unpack[TrainingParameters],
    ) -> None:
        super().__init__(bits, **training)
        self.margin = margin
        self.margin_type = margin_type
        self.scale: Literal["sqrt_bits", "adacos"] | float = scale
        self.balance: Literal["batch_norm", "bihalf"] | None = balance
        self.centers = centers
        self.multilabel_loss: Literal["softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"] = multilabel_loss
        self.likelihood_weight = likelihood_weight
        self.quantization_weight = quantization_weight

    def _check_labels(self, y: ArrayLike | None, labels: Labels | None, *, resume: bool) -> None:
        super()._check_labels(y, labels, resume=resume)
        if labels is None or not labels.multilabel or self.multilabel_loss != "sigmoid":
            return
        share = labels.codes.mean()
        if share < _SPARSE:
            warnings.warn(
                f"Only {share:.1%} of the labels are set, so those that are not set outweigh them in "
                "multilabel_loss='sigmoid', and bits may become constant: use 'softmax' or 'sigmoid_prior'.",
                stacklevel=2,
            )

    def _make_head(self, in_features: int) -> nn.Module:
        return HashHead(in_features, self.bits, self.balance)

    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        log_odds = None
        if self.multilabel_loss == "sigmoid_prior" and context.labels is not None and context.labels.multilabel:
            targets = cast("Tensor", context.targets(torch.device("cpu")))
            log_odds = label_log_odds(targets, context.weights)
        return OrthoLoss(
            self._make_centers(context),
            log_odds,
            margin=self.margin,
            scale=self._scale(context.n_classes),
            margin_type=self.margin_type,
            multilabel_loss=self.multilabel_loss,
            likelihood_weight=self.likelihood_weight,
        )

    def _scale(self, n_classes: int) -> float:
        if self.scale == "sqrt_bits":
            return math.sqrt(self.bits)
        if self.scale == "adacos":
            return max(math.sqrt(2) * math.log(n_classes - 1), 1.0)  # log(1) = 0 would give a constant loss
        assert not isinstance(self.scale, str)
        return self.scale

    def _loss(self, network: HashNetwork, batch: Batch) -> Tensor:
        z = network(batch.view(), batch.generator)
        loss = network.criterion(z, batch.targets, **batch.extra_arguments(network.criterion))
        if self.quantization_weight > 0:
            loss = loss + self.quantization_weight * cosine_quantization_loss(z)
        return loss

    def recalibrate(self, X: SamplesLike, *, variance: bool = False) -> Self:
        """Adapt the batch normalization before the sign to a database from another domain.

        Its learned affine map is removed and its mean is computed from `X`, so that every bit is balanced on the new
        database. Encode both database and queries afterwards. Without recalibration, codes of another domain can share
        most of their bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            The new database, as in `fit`.
        variance : bool, default=False
            Whether to compute the variance from `X` as well. It scales continuous codes and does not change any bit.

        Returns
        -------
        self : object
            The same hasher. The training codes that vote in `predict`, and the class centers, do not change.

        Raises
        ------
        ValueError
            If the hasher does not have batch normalization.

        References
        ----------
        .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, appendix D.5.
        """
        check_is_fitted(self)
        head: Any = self.module_.head
        norm = getattr(head, "balance", None)
        if not isinstance(norm, torch.nn.BatchNorm1d):
            raise ValueError(f"recalibrate needs balance='batch_norm', got balance={self.balance!r}.")
        samples = self._validate(X)
        before = torch.nn.Sequential(self.module_.preprocess, self.module_.backbone, head.linear)
        z = torch.from_numpy(np.concatenate(list(encode(before, samples))))
        mean, var = norm.running_mean, norm.running_var
        assert mean is not None
        assert var is not None
        with torch.no_grad():
            norm.weight.fill_(1.0)
            norm.bias.zero_()
            mean.copy_(z.mean(dim=0))
            if variance:
                var.copy_(z.var(dim=0, correction=0))
        return self
