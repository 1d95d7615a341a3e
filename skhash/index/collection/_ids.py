"""Ids of codes: reading and checking them, and finding the row of an id."""

from __future__ import annotations

from collections import Counter
from numbers import Integral
from sys import getsizeof
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from skhash.utils import ProcessLock, unwrap

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["IdLookup", "check_integers", "check_unique", "name_some", "read_ids"]

IdsLike: TypeAlias = "ArrayLike | Sequence[Hashable]"

_ACCEPTED = "integers or hashable labels such as strings and tuples, but not floats, bools or bytes"
_MAX_RECENT = 1024  # rows in the dictionary before the ids are sorted again


def read_ids(ids: IdsLike, n: int | None = None, name: str = "ids") -> NDArray[Any]:
    """Read ids.

    Parameters
    ----------
    ids : array-like of shape (n,)
        Integers, or hashable labels.
    n : int, default=None
        Required number of ids; None for any.
    name : str, default="ids"
        Name of the argument in error messages.

    Returns
    -------
    ids : ndarray of int64 or of object of shape (n,)
        A copy; int64 if all are integers.

    Raises
    ------
    TypeError
        If `ids` is not a list or an array, or an id is a float, a bool or not hashable.
    ValueError
        If the shape is wrong, or an integer does not fit int64.
    """
    if type(ids) is list and ids and (n is None or n == len(ids)):
        kinds = set(map(type, ids))
        if kinds == {str}:
            return np.array(ids, dtype=object)
        if kinds == {int} and min(ids) >= -(2**63) and max(ids) < 2**63:
            return np.array(ids, dtype=np.int64)
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__"):
        raise TypeError(f"{name} must be a list or an array of ids, got {type(ids).__name__}: {ids!r}.")
    given: Any = unwrap(ids, name)
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    if isinstance(given, (list, tuple)):  # elements of a tensor are equal only to themselves
        given = [label.item() if hasattr(label, "detach") and label.numel() == 1 else label for label in given]
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), got {given.shape}.")
    if n is not None and len(given) != n:
        raise ValueError(f"{name} must hold one id per code: X has {n}, {name} has {len(given)}.")
    if isinstance(given, np.ndarray) and given.dtype.kind == "i":
        return given.astype(np.int64)
    # `tolist` makes Python's own objects of numpy's; but it would make bare numbers of dates.
    plain = isinstance(given, np.ndarray) and given.dtype.kind not in "Mm"
    labels = given.tolist() if plain else list(given)
    if all(isinstance(label, Integral) and not isinstance(label, bool) for label in labels):
        try:
            return np.array(labels, dtype=np.int64)
        except OverflowError:
            raise ValueError(f"Integer {name} must fit int64, got {max(labels, key=abs)}.") from None
    for label in labels:
        refused = isinstance(label, (bool, np.bool_, float, np.floating, bytes)) or hasattr(label, "detach")
        if refused or not _is_hashable(label):
            raise TypeError(f"{name} must be {_ACCEPTED}, got {label!r}.")
        if isinstance(label, Integral) and not -(2**63) <= int(label) < 2**63:
            raise ValueError(f"Integer {name} must fit int64, got {label}.")
    return np.fromiter(labels, dtype=object, count=len(labels))


def _is_hashable(label: object) -> bool:
    """Check whether a label is hashable; the type alone does not decide it for tuples."""
    try:
        hash(label)
    except TypeError:
        return False
    return True


def check_unique(ids: NDArray[Any], name: str = "ids") -> None:
    """Raise ValueError if some ids are equal."""
    if len(ids) < 2:
        return
    if ids.dtype == object:
        repeated: Any = [label for label, count in Counter(ids.tolist()).items() if count > 1]
    else:
        in_order = np.sort(ids)
        repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    if len(repeated):
        raise ValueError(f"{name} must be unique, but {name_some(repeated)} given more than once.")


def check_integers(ids: NDArray[Any]) -> None:
    """Raise TypeError that names the first id that is no integer, for an index whose ids are integers."""
    for label in ids.tolist() if ids.dtype == object else ():
        if not isinstance(label, Integral):
            raise TypeError(f"ids must be integers, as those in the index are, got {label!r}.")


def name_some(ids: Any) -> str:
    """Return the beginning of a sentence about ids, with the first of them."""
    first = ids[0].item() if isinstance(ids[0], np.integer) else ids[0]
    return f"{first!r} is" if len(ids) == 1 else f"{len(ids)} ids (the first of them {first!r}) are"


class _Known(NamedTuple):
    """Knowledge of a lookup about the first `n_known` ids.

    Parameters
    ----------
    n_known : int
        Number of ids.
    n_ordered : int
        Number of ids that are in the order; the others are in `recent`.
    keys : ndarray of int64 of shape (n_ordered,) or None
        Sorted hashes of ids that are objects.
    order : ndarray of int64 of shape (n_ordered,) or None
        Rows in the order of ids or of keys; None for ids that ascend.
    recent : dict
        Rows of the other ids.
    """

    n_known: int = 0
    n_ordered: int = 0
    keys: NDArray[np.int64] | None = None
    order: NDArray[np.int64] | None = None
    recent: dict[Any, int] = {}


class IdLookup:
    """Find the rows of ids in an array that grows at its end.

    The search structure is built on demand: the sorted order of the ids (None if they ascend), or of their hashes where
    they are objects, and a dictionary of the rows appended since. An id may occur again after its row was removed: the
    last row counts. Several threads may call it, also with prefixes of the array.
    """

    def __init__(self) -> None:
        self._known = _Known(recent={})
        self._lock = ProcessLock()

    def __reduce__(self) -> tuple[type[IdLookup], tuple[()]]:
        """Return an empty lookup for copies and pickles: it can be rebuilt."""
        return type(self), ()

    def check_unique(self, ids: NDArray[Any]) -> None:
        """Raise ValueError if some of the first ids are equal; the order by which objects are compared is kept."""
        if ids.dtype == object:
            keys = self._catch_up(ids).keys
            if keys is not None and not (keys[1:] == keys[:-1]).any():
                return
        check_unique(ids)

    def find(self, ids: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
        """Find the last row of each of the `wanted` ids, -1 for unknown ones."""
        with self._lock:  # or an older caller could put its row of an id over the later one of a newer caller
            known = self._catch_up(ids)
        if known.n_known > len(ids):  # a change came after this search began, and the lookup knows later rows
            return IdLookup().find(ids, wanted)
        if len(wanted) == 1 and ids.dtype == wanted.dtype != object:
            return _find_number(ids, known, wanted)
        rows = np.full(len(wanted), -1)
        if ids.dtype != object and wanted.dtype == object:
            integer = np.array([isinstance(label, Integral) for label in wanted], bool)
            rows[integer] = self.find(ids, wanted[integer].astype(np.int64))
            return rows
        if known.keys is not None:
            rows = _find_objects(ids, known, wanted)
        elif known.n_ordered:
            places = ids[: known.n_ordered].searchsorted(wanted, side="right", sorter=known.order) - 1
            places = places if known.order is None else known.order[places]
            rows = np.where(ids[places] == wanted, places, -1)
        if known.recent:
            get = known.recent.get
            rows = np.array([get(label, row) for label, row in zip(wanted.tolist(), rows.tolist(), strict=True)], int)
            if (rows >= len(ids)).any():  # a change came just now
                return IdLookup().find(ids, wanted)
        return rows

    def _catch_up(self, ids: NDArray[Any]) -> _Known:
        """Index the rows appended since the last call."""
        known, n = self._known, len(ids)
        n_known, n_ordered, keys, order, recent = known
        if n_known < n:
            if n_ordered and not recent and order is None and _ascend(ids, n_known - 1):
                n_ordered = n
            elif n_ordered and n - n_ordered <= max(_MAX_RECENT, n_ordered // 8):
                recent.update(zip(ids[n_known:].tolist(), range(n_known, n), strict=True))
            elif ids.dtype == object:
                keys = _hashes(ids)
                order = np.argsort(keys)
                n_ordered, keys, recent = n, keys[order], {}
            else:
                n_ordered, recent = n, {}
                order = None if (ids[1:] >= ids[:-1]).all() else np.argsort(ids, kind="stable")
            self._known = known = _Known(n, n_ordered, keys, order, recent)
        return known

    @property
    def nbytes(self) -> int:
        """Bytes of the order, the hashes and the dictionary."""
        _, _, keys, order, recent = self._known
        arrays = sum(array.nbytes for array in (keys, order) if array is not None)
        return arrays + (getsizeof(recent) if recent else 0)


def _ascend(ids: NDArray[np.int64], first: int) -> bool:
    """Check whether numbers ascend from a row on."""
    if first == len(ids) - 2:  # most often, and without three calls of numpy
        return bool(ids[-1] > ids[first])
    return bool((ids[first + 1 :] > ids[first:-1]).all())


def _find_number(ids: NDArray[np.int64], known: _Known, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the last row of one number, -1 if it is unknown: as `find` does for many, in a third of the time."""
    number = wanted[0]
    row = known.recent.get(int(number), -1) if known.recent else -1
    if row >= len(ids):  # a change came just now
        return IdLookup().find(ids, wanted)
    if row < 0 and known.n_ordered:
        place = int(ids[: known.n_ordered].searchsorted(number, side="right", sorter=known.order)) - 1
        place = place if known.order is None or place < 0 else int(known.order[place])
        row = place if place >= 0 and ids[place] == number else -1
    return np.array([row])


def _hashes(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Return the hashes of objects."""
    return np.fromiter(map(hash, ids.tolist()), np.int64, len(ids))


def _find_objects(ids: NDArray[Any], known: _Known, wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Find the last row of each object in the order of hashes, -1 for unknown ones."""
    keys, order = known.keys, known.order
    assert keys is not None
    assert order is not None
    hashes, rows = _hashes(wanted), np.full(len(wanted), -1)
    starts = keys.searchsorted(hashes)
    found = np.flatnonzero(keys[np.minimum(starts, len(keys) - 1)] == hashes)
    following = np.minimum(starts[found] + 1, len(keys) - 1)
    is_single = (keys[following] != hashes[found]) | (following == starts[found])
    for position, row in zip(found.tolist(), order[starts[found]].tolist(), strict=True):
        if ids[row] is wanted[position] or ids[row] == wanted[position]:
            rows[position] = row
    for position in found[~is_single].tolist():  # several ids with the same hash, or one that was removed before
        for i in range(starts[position], keys.searchsorted(hashes[position], side="right")):
            row = order[i]
            if row > rows[position] and (ids[row] is wanted[position] or ids[row] == wanted[position]):
                rows[position] = row
    return rows
