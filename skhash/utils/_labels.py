"""Read class labels or a multi-hot matrix."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from skhash.utils._to_numpy import is_missing, to_numpy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SHORT_RANGE = 1024  # integers of so few values are counted, however few they are
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

    def warn_of_unknown(self, y: ArrayLike, stacklevel: int = 4) -> None:
        """Warn if no query has one of these labels: every score is 0 then, however good the codes are.

        Parameters
        ----------
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Labels of the queries. Those of another kind are left to the metric, which raises an error.
        stacklevel : int, default=4
            As of `warnings.warn`: the frame that is named in the warning, 2 for the caller of this method.
        """
        queries = read_labels(y)
        if queries.multilabel != self.multilabel or queries.codes.shape[1:] != self.codes.shape[1:]:
            return
        kinds = {labels.classes.dtype.kind in "OSUT" for labels in (self, queries)}
        if len(kinds) > 1:
            return
        if self.multilabel:
            known = bool((queries.codes.any(axis=0) & self.codes.any(axis=0)).any())
        else:
            known = bool(np.isin(queries.decode(), self.classes[np.unique(self.codes)]).any())
        if not known:
            warnings.warn(
                "No query has a label that is in the database, so every score is 0. In cross-validation this happens "
                "if samples are sorted by class: use StratifiedKFold, or a splitter with shuffle=True.",
                UserWarning,
                stacklevel=stacklevel,
            )


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
    if y is None:
        return False
    values = _read_values(y, "y")
    kind = type_of_target(values, input_name="y")
    return kind in _LABEL_TYPES and (kind != "multilabel-indicator" or _to_multi_hot(values) is not None)


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
        Class labels (integers, strings, bool), or a multi-hot matrix with one column per class, whose values are 0
        and 1, False and True, or -1 and +1. A matrix with only -1 or only 0 has no label in any row, one with only 1
        has all of them.
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
        If `y` is continuous, has missing or masked values or the wrong number of rows, holds an unknown class, mixes
        types, or is a matrix with other values.
    """
    y = _read_values(y, name)
    numbered = _number_integers(y)
    kind = "multiclass" if numbered else type_of_target(y, input_name=name)
    if kind not in _LABEL_TYPES:
        raise _unknown_type(name, repr(kind))
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
        multi_hot = _to_multi_hot(y)
        if multi_hot is None:
            raise ValueError(
                f"Unknown label type: {name} is a matrix with the values {np.unique(y).tolist()}; expected a multi-hot "
                "matrix of 0 and 1, False and True, or -1 and +1."
            )
        return Labels(multi_hot, known_classes)
    found, codes = numbered or np.unique(column_or_1d(y, warn=True), return_inverse=True)
    if classes is None:
        return Labels(codes.astype(np.int64, copy=False), found)
    known_classes = np.asarray(classes)
    known = np.isin(found, known_classes)
    if not known.all():
        raise ValueError(f"{name} holds classes {found[~known].tolist()} that are not among {known_classes.tolist()}.")
    return Labels(np.searchsorted(known_classes, found)[codes].astype(np.int64), known_classes)


def _number_integers(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """Find the distinct values of integers of a small range and number them, or return None for other arrays.

    The same as `np.unique(y, return_inverse=True)`, by counting: sorting is slower than searching for a query.
    """
    if y.ndim != 1 or y.dtype.kind not in "iu" or not len(y):
        return None
    least, greatest = int(y.min()), int(y.max())
    span = greatest - least + 1
    if span > max(len(y), _SHORT_RANGE):
        return None
    # Unsigned differences cannot overflow, and signed ones cannot in 64 bits.
    wide = y if y.dtype.kind == "u" else y.astype(np.int64)
    offsets = (wide - wide.dtype.type(least) if least else wide).astype(np.int64, copy=False)
    present = np.bincount(offsets, minlength=span) > 0
    numbers = present.cumsum() - 1
    n_found = int(numbers[-1]) + 1
    found = (np.flatnonzero(present) + (least if y.dtype.kind == "i" else 0)).astype(y.dtype)
    found = found if y.dtype.kind == "i" else found + y.dtype.type(least)
    return found, offsets if n_found == span else numbers[offsets]


def _unknown_type(name: str, what: str) -> ValueError:
    return ValueError(
        f"Unknown label type: {name} is {what}; expected class labels (integers or strings) of shape (n_samples,) or a "
        "multi-hot 0/1 matrix of shape (n_samples, n_classes), which sklearn.preprocessing.MultiLabelBinarizer makes "
        "from lists of labels."
    )


def _refuse_ragged(y: Any, name: str) -> Any:
    if isinstance(y, (list, tuple)) and len({len(row) if isinstance(row, (list, tuple)) else None for row in y}) > 1:
        raise _unknown_type(name, "a list of lists of different lengths")
    return y


def _read_values(y: Any, name: str) -> NDArray[Any]:
    """Return the labels as an array without missing or masked values."""
    values = y.toarray() if issparse(y) else to_numpy(_refuse_ragged(y, name), name)
    if values.dtype.kind in "Mm" and np.isnat(values).any():
        raise ValueError(f"{name} has missing labels (NaT); expected a label for every sample.")
    if values.dtype.kind == "T":  # strings of variable length
        values = values.astype(object)
    if values.dtype == object:
        values = _read_objects(values, name)
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name=name)
    if values.dtype.kind not in "buifUMmO":
        raise _unknown_type(name, f"of type {values.dtype}")
    return values


def _read_objects(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return objects as strings, numbers or whatever their one type is."""
    items = values.ravel().tolist()
    missing = [row for row, item in enumerate(items) if is_missing(item)]
    if missing:
        raise ValueError(
            f"{name} has {len(missing)} missing labels (None or NaN), the first at position {missing[0]}; expected "
            "a label for every sample. Remove or fill them first."
        )
    kinds = {str if isinstance(item, str) else type(item) for item in items}
    if str in kinds and len(kinds) > 1:
        raise ValueError(f"Unknown label type: {name} mixes strings and other types; expected labels of one type.")
    if kinds and all(issubclass(kind, (bool, int, float, np.bool_, np.integer, np.floating)) for kind in kinds):
        numbers = np.asarray(items).reshape(values.shape)
        if numbers.dtype == object:  # integers of more than 64 bits
            raise _unknown_type(name, "an array of integers of more than 64 bits")
        return numbers
    if kinds != {str}:
        raise _unknown_type(name, f"a collection of {', '.join(sorted(kind.__name__ for kind in kinds)) or 'nothing'}")
    return values


def _to_multi_hot(matrix: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return a 0/1 or -1/+1 matrix as 0/1, or None if it has other values."""
    if not (np.isin(matrix, (0, 1)).all() or np.isin(matrix, (-1, 1)).all()):
        return None
    return (matrix == 1).astype(np.uint8)
