"""Base class of all hashers: continuous codes, their bits, and prediction by a vote of the nearest training codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skhash.codes import binarize
from skhash.utils import Interval, are_labels, available_if, encode_dask, is_dask

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skhash.index import HammingIndex
    from skhash.utils import SamplesLike

__all__ = ["BaseHasher"]


def was_given_labels(hasher: Any) -> bool:
    """Return True before `fit` (so that `predict` and `score` raise NotFittedError) and after a `fit` with labels.

    After a `fit` without labels, raise AttributeError, from which `available_if` makes the messages of both.
    """
    if getattr(hasher, "label_index_", True) is None:
        raise AttributeError(
            f"{type(hasher).__name__} was fitted without class labels, so it cannot predict or score; use fit(X, y)."
        )
    return True


class BaseHasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base class of all hashers.

    A subclass implements `fit`, which ends with `_remember_labels`; `_validate`, which checks new samples; and
    `_project`, which yields their continuous codes. The methods `decision_function`, `transform` and `predict` are
    derived from these.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _parameter_constraints: dict[str, Any] = {"bits": [Interval(Integral, 1, None, closed="left")]}

    bits: int
    label_index_: HammingIndex | None
    classes_: Any

    @abstractmethod
    def fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Learn the hash function."""

    @abstractmethod
    def _validate(self, X: Any) -> Any:
        """Check samples against those seen in `fit` and convert them to the input of `_project`."""

    @abstractmethod
    def _project(self, samples: Any) -> Iterator[NDArray[Any]]:
        """Yield blocks of continuous codes of validated samples, ndarrays of shape (rows, bits), in order."""

    def decision_function(self, X: SamplesLike) -> NDArray[np.floating[Any]]:
        """Compute continuous codes: the values whose signs are the bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or any other input of the kind that was passed to `fit`. For a Dask collection the result is a
            lazy one, see `skhash.distributed.encode`.

        Returns
        -------
        z : ndarray of float of shape (n_samples, bits)
            Bit `k` is 1 where `z[:, k] >= 0`; the larger the magnitude, the more certain the bit.
        """
        if is_dask(X):
            return encode_dask(self, X, "decision_function")
        self._check_fitted()
        samples = self._validate(X)
        return gather(self._project(samples), len(samples))

    def transform(self, X: SamplesLike) -> NDArray[np.uint8]:
        """Compute hash codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or any other input of the kind that was passed to `fit`. For a Dask collection the result is a
            lazy one, see `skhash.distributed.encode`.

        Returns
        -------
        codes : ndarray of uint8 of shape (n_samples, bits)
            Bits, 0 or 1. The code of a sample does not depend on the other samples.
        """
        if is_dask(X):
            return encode_dask(self, X, "transform")
        self._check_fitted()
        return self._encode(self._validate_to_encode(X))

    if TYPE_CHECKING:  # scikit-learn's method has no annotations

        def fit_transform(self, X: SamplesLike, y: ArrayLike | None = None) -> NDArray[np.uint8]:
            """Fit, and compute the codes of the training samples."""
            ...

    @available_if(was_given_labels)
    def predict(self, X: SamplesLike) -> NDArray[Any]:
        """Predict class labels by a vote of the nearest training codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, or any other input of the kind that was passed to `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One label per sample, or a multi-hot matrix if `fit` was given one. See `HammingIndex.predict`.
        """
        if is_dask(X):
            return encode_dask(self, X, "predict")
        self._check_fitted()
        assert self.label_index_ is not None  # else `available_if` has hidden this method
        return self.label_index_.predict(self._encode(self._validate_to_encode(X)))

    @available_if(was_given_labels)
    def score(self, X: SamplesLike, y: ArrayLike, **options: Any) -> float:
        """Compute the mean average precision of ranking the training samples for each given sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Queries: features, or any other input of the kind that was passed to `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their labels.
        **options
            Keyword arguments of `skhash.metrics.mean_average_precision`, such as `R=1000`.

        Returns
        -------
        score : float
            From 0 to 1; without options mAP@all with the defaults of `mean_average_precision`. Training samples find
            themselves. `skhash.metrics.make_map_scorer` ranks the given samples instead.
        """
        self._check_fitted()
        assert self.label_index_ is not None  # else `available_if` has hidden this method
        return self.label_index_.score(self._encode(self._validate_to_encode(X)), y, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the hasher to a file, without pickle.

        Parameters
        ----------
        path : str or path-like
            The file, by convention with the suffix ".skh". An existing file stays as it is until the new one is
            complete. `skhash.load` reads it, see `skhash.save`.
        """
        from skhash.io import save  # it knows all estimators

        save(self, path)

    def _check_fitted(self) -> None:
        """Raise NotFittedError before `fit`; scikit-learn's check alone would take as long as encoding one sample."""
        if "label_index_" not in vars(self):
            check_is_fitted(self)

    def _validate_to_encode(self, X: Any) -> Any:
        """Do what `_validate` does, except for checks that `_encode` makes itself."""
        return self._validate(X)

    def _encode(self, samples: Any) -> NDArray[np.uint8]:
        """Compute the codes of validated samples, block by block."""
        return gather((binarize(z) for z in self._project(samples)), len(samples))

    def _remember_labels(self, samples: Any, y: Any) -> None:
        """Store the codes of validated samples with their labels for `predict`; ignore a `y` that is not labels."""
        self._n_features_out = self.bits
        self.label_index_ = None
        vars(self).pop("classes_", None)
        if y is not None:
            check_consistent_length(samples, y)
        if are_labels(y):
            from skhash.index import HammingIndex

            self.label_index_ = HammingIndex().fit(self._encode(samples), y)
            self.classes_ = self.label_index_.classes_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def gather(blocks: Iterable[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    """Copy consecutive blocks of rows into one array; concatenating a list of them would need twice the memory."""
    gathered, start = None, 0
    for block in blocks:
        if gathered is None:
            gathered = np.empty((n_rows, block.shape[1]), block.dtype)
        gathered[start : start + len(block)] = block
        start += len(block)
    return cast("NDArray[Any]", gathered)  # `_validate` raises if there are no samples, so there is a block
