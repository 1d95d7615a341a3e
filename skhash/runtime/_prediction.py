"""Prediction of classes by a packed hasher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.runtime._classes import ClassScores, ClassVotes
from skhash.utils import encode_dask, is_dask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PackedPrediction"]


class PackedPrediction:
    """Mixin that predicts classes from continuous codes."""

    _classes: ClassScores | ClassVotes | None

    if TYPE_CHECKING:

        def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
            """Compute continuous codes."""
            ...

    @property
    def classes(self) -> ClassScores | ClassVotes | None:
        """Scores or votes that `predict` uses, or None."""
        return self._classes

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict class labels, as the hasher with this network does.

        Parameters
        ----------
        X : array-like
            As for `transform`.

        Returns
        -------
        labels : ndarray of shape (n,) or (n, n_classes)
            For a method that learns classes and single labels, the class with the highest score; otherwise a vote of
            the nearest training codes, which for multi-hot labels is a multi-hot matrix.

        Raises
        ------
        AttributeError
            If the classes were not packed with the network.
        """
        if self._classes is None:
            raise AttributeError(
                "This packed hasher has no classes, so it cannot predict; make it with to_packed(classes=True)."
            )
        if is_dask(X):
            return encode_dask(self, X, "predict")
        return self._classes.predict(self.decision_function(X))

    def _set_classes(self, classes: ClassScores | ClassVotes | None, bits: int) -> None:
        if classes is not None and not isinstance(classes, (ClassScores, ClassVotes)):
            raise TypeError(f"classes must be ClassScores, ClassVotes or None, got {type(classes).__name__}.")
        if classes is not None and classes.bits != bits:
            raise ValueError(f"classes are for codes of {classes.bits} bits, the network has {bits}.")
        self._classes = classes
