"""Labels of indexed codes: the vote of neighbors, and classes that appear later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.utils import Labels, read_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["check_positions", "checked", "read_more_labels", "vote"]

_TEXT = "OSU"
_END = 2**63
_FEW_VOTES = 64  # or labels, for which calls of numpy take longer than the work


def vote(labels: Labels, rows: NDArray[np.int64]) -> Labels:
    """Compute the vote of neighbors on labels.

    Parameters
    ----------
    labels : Labels
        Labels of all indexed codes.
    rows : ndarray of int64 of shape (n_queries, k)
        Rows of the neighbors of each query, nearest first.

    Returns
    -------
    winners : Labels
        For single labels the class that most neighbors have; of equally frequent classes, the one whose first
        neighbor comes first. For multi-hot labels all that at least half of the neighbors have.
    """
    if labels.multilabel:
        votes = np.zeros((len(rows), labels.codes.shape[1]), np.int64)
        for column in rows.T:
            votes += checked(labels[column]).codes
        return replace(labels, codes=(2 * votes >= rows.shape[1]).astype(np.uint8))
    classes = labels.codes[rows]
    check_positions(classes, len(labels.classes))
    if classes.size <= _FEW_VOTES:  # the same in a tenth of the time; `max`, too, takes the first of equal ones
        winner = [max(row, key=row.count) for row in classes.tolist()]
        return replace(labels, codes=np.array(winner, classes.dtype))
    votes = np.zeros(classes.shape, np.int64)
    for column in classes.T:
        votes += classes == column[:, None]
    # argmax takes the first of equal maxima, and neighbors are ordered nearest first.
    winners = np.take_along_axis(classes, votes.argmax(axis=1)[:, None], axis=1)
    return replace(labels, codes=winners[:, 0])


def check_positions(positions: NDArray[np.int64], n_classes: int) -> None:
    """Raise ValueError for positions of classes that do not exist, as a damaged file that is mapped may hold."""
    if 0 < positions.size <= _FEW_VOTES:
        few = positions.ravel().tolist()
        if min(few) >= 0 and max(few) < n_classes:
            return
    if positions.size and not 0 <= positions.min() <= positions.max() < n_classes:
        raise ValueError(
            f"The labels are damaged: they must be positions in {n_classes} classes, got {positions.min()} to "
            f"{positions.max()}. Run HammingIndex.verify on the folder."
        )


def checked(labels: Labels) -> Labels:
    """Return the labels; raise ValueError if they cannot be right, as those of a damaged file that is mapped."""
    if not labels.multilabel:
        check_positions(labels.codes, len(labels.classes))
    elif labels.codes.size and labels.codes.max() > 1:
        raise ValueError(
            f"The labels are damaged: they must be 0 or 1, got {labels.codes.max()}. Run HammingIndex.verify on the "
            "folder."
        )
    return labels


def read_more_labels(labels: Labels, y: ArrayLike, n_samples: int) -> tuple[Labels, Labels]:
    """Read labels that are appended to others.

    Parameters
    ----------
    labels : Labels
        Existing labels.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        New labels of the same kind; single labels may have new classes.
    n_samples : int
        Number of rows that `y` must have.

    Returns
    -------
    labels, new : Labels
        Old and new labels, encoded by the same classes; `labels` itself if no class is new.

    Raises
    ------
    ValueError
        If the labels are of another kind, or of another number.
    """
    known = _look_up(labels, y, n_samples)
    if known is not None:
        return labels, known
    new = read_labels(y, n_samples=n_samples)
    if labels.multilabel or new.multilabel:
        if labels.multilabel and new.multilabel and len(labels.classes) == len(new.classes):
            return labels, new
        raise ValueError(f"y must be of the same kind as the labels before: {_kind(labels)}, got {_kind(new)}.")
    if (labels.classes.dtype.kind in _TEXT) != (new.classes.dtype.kind in _TEXT):
        raise ValueError(f"y must be of the same kind as the labels before: {_kind(labels)}, got {_kind(new)}.")
    classes = np.union1d(labels.classes, new.classes)
    return _recode(labels, classes), _recode(new, classes)


def _look_up(labels: Labels, y: Any, n_samples: int) -> Labels | None:
    """Return plain labels whose classes are all known; None for others, which need a closer look."""
    classes = labels.classes
    if type(y) is list and len(y) == n_samples == 1 and not labels.multilabel:
        return _look_up_one(classes, y[0])
    if type(y) is list and y:
        kinds = set(map(type, y))
        values = np.array(y) if kinds == {int} or kinds == {str} else None
    else:
        values = y
    if type(values) is not np.ndarray or values.shape != (n_samples,) or labels.multilabel:
        return None
    if values.dtype.kind != classes.dtype.kind or values.dtype.kind not in "iU" or not len(classes):
        return None
    positions = classes.searchsorted(values)
    positions[positions == len(classes)] = 0
    return Labels(positions, classes) if (classes[positions] == values).all() else None


def _look_up_one(classes: NDArray[Any], label: Any) -> Labels | None:
    """Do the same with one label, in a third of the time."""
    is_text = type(label) is str and classes.dtype.kind == "U"
    is_number = type(label) is int and classes.dtype == np.int64 and -_END <= label < _END
    if not (is_text or is_number):
        return None
    position = classes.searchsorted(label)
    is_known = position < len(classes) and classes[position] == label
    return Labels(np.array([position]), classes) if is_known else None


def _recode(labels: Labels, classes: NDArray[Any]) -> Labels:
    """Encode labels by classes of which theirs are some; return the same object if theirs are all."""
    if len(labels.classes) == len(classes):
        return labels
    return Labels(np.searchsorted(classes, labels.classes)[checked(labels).codes], classes)


def _kind(labels: Labels) -> str:
    """Describe the kind of labels."""
    if labels.multilabel:
        return f"multi-hot with {len(labels.classes)} columns"
    return f"class labels of dtype {labels.classes.dtype}"
