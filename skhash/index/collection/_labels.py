"""Labels of indexed codes: the vote of neighbours, and classes that are seen only later."""

from dataclasses import replace

import numpy as np

from skhash.utils import Labels, read_labels

__all__ = ["read_more_labels", "vote"]

_TEXT = "OSU"


def vote(labels, ids):
    """Let neighbours vote on labels.

    Parameters
    ----------
    labels : Labels
        Labels of all indexed codes.
    ids : ndarray of int64 of shape (n_queries, k)
        Neighbours of each query, nearest first.

    Returns
    -------
    winners : Labels
        For single labels the class that most neighbours have; of equally frequent classes, the one whose first
        neighbour comes first. For multi-hot labels all that at least half of the neighbours have.
    """
    if labels.multilabel:
        votes = sum(labels.codes[column].astype(np.int64) for column in ids.T)
        return replace(labels, codes=(2 * votes >= ids.shape[1]).astype(np.uint8))
    classes = labels.codes[ids]
    votes = np.zeros(classes.shape, np.int64)
    for column in classes.T:
        votes += classes == column[:, None]
    # argmax takes the first of equal maxima, and the neighbours lie nearest first.
    winners = np.take_along_axis(classes, votes.argmax(axis=1)[:, None], axis=1)
    return replace(labels, codes=winners[:, 0])


def read_more_labels(labels, y, n_samples):
    """Read labels that come after others.

    Parameters
    ----------
    labels : Labels
        Those that are there.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        New ones, of the same kind; single labels may bring new classes.
    n_samples : int
        Number of rows that `y` must have.

    Returns
    -------
    labels, new : Labels
        Both encoded by the same classes.
    """
    new = read_labels(y, n_samples=n_samples)
    if labels.multilabel or new.multilabel:
        if labels.multilabel and new.multilabel and len(labels.classes) == len(new.classes):
            return labels, new
        raise ValueError(f"y must hold the same kind of labels as before: {_kind(labels)}, got {_kind(new)}.")
    if (labels.classes.dtype.kind in _TEXT) != (new.classes.dtype.kind in _TEXT):
        raise ValueError(f"y must hold the same kind of labels as before: {_kind(labels)}, got {_kind(new)}.")
    classes = np.union1d(labels.classes, new.classes)
    return tuple(known if len(known.classes) == len(classes) else _recode(known, classes) for known in (labels, new))


def _recode(labels, classes):
    """Encode labels by more classes."""
    return Labels(np.searchsorted(classes, labels.classes)[labels.codes], classes)


def _kind(labels):
    if labels.multilabel:
        return f"multi-hot with {len(labels.classes)} columns"
    return f"class labels of dtype {labels.classes.dtype}"
