"""What every hasher shares: continuous codes, their bits, and a vote of the nearest training codes."""

from abc import ABC, abstractmethod
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skhash.codes import binarize
from skhash.utils import Interval, are_labels

__all__ = ["BaseHasher"]


def was_given_labels(hasher):
    """Hold before `fit` (so that `predict` asks to be fitted) and after a `fit` with labels."""
    if getattr(hasher, "label_index_", True) is None:
        raise AttributeError(
            f"{type(hasher).__name__} was fitted without class labels, so it cannot predict any; use fit(X, y)."
        )
    return True


class BaseHasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base class of all hashers.

    A subclass implements `fit`, which ends with `_remember_labels`; `_validate`, which checks new samples; and
    `_project`, which yields their continuous codes. `decision_function`, `transform` and `predict` follow from these.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _parameter_constraints: dict = {"bits": [Interval(Integral, 1, None, closed="left")]}

    @abstractmethod
    def fit(self, X, y=None):
        """Learn the hash function."""

    @abstractmethod
    def _validate(self, X):
        """Check samples against those seen in `fit` and bring them to what `_project` takes."""

    @abstractmethod
    def _project(self, samples):
        """Yield blocks of continuous codes of validated samples, ndarrays of shape (rows, bits), in order."""

    def decision_function(self, X):
        """Compute continuous codes: the values whose signs are the bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or whatever else the hasher was fitted on.

        Returns
        -------
        z : ndarray of float of shape (n_samples, bits)
            Bit `k` is 1 where `z[:, k] >= 0`; a large magnitude is a sure bit.
        """
        check_is_fitted(self)
        samples = self._validate(X)
        return _gather(self._project(samples), len(samples))

    def transform(self, X):
        """Compute hash codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or whatever else the hasher was fitted on.

        Returns
        -------
        codes : ndarray of uint8 of shape (n_samples, bits)
            Bits, 0 or 1. A sample's code does not depend on the samples beside it.
        """
        check_is_fitted(self)
        return self._encode(self._validate(X))

    @available_if(was_given_labels)
    def predict(self, X):
        """Predict class labels by a vote of the nearest training codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or whatever else the hasher was fitted on.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One label per sample, or a multi-hot matrix if `fit` was given one. See `HammingIndex.predict`.
        """
        check_is_fitted(self)
        return self.label_index_.predict(self._encode(self._validate(X)))

    def _encode(self, samples):
        """Compute the codes of validated samples, block by block."""
        return _gather(map(binarize, self._project(samples)), len(samples))

    def _remember_labels(self, samples, y):
        """Keep the codes of validated samples with their labels for `predict`; a `y` of no labels is ignored."""
        self._n_features_out = self.bits
        self.label_index_ = None
        vars(self).pop("classes_", None)
        if y is not None:
            check_consistent_length(samples, y)
        if are_labels(y):
            from skhash.index import HammingIndex

            self.label_index_ = HammingIndex().fit(self._encode(samples), y)
            self.classes_ = self.label_index_.classes_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _gather(blocks, n_rows):
    """Fill one array with consecutive blocks of rows; a list of them would need twice the memory."""
    gathered, start = None, 0
    for block in blocks:
        if gathered is None:
            gathered = np.empty((n_rows, block.shape[1]), block.dtype)
        gathered[start : start + len(block)] = block
        start += len(block)
    return gathered
