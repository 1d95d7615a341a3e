"""Hashers that are one matrix: the sign of a linear projection."""

from abc import abstractmethod

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.validation import validate_data

from skhash.base import BaseHasher
from skhash.utils import fit_context

_BLOCK_ROWS = 4096


class LinearHasher(BaseHasher):
    """Base class of linear hashers: bit `k` is the sign of `(x - mean_) @ components_[k]`.

    A subclass supplies `_fit_projection`. Nothing is learnt by mini-batches, so `y` is only kept for `predict`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    @abstractmethod
    def _fit_projection(self, X):
        """Set `components_` of shape (bits, n_features) and `mean_` of shape (n_features,) from validated data."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the projection.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix: ignored in training, kept with the training codes for `predict`.

        Returns
        -------
        self : object
            The fitted hasher.
        """
        X = self._validate(X, reset=True)
        self._fit_projection(X)
        self._remember_labels(X, y)
        return self

    def _validate(self, X, reset=False):
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"{type(self).__name__} takes features of shape (n_samples, n_features), got X of shape "
                f"{tuple(X.shape)}: flatten the images, or train a deep hasher on them."
            )
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)

    def _project(self, X):
        # Matrix products round differently in different company (block sizes, threads). What is zero up to that
        # rounding, as bits beyond the rank of the data are, must not get a random sign: it is set to zero.
        noise = X.shape[1] * np.finfo(np.float64).eps * np.linalg.norm(self.components_, axis=1)
        for rows in gen_batches(len(X), _BLOCK_ROWS):
            centered = X[rows].astype(np.float64) - self.mean_
            z = centered @ self.components_.T
            z[np.abs(z) <= np.linalg.norm(centered, axis=1)[:, None] * noise] = 0.0
            yield z
