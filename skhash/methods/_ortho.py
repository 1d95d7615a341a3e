"""OrthoHash: maximise the cosine between continuous codes and fixed, nearly orthogonal binary centers; nothing else.

Hoe, Ng, Zhang, Chan, Song, Xiang, "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021.
"""

import math
from numbers import Real

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skhash.losses import OrthoLoss, cosine_quantization_loss
from skhash.methods._centers import CenterHasher
from skhash.nn import HashHead, encode
from skhash.training import RECIPES
from skhash.utils import Interval, StrOptions


class OrthoHasher(CenterHasher):
    r"""Hashing with one loss: classification by cosine similarity to fixed binary centers.

    Every class gets a random binary code, its center, before training. Pulling continuous codes towards the direction
    of their center separates the classes and makes the codes binary at once; batch normalisation balances the bits.
    No other term, no weights between terms.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    margin : float, default=0.5
        How much better than the rest a code must fit its center: m in the equations. The paper's main tables have 0.2;
        in its comparison of margins, as here, larger ones do better.
    margin_type : {"cos", "arc"}, default="cos"
        OrthoCos subtracts the margin from the cosine, OrthoArc adds it to the angle.
    scale : {"sqrt_bits", "adacos"} or float, default="sqrt_bits"
        Steepness of the softmax, s in the equations: the square root of the bits; :math:`\sqrt{2} \log(C - 1)` for C
        classes, at least 1; or a number.
    balance : {"batch_norm", "bihalf"} or None, default="batch_norm"
        What balances the bits: batch normalisation, the bi-half layer, or nothing.
    centers : str or array-like of shape (n_classes, bits), default="bernoulli"
        {centers}
    multilabel_loss : {"softmax", "sigmoid", "sigmoid_imbalanced"}, default="softmax"
        For multi-hot labels: softmax with normalised labels, binary cross-entropy per label, or the latter weighted
        against the imbalance of labels. Single labels always take the softmax.
    quantization_weight : float, default=0.0
        Weight of an additional term, one minus the cosine between continuous and binary code.
    {training_parameters}

    Attributes
    ----------
    {center_attributes}
    {training_attributes}

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

    The authors' script trains multi-label data as single-label on the first label and keeps the best of many
    evaluations on the test queries; here all labels count and the last epoch is what you get, or the best on held-out
    training data with `early_stopping`.

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

    _parameter_constraints: dict = {
        **CenterHasher._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="left")],
        "margin_type": [StrOptions({"cos", "arc"})],
        "scale": [StrOptions({"sqrt_bits", "adacos"}), Interval(Real, 0, None, closed="neither")],
        "balance": [StrOptions({"batch_norm", "bihalf"}), None],
        "multilabel_loss": [StrOptions({"softmax", "sigmoid", "sigmoid_imbalanced"})],
        "quantization_weight": [Interval(Real, 0, None, closed="left")],
    }

    _recipes = {"paper": (RECIPES["orthohash-instance"], RECIPES["orthohash"])}

    def __init__(
        self,
        bits=64,
        *,
        margin=0.5,
        margin_type="cos",
        scale="sqrt_bits",
        balance="batch_norm",
        centers="bernoulli",
        multilabel_loss="softmax",
        quantization_weight=0.0,
        **training,
    ):
        super().__init__(bits, **training)
        self.margin = margin
        self.margin_type = margin_type
        self.scale = scale
        self.balance = balance
        self.centers = centers
        self.multilabel_loss = multilabel_loss
        self.quantization_weight = quantization_weight

    def _make_head(self, in_features):
        return HashHead(in_features, self.bits, self.balance)

    def _make_criterion(self, labels, random_state):
        return OrthoLoss(
            self._make_centers(labels, random_state),
            margin=self.margin,
            scale=self._scale(len(labels.classes)),
            margin_type=self.margin_type,
            multilabel_loss=self.multilabel_loss,
        )

    def _scale(self, n_classes):
        if self.scale == "sqrt_bits":
            return math.sqrt(self.bits)
        if self.scale == "adacos":
            return max(math.sqrt(2) * math.log(n_classes - 1), 1.0)  # log(1) = 0 would leave nothing to learn
        return self.scale

    def _loss(self, network, batch):
        z = network(batch.view(), batch.generator)
        loss = network.criterion(z, batch.targets, **batch.extra_arguments(network.criterion))
        if self.quantization_weight > 0:
            loss = loss + self.quantization_weight * cosine_quantization_loss(z)
        return loss

    def recalibrate(self, X, *, variance=False):
        """Adapt the batch normalisation before the sign to a database from another domain.

        Its learnt affine map is undone and its mean taken anew from `X`, so that every bit is balanced on the new
        database; use the hasher for database and queries afterwards. Without it, codes of a foreign domain can share
        most of their bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            The new database, as in `fit`.
        variance : bool, default=False
            Whether to take the variance anew as well. It scales the continuous codes and changes no bit.

        Returns
        -------
        self : object
            The same hasher. The training codes that `predict` may vote with, and the class centers, stay as they were.

        Raises
        ------
        ValueError
            If the hasher has no batch normalisation.

        References
        ----------
        .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, appendix D.5.
        """
        check_is_fitted(self)
        norm = self.module_.head.balance
        if not isinstance(norm, torch.nn.BatchNorm1d):
            raise ValueError(f"recalibrate needs balance='batch_norm', got balance={self.balance!r}.")
        samples = self._validate(X)
        before = torch.nn.Sequential(self.module_.preprocess, self.module_.backbone, self.module_.head.linear)
        z = torch.from_numpy(np.concatenate(list(encode(before, samples))))
        with torch.no_grad():
            norm.weight.fill_(1.0)
            norm.bias.zero_()
            norm.running_mean.copy_(z.mean(dim=0))
            if variance:
                norm.running_var.copy_(z.var(dim=0, correction=0))
        return self
