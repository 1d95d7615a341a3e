"""PosteriorHasher: codes of the probabilities that a classifier gives to the classes."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import validate_data

from skhash.base import BaseHasher
from skhash.centers import make_hash_centers
from skhash.index import HammingIndex
from skhash.methods._posterior_classifier import (
    best_temperature,
    choose_strength,
    draw_folds,
    fit_linear,
    given,
    in_passes,
    linear,
    logits_of,
    to_posteriors,
    unseen_logits,
)
from skhash.methods._posterior_coding import expand, learn_coder
from skhash.utils import (
    Interval,
    StrOptions,
    fit_context,
    is_plain,
    local_random_state,
    read_labels,
    restore_on_error,
    unwrap_features,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import Labels, RandomStateLike, SamplesLike

_ROWS = 64  # of a pass


class PosteriorHasher(BaseHasher):
    r"""Codes whose Hamming distance says how probably two samples are of the same class.

    A classifier is trained first, by default a logistic regression. The probabilities that it gives to the classes are
    then mapped to bits, so that not only the class of a sample but also the certainty about it is in the code: a map
    is trained for the expected average precision of codes that rank one another. It needs no image and no network, and
    no GPU: seconds for thousands of samples.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    classifier : estimator with `predict_proba`, default=None
        A clone of it is fitted, and copies of it in cross-validation. With ``FrozenEstimator(fitted)`` a fitted one is
        used as it is; `fit` should then get samples that it has not seen. None is a logistic regression on standardized
        features, or one for each label if samples may have several.
    C : float or "auto", default="auto"
        Inverse strength of the regularization of the logistic regression. "auto" chooses it by the log loss of the
        first fold. Ignored with a `classifier`.
    temperature : float or "auto", default="auto"
        Number that logarithms of probabilities are divided by, before they are normalized again. "auto" is the one for
        which samples of the other folds have the smallest log loss, so that a classifier may be too sure of itself.
    n_folds : int, default=5
        Number of folds. The map to bits is trained with the probabilities of samples by classifiers that have not seen
        them: those of the classifier's own training samples are too good.
    max_iter : int, default=300
        Steps of the training of the map. With 0 it stays what it begins with, the `centers_` weighted by probabilities
        and their roots.
    batch_size : int, default=500
        Samples of a step, which rank one another.
    learning_rate : float, default=0.05
        Size of the first step; the last is nearly 0.
    random_state : int, RandomState instance or None, default=None
        Seeds folds, centers and batches.

    Attributes
    ----------
    components_ : ndarray of shape (n_classes, n_features)
        Coefficients of the logistic regression, without a `classifier`.
    mean_ : ndarray of shape (n_features,)
        Training mean, without a `classifier`.
    intercept_ : ndarray of shape (n_classes,)
        Logits at the mean, without a `classifier`.
    C_ : float
        The strength that was used, without a `classifier`.
    classifier_ : estimator or None
        The fitted `classifier`, None without one.
    temperature_ : float
        The temperature that was used.
    centers_ : ndarray of int8 of shape (n_classes, bits)
        Hash centers that the map's training began with.
    code_components_ : ndarray of shape (bits, 3 * n_classes)
        The map to bits, see Notes.
    code_intercept_ : ndarray of shape (bits,)
        Its constant part.
    expected_precisions_ : ndarray of shape (max_iter,)
        Expected average precision of the batch of every step.
    n_iter_ : int
        Number of steps, which is `max_iter`.
    multilabel_ : bool
        Whether samples may have several labels.
    label_index_ : HammingIndex
        Training codes with their labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for multi-hot labels.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    CSQHasher : Trains a network to map samples to the centers of their classes.
    skhash.centers.make_hash_centers : Makes the centers.

    Notes
    -----
    With the probabilities p of a sample and q of another one, the two are of the same class with probability
    :math:`r = \sum_c p_c q_c` (of labels, :math:`r = 1 - \prod_c (1 - p_c q_c)` that they share one). The code is

    .. math::

        b(p) = \operatorname{sgn}\left(W [p, p^{1/2}, p^{1/4}] + w\right)

    Roots make small probabilities count, so bits of a class flip one after another as certainty decreases. W and w
    maximize the mean over the samples of

    .. math::

        \operatorname{AP} = \frac{\sum_d h_d P_d}{\sum_d h_d}, \qquad
        P_d = \frac{2 H_d - h_d}{2 N_d - n_d}

    where, of the other samples in the batch, :math:`n_d` is the number of those at distance d, :math:`h_d` the sum of
    their r, and N and H are the sums up to d. A distance between two integers counts in part for either, and the
    gradient passes the sign as that of tanh.

    The lower bound of [2]_ explains what is gained: average precision is at least proportional to the least distance of
    class centers divided by the largest distance of a code to its own center. With centers alone, a sample of which the
    classifier is not sure gets the code of one class, and if that is wrong it is as far from its own center as centers
    are apart. Here such a sample is between the centers of the classes that it may belong to, so that the largest
    distances within classes fall, and those of sure samples do not.

    References
    ----------
    .. [1] K. He, F. Cakir, S. A. Bargal, S. Sclaroff. "Hashing as tie-aware learning to rank". CVPR 2018. Average
       precision of histograms of distances.
    .. [2] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance". NeurIPS 2022.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger. "On calibration of modern neural networks". ICML 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, PosteriorHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = PosteriorHasher(bits=32, random_state=0).fit(X[500:], y[500:])
    >>> index = HammingIndex().fit(hasher.transform(X[500:]), y[500:])
    >>> index.score(hasher.transform(X[:500]), y[:500]) > 0.9
    True
    """

    components_: NDArray[np.float64]
    mean_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    classifier_: Any

    _parameter_constraints: dict[str, Any] = {
        **BaseHasher._parameter_constraints,
        "classifier": [None, BaseEstimator],
        "C": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "temperature": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        bits: int = 64,
        *,
        classifier: Any = None,
        C: float | Literal["auto"] = "auto",
        temperature: float | Literal["auto"] = "auto",
        n_folds: int = 5,
        max_iter: int = 300,
        batch_size: int = 500,
        learning_rate: float = 0.05,
        random_state: RandomStateLike = None,
    ) -> None:
        self.bits = bits
        self.classifier = classifier
        self.C: float | Literal["auto"] = C
        self.temperature: float | Literal["auto"] = temperature
        self.n_folds = n_folds
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Train the classifier, then the map from its probabilities to bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features, or what the `classifier` takes if it is an array with more dimensions.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels or a multi-hot matrix.

        Returns
        -------
        self : object
            The fitted hasher.

        Raises
        ------
        TypeError
            If the classifier has no `predict_proba`.
        ValueError
            If there are less than two classes or samples, or the classifier's probabilities do not fit the classes.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: class labels or a multi-hot "
                "matrix."
            )
        with restore_on_error(self, ("n_features_in_", "feature_names_in_")):
            samples = self._validate(X, reset=True)
            labels = read_labels(y, n_samples=len(samples))
            n_classes = len(labels.classes)
            if len(samples) < 2 or n_classes < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least 2 training samples and 2 classes, got "
                    f"n_samples={len(samples)}, {n_classes} class{'es' * (n_classes != 1)}."
                )
            self._learn(samples, labels)
        # `_remember_labels` would forget `classes_`, which tell whose probabilities the classifier's are.
        self._n_features_out = self.bits
        self.label_index_ = HammingIndex().fit(self._encode(samples), y)
        return self

    def _learn(self, samples: NDArray[Any], labels: Labels) -> None:
        random_state = local_random_state(self.random_state)
        folds = draw_folds(labels, min(self.n_folds, len(labels)), random_state)
        for name in ("components_", "mean_", "intercept_", "C_"):  # of an earlier fit
            vars(self).pop(name, None)
        self.classifier_ = None
        if self.classifier is None:
            self.C_ = choose_strength(samples, labels, folds) if isinstance(self.C, str) else float(self.C)
            self.components_, self.mean_, self.intercept_ = fit_linear(samples, labels, self.C_)
            fit = linear(self.C_)
        else:
            if not hasattr(self.classifier, "predict_proba"):
                raise TypeError(f"classifier must have a method predict_proba, got {self.classifier!r}.")
            unfitted: Any = clone(self.classifier)
            self.classifier_ = unfitted.fit(samples, labels.decode())
            fit = given(self.classifier)
        logits, rows = unseen_logits(fit, samples, labels, folds)
        logits, some = logits[rows], labels[rows]
        automatic = isinstance(self.temperature, str)
        self.temperature_ = best_temperature(logits, some) if automatic else float(self.temperature)
        self.multilabel_ = labels.multilabel
        self.centers_ = make_hash_centers(len(labels.classes), self.bits, random_state=random_state)
        self.code_components_, self.code_intercept_, scores = learn_coder(
            to_posteriors(logits / self.temperature_, labels.multilabel),
            self.centers_,
            multilabel=labels.multilabel,
            max_iter=self.max_iter,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            random_state=random_state,
        )
        self.expected_precisions_, self.n_iter_ = np.array(scores), self.max_iter
        self.classes_ = labels.classes

    def _validate(self, X: Any, reset: bool = False) -> NDArray[Any]:
        if not reset and is_plain(X, self):
            return X
        X = unwrap_features(X)
        more = self.classifier is not None
        if getattr(X, "ndim", 2) > 2 and not more:
            raise ValueError(
                f"{type(self).__name__} takes features of shape (n_samples, n_features), got X of shape "
                f"{tuple(X.shape)}: flatten the images, give a classifier of images, or train a deep hasher on them."
            )
        dtype = "numeric" if more else (np.float64, np.float32)
        return cast("NDArray[Any]", validate_data(self, X, dtype=dtype, allow_nd=more, reset=reset))

    def _project(self, samples: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
        yield from in_passes(self._code_values, samples, _ROWS)

    def _code_values(self, samples: NDArray[Any]) -> NDArray[np.float64]:
        """Compute continuous codes of as many samples as a pass has."""
        if self.classifier_ is None:
            logits = (samples.astype(np.float64) - self.mean_) @ self.components_.T + self.intercept_
        else:
            logits = logits_of(self.classifier_, samples, self.classes_, self.multilabel_)
        inputs = expand(to_posteriors(logits / self.temperature_, self.multilabel_))
        return inputs @ self.code_components_.T + self.code_intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
