"""Ids of codes: what a user may give, and the row that an id is at."""

from collections import Counter
from numbers import Integral
from sys import getsizeof

import numpy as np

__all__ = ["IdLookup", "check_unique", "name_some", "read_ids"]

_ACCEPTED = "integers or hashable labels such as strings and tuples, but no floats or bools"
_MAX_RECENT = 1024


def read_ids(ids, n=None, name="ids"):
    """Read ids.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Integers, or hashable labels.
    n : int, default=None
        Number of ids that there must be.
    name : str, default="ids"
        What to call them in errors.

    Returns
    -------
    ids : ndarray of int64 or of object of shape (n,)
        A copy; int64 if all are integers.
    """
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__"):
        raise TypeError(f"{name} must be a list or an array of ids, got {type(ids).__name__}: {ids!r}.")
    if hasattr(ids, "to_numpy"):
        ids = ids.to_numpy()
    if isinstance(ids, np.ndarray) and ids.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {ids.shape}.")
    if n is not None and len(ids) != n:
        raise ValueError(f"{name} must hold one id per code: X has {n}, {name} has {len(ids)}.")
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "i":
        return ids.astype(np.int64)
    # Python's own objects; but dates would become bare numbers.
    plain = isinstance(ids, np.ndarray) and ids.dtype.kind not in "Mm"
    labels = ids.tolist() if plain else list(ids)
    if all(isinstance(label, Integral) and not isinstance(label, bool) for label in labels):
        try:
            return np.array(labels, dtype=np.int64)
        except OverflowError:
            raise ValueError(f"Integer {name} must fit int64, got {max(labels, key=abs)}.") from None
    for label in labels:
        if isinstance(label, (bool, np.bool_, float, np.floating)) or not _is_hashable(label):
            raise TypeError(f"{name} must be {_ACCEPTED}; got {label!r}.")
        if isinstance(label, Integral) and not -(2**63) <= label < 2**63:
            raise ValueError(f"Integer {name} must fit int64, got {label}.")
    return np.fromiter(labels, dtype=object, count=len(labels))


def _is_hashable(label):
    """Whether a label can be told from others; the type alone does not say, of tuples."""
    try:
        hash(label)
    except TypeError:
        return False
    return True


def check_unique(ids, name="ids"):
    """Refuse ids of which some are equal."""
    if ids.dtype == object:
        repeated = [label for label, count in Counter(ids.tolist()).items() if count > 1]
    else:
        in_order = np.sort(ids)
        repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if len(repeated):
        raise ValueError(f"{name} must be unique, but {name_some(repeated)} given more than once.")


def name_some(ids):
    """Begin a sentence about ids, of which it names the first."""
    first = ids[0].item() if isinstance(ids[0], np.integer) else ids[0]
    return f"{first!r} is" if len(ids) == 1 else f"{len(ids)} ids (the first of them {first!r}) are"


class IdLookup:
    """Find the rows of ids in an array that grows at its end.

    What it knows of the array is made when a question comes: an order of int64 ids, none if they ascend, and a
    dictionary of the rows that came since; of other ids only the dictionary. An id may come again after the row that
    it was at is removed: its last row counts.
    """

    def __init__(self):
        self._known = 0, 0, None, {}  # rows in all, rows in the order, the order, rows by id of the others

    def find(self, ids, wanted):
        """Find the last row of each of the `wanted` ids, -1 for none."""
        n_ordered, order, recent = self._catch_up(ids)
        rows = np.full(len(wanted), -1)
        if ids.dtype != object and wanted.dtype == object:
            integer = np.array([isinstance(label, Integral) for label in wanted], bool)
            rows[integer] = self.find(ids, wanted[integer].astype(np.int64))
            return rows
        if n_ordered:
            places = np.searchsorted(ids[:n_ordered], wanted, side="right", sorter=order) - 1
            places = places if order is None else order[places]
            rows = np.where(ids[places] == wanted, places, -1)
        if recent:
            rows = np.array([recent.get(label, row) for label, row in zip(wanted.tolist(), rows, strict=True)], int)
        return rows

    def _catch_up(self, ids):
        """Take in the rows that came since the last question."""
        n_known, n_ordered, order, recent = self._known
        if n_known < len(ids):
            if ids.dtype == object or (n_ordered and len(ids) - n_ordered <= max(_MAX_RECENT, n_ordered // 8)):
                recent.update(zip(ids[n_known:].tolist(), range(n_known, len(ids)), strict=True))
            else:
                n_ordered, recent = len(ids), {}
                order = None if (ids[1:] >= ids[:-1]).all() else np.argsort(ids, kind="stable")
            self._known = len(ids), n_ordered, order, recent
        return n_ordered, order, recent

    @property
    def nbytes(self):
        """Bytes of the order and the dictionary."""
        order, recent = self._known[2:]
        return (0 if order is None else order.nbytes) + (getsizeof(recent) if recent else 0)
