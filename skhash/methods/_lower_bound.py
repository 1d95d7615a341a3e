"""LBHash: raise a lower bound of average precision by a learnt estimate of how probable the right code is.

Zhu, Song, Lei, Gao, Shen, "A lower bound of hash codes' performance", NeurIPS 2022.
"""

from numbers import Integral, Real

import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skhash.base import BaseHasher
from skhash.centers import CENTER_METHODS, make_hash_centers
from skhash.deep import DeepHasher
from skhash.losses import PosteriorSurrogate
from skhash.methods._centers import warn_of_equal_centers
from skhash.nn import build
from skhash.utils import Interval, StrOptions, fit_context


def _of_estimator(name):
    return property(lambda self: getattr(self.estimator_, name))


class LowerBoundHasher(BaseHasher):
    r"""Any supervised deep hasher, trained to bring the codes of a class together as well, far from other classes.

    Average precision is high if classes are far apart and the codes of one class near each other: a lower bound of it
    grows with the smallest distance between the centers of classes over the largest of a code from its center. So every
    class gets a center before training, far from all others, and the hasher is trained to make it probable that a
    sample has the code of its center. How probable that is, is what a *surrogate* tells: small networks that learn,
    beside the hasher and from what it puts out, the joint distribution of blocks of bits.

    Parameters
    ----------
    estimator : DeepHasher
        A supervised deep hasher, such as ``HashNetHasher(bits=32)``. A clone of it is trained; recipe, epochs, early
        stopping, callbacks, device and seed are its own.
    surrogate_weight : float, default=1.0
        Weight of the surrogate's loss against the estimator's own: w in the equations. `CSQHasher`, whose own loss says
        the same in another way, is trained with the surrogate's alone, as by the authors; so it must not be 0 there.
    center_method : str, default="auto"
        How to make the centers, see `skhash.centers.make_hash_centers`. An estimator that has centers keeps them.
    block_bits : int, default=8
        Bits of a block, from 1 to 16; a block has 2 to this power joint probabilities. The last block may be shorter.
    surrogate_learning_rate : float, default=1e-3
        Learning rate of the surrogate's optimiser, Adam, at its highest. It follows the estimator's schedule.
    multilabel_sum : {"normalized", "raw"}, default="normalized"
        What happens to the losses of a sample's several centers: their mean, or their sum as in the paper.

    Attributes
    ----------
    estimator_ : DeepHasher
        The trained hasher.
    surrogate_ : skhash.losses.PosteriorSurrogate
        The trained surrogate.
    centers_ : ndarray of int8 of shape (n_classes, bits)
        The hash centers, entries -1 or +1.
    history_ : list of dict
        Of the estimator; "loss" is what it was trained with, the surrogate's part included.
    label_index_ : HammingIndex
        Training codes with their labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for multi-hot labels.
    n_features_in_ : int
        Number of features seen during `fit`, if it was features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    skhash.losses.PosteriorSurrogate : The surrogate and both of its losses.
    skhash.centers.make_hash_centers : Makes the centers.

    Notes
    -----
    With continuous codes :math:`\ell = F_\theta(x)`, before any tanh, in blocks j; the surrogate's probability
    :math:`P_\pi(b \mid \ell_j)` of a block's bits; and the center c of the sample's class, every batch takes two steps:

    .. math::
        L_\pi = -\operatorname{mean} \sum_j \log P_\pi(\operatorname{sgn} \ell_j \mid \ell_j), \qquad
        \pi \leftarrow \pi - \eta_1 \nabla_\pi L_\pi

    .. math::
        L_\theta = -\operatorname{mean} \sum_j \log P_\pi(c_j \mid \ell_j), \qquad
        \theta \leftarrow \theta - \eta_2 \nabla_\theta (L_X + w L_\theta)

    with :math:`L_X` the estimator's own loss. The surrogate learns nothing from :math:`L_\theta`, or it would come to
    call everything a center. No weight is printed in the paper; 1 is the plain reading. ``recipe="lbhash"`` of the
    estimator is how the authors trained all methods. They predict by a vote of the 100 nearest training codes, or by
    the classifier of a method that has one: `predict` is that of the estimator.

    Short codes of a weak method gain most; those that are good already, as `DCHHasher`'s are on small data, can lose.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance". NeurIPS 2022,
       algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, HashNetHasher, LowerBoundHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hashnet = HashNetHasher(bits=16, learning_rate=0.01, max_epochs=30, random_state=0)
    >>> hasher = LowerBoundHasher(hashnet).fit(X[200:], y[200:])
    >>> index = HammingIndex().fit(hasher.transform(X[200:]), y[200:])
    >>> index.score(hasher.transform(X[:200]), y[:200]) > 0.7
    True
    """

    _parameter_constraints: dict = {
        "estimator": [DeepHasher],
        "surrogate_weight": [Interval(Real, 0, None, closed="left")],
        "center_method": [StrOptions(set(CENTER_METHODS))],
        "block_bits": [Interval(Integral, 1, 16, closed="both")],
        "surrogate_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "multilabel_sum": [StrOptions({"normalized", "raw"})],
    }

    def __init__(
        self,
        estimator,
        *,
        surrogate_weight=1.0,
        center_method="auto",
        block_bits=8,
        surrogate_learning_rate=1e-3,
        multilabel_sum="normalized",
    ):
        self.estimator = estimator
        self.surrogate_weight = surrogate_weight
        self.center_method = center_method
        self.block_bits = block_bits
        self.surrogate_learning_rate = surrogate_learning_rate
        self.multilabel_sum = multilabel_sum

    # What is the trained hasher's is looked up there, so that there is one truth.
    history_ = _of_estimator("history_")
    label_index_ = _of_estimator("label_index_")
    classes_ = _of_estimator("classes_")
    n_features_in_ = _of_estimator("n_features_in_")
    feature_names_in_ = _of_estimator("feature_names_in_")
    _n_features_out = _of_estimator("_n_features_out")

    @property
    def surrogate_(self):
        """The trained surrogate."""
        return self.estimator_.module_.criterion.surrogate

    @property
    def bits(self):
        """Code length of the estimator."""
        return self.estimator.bits

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Train a clone of the estimator together with the surrogate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Whatever the estimator takes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix. May be left out for a Dataset that has labels.

        Returns
        -------
        self : object
            The fitted hasher.

        Raises
        ------
        ValueError
            If the estimator is unsupervised or has `warm_start`, or if nothing would be learnt.
        """
        if not (self.estimator._needs_labels or getattr(self.estimator, "_learns_labels", False)):
            raise ValueError(f"estimator must be a supervised deep hasher, got {self.estimator!r}.")
        if self.estimator.warm_start:
            raise ValueError(
                "estimator must have warm_start=False, got warm_start=True: LowerBoundHasher trains a new clone of it "
                "in every fit."
            )
        if not self.estimator._keeps_own_loss and self.surrogate_weight == 0:
            raise ValueError(
                f"surrogate_weight must be positive for {type(self.estimator).__name__}, which is trained with the "
                "surrogate's loss alone, got 0."
            )
        self.estimator_ = clone(self.estimator)._fit(X, y, self._wrap)
        self.centers_ = self.estimator_.module_.criterion.centers.detach().cpu().numpy().astype("int8")
        return self

    def _wrap(self, criterion, labels, recipe, random_state, generator):
        """Make the loss that an untrained network of the estimator is to have, from that of the estimator."""
        if labels is None:
            raise ValueError("LowerBoundHasher requires y to be passed, but the target y is None.")
        if not hasattr(criterion, "centers"):
            n_classes = len(labels.classes)
            centers = make_hash_centers(n_classes, self.bits, method=self.center_method, random_state=random_state)
            warn_of_equal_centers(centers, "center_method")
            criterion.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        return _LowerBoundLoss(
            criterion,
            build(PosteriorSurrogate, self.bits, self.block_bits, generator=generator),
            keeps_own_loss=self.estimator._keeps_own_loss,
            weight=self.surrogate_weight,
            multilabel=self.multilabel_sum,
            # As a share of the estimator's, which the schedule changes.
            relative_learning_rate=self.surrogate_learning_rate / recipe.learning_rate,
        )

    def _validate(self, X):
        return self.estimator_._validate(X)

    def _project(self, samples):
        return self.estimator_._project(samples)

    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Whatever the estimator takes.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            By the classifier of an estimator that has one, otherwise by a vote of the nearest training codes.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _LowerBoundLoss(nn.Module):
    """A method's criterion, and the surrogate, which takes a step of its own before each of the network's.

    Whatever else the method asks its criterion for, such as centers or a classifier, is the criterion's own.
    """

    def __init__(self, criterion, surrogate, *, keeps_own_loss, weight, multilabel, relative_learning_rate):
        super().__init__()
        self.criterion = criterion
        self.surrogate = surrogate
        self.keeps_own_loss = keeps_own_loss
        self.weight = weight
        self.multilabel = multilabel
        self.relative_learning_rate = relative_learning_rate
        self._optimizer = None

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("criterion"), name)

    def __getstate__(self):
        return {**self.__dict__, "_optimizer": None}  # belongs to a training, not to a model

    def forward(self, z, targets, *, batch, **own):
        """Train the surrogate by a step, then compute the loss for the network, which gives the surrogate nothing."""
        if self.training:
            self._step_surrogate(z.detach(), batch)
        loss = self.weight * self.surrogate.center_loss(
            z, targets, self.centers, multilabel=self.multilabel, generator=batch.generator, frozen=True
        )
        if self.keeps_own_loss:
            loss = loss + self.criterion(z, targets, **own, **batch.extra_arguments(self.criterion))
        return loss

    def _step_surrogate(self, z, batch):
        learning_rate = self.relative_learning_rate * batch.learning_rate
        if self._optimizer is None:
            self._optimizer = torch.optim.Adam(self.surrogate.parameters())
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self.surrogate.surrogate_loss(z, z, generator=batch.generator).backward()
        self._optimizer.step()
        # The network's optimiser has these weights, too; it passes over those without a gradient.
        self._optimizer.zero_grad(set_to_none=True)
