"""Class labels or a multi-hot matrix, read once and the same way everywhere."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

_LABEL_KINDS = ("binary", "multiclass", "multilabel-indicator")


@dataclass(frozen=True)
class Labels:
    """Labels of `n` samples, encoded.

    Parameters
    ----------
    codes : ndarray
        `(n,)` int64 positions in `classes` for single labels; `(n, n_classes)` uint8 for multi-hot labels.
    classes : ndarray of shape (n_classes,)
        The labels themselves, sorted; column numbers for multi-hot labels.
    """

    codes: np.ndarray
    classes: np.ndarray

    @property
    def multilabel(self):
        """Whether a sample can have several labels."""
        return self.codes.ndim == 2

    def __len__(self):
        return len(self.codes)

    def __getitem__(self, rows):
        return Labels(self.codes[rows], self.classes)

    def decode(self):
        """Give back labels as they came: (n,) class labels or a multi-hot matrix."""
        return self.codes if self.multilabel else self.classes[self.codes]

    def multi_hot(self):
        """Encode as a 0/1 matrix of shape (n, n_classes)."""
        if self.multilabel:
            return self.codes
        return (self.codes[:, None] == np.arange(len(self.classes))).astype(np.uint8)


def are_labels(y):
    """Tell whether `y` holds class labels or a multi-hot matrix, rather than None or a regression target.

    Parameters
    ----------
    y : array-like or None
        Anything that a user may call targets.

    Returns
    -------
    answer : bool
        Whether `read_labels` takes it.
    """
    return y is not None and _kind(_to_numpy(y), "y") in _LABEL_KINDS


def read_labels(y, *, name="y", n_samples=None, classes=None):
    """Read class labels or a multi-hot matrix.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_classes)
        Class labels (integers, strings, bool), or a 0/1 matrix with one column per class.
    name : str, default="y"
        What to call it in errors.
    n_samples : int, default=None
        Number of rows that `y` must have.
    classes : array-like of shape (n_classes,), default=None
        Known classes, which `y` must be among; None takes them from `y`.

    Returns
    -------
    labels : Labels
        The labels, encoded.

    Raises
    ------
    ValueError
        If `y` is continuous, has the wrong number of rows, holds an unknown class or mixes its kinds.
    """
    y = _to_numpy(y)
    kind = _kind(y, name)
    if kind not in _LABEL_KINDS:
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
        if classes is not None and y.shape[1] != len(classes):
            raise ValueError(f"{name} has {y.shape[1]} label columns, but {len(classes)} classes are known.")
        return Labels(y.astype(np.uint8), np.arange(y.shape[1]) if classes is None else np.asarray(classes))
    y = column_or_1d(y, warn=True)
    found, codes = np.unique(y, return_inverse=True)
    if classes is None:
        return Labels(codes.astype(np.int64), found)
    classes = np.asarray(classes)
    known = np.isin(found, classes)
    if not known.all():
        raise ValueError(f"{name} holds classes {found[~known].tolist()} that are not among {classes.tolist()}.")
    return Labels(np.searchsorted(classes, found)[codes].astype(np.int64), classes)


def _to_numpy(y):
    if issparse(y):
        return y.toarray()
    return y.detach().cpu().numpy() if hasattr(y, "detach") else y


def _kind(y, name):
    with warnings.catch_warnings():
        # Retrieval data often has few images per class, which scikit-learn takes for a sign of regression.
        warnings.filterwarnings("ignore", message="The number of unique classes is greater", category=UserWarning)
        return type_of_target(y, input_name=name)
