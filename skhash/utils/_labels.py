"""Read class labels or a multi-hot matrix."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LABEL_TYPES = ("binary", "multiclass", "multilabel-indicator")


@dataclass(frozen=True)
class Labels:
    """Encoded labels of `n` samples.

    Parameters
    ----------
    codes : ndarray
        `(n,)` int64 positions in `classes` for single labels; `(n, n_classes)` uint8 for multi-hot labels.
    classes : ndarray of shape (n_classes,)
        The distinct labels, sorted; column numbers for multi-hot labels.
    """

    codes: NDArray[Any]
    classes: NDArray[Any]

    @property
    def multilabel(self) -> bool:
        """Whether a sample can have several labels."""
        return self.codes.ndim == 2

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Labels:
        return Labels(self.codes[rows], self.classes)

    def decode(self) -> NDArray[Any]:
        """Return the labels in their original form: class labels (n,) or a multi-hot matrix."""
        return self.codes if self.multilabel else self.classes[self.codes]

    def multi_hot(self) -> NDArray[np.uint8]:
        """Return the labels as a 0/1 matrix of shape (n, n_classes)."""
        if self.multilabel:
            return self.codes
        return (self.codes[:, None] == np.arange(len(self.classes))).astype(np.uint8)


def are_labels(y: ArrayLike | None) -> bool:
    """Check whether `y` holds class labels or a multi-hot matrix, rather than None or a regression target.

    Parameters
    ----------
    y : array-like or None
        The targets.

    Returns
    -------
    valid : bool
        Whether `read_labels` accepts `y`.
    """
    return y is not None and _label_type(_to_numpy(y), "y") in _LABEL_TYPES


def read_labels(
    y: ArrayLike,
    *,
    name: str = "y",
    n_samples: int | None = None,
    classes: ArrayLike | None = None,
) -> Labels:
    """Read class labels or a multi-hot matrix.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_classes)
        Class labels (integers, strings, bool), or a 0/1 matrix with one column per class.
    name : str, default="y"
        Name of the argument in error messages.
    n_samples : int, default=None
        Required number of rows of `y`; None accepts any.
    classes : array-like of shape (n_classes,), default=None
        The known classes, sorted. Labels outside of them are an error; None takes the classes from `y`.

    Returns
    -------
    labels : Labels
        The encoded labels.

    Raises
    ------
    ValueError
        If `y` is continuous, has the wrong number of rows, holds an unknown class or mixes types.
    """
    y = _to_numpy(y)
    kind = _label_type(y, name)
    if kind not in _LABEL_TYPES:
        raise ValueError(
            f"Unknown label type: {name} is {kind!r}; expected class labels (integers or strings) of shape "
            "(n_samples,) or a multi-hot 0/1 matrix of shape (n_samples, n_classes)."
        )
    y = np.asarray(y)
    if n_samples is not None and len(y) != n_samples:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_samples}, {name} has {len(y)}."
        )
    if kind == "multilabel-indicator":
        known_classes = np.arange(y.shape[1]) if classes is None else np.asarray(classes)
        if y.shape[1] != len(known_classes):
            raise ValueError(
                f"{name} has {y.shape[1]} label columns, expected {len(known_classes)}: one for each known class."
            )
        return Labels(y.astype(np.uint8), known_classes)
    y = column_or_1d(y, warn=True)
    found, codes = np.unique(y, return_inverse=True)
    if classes is None:
        return Labels(codes.astype(np.int64), found)
    known_classes = np.asarray(classes)
    known = np.isin(found, known_classes)
    if not known.all():
        raise ValueError(f"{name} holds classes {found[~known].tolist()} that are not among {known_classes.tolist()}.")
    return Labels(np.searchsorted(known_classes, found)[codes].astype(np.int64), known_classes)


def _to_numpy(y: Any) -> Any:
    if issparse(y):
        return y.toarray()
    return y.detach().cpu().numpy() if hasattr(y, "detach") else y


def _label_type(y: Any, name: str) -> str:
    with warnings.catch_warnings():
        # Retrieval data often has few images per class. scikit-learn warns that this looks like regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater", category=UserWarning)
        return type_of_target(y, input_name=name)
