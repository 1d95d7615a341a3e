"""Codes with their ids and labels, to which codes are added and from which they are removed."""

from dataclasses import dataclass, field, replace
from mmap import mmap
from numbers import Integral

import numpy as np

from skhash.index.collection._growth import append
from skhash.index.collection._ids import IdLookup, check_unique, name_some, read_ids
from skhash.index.collection._labels import read_more_labels
from skhash.utils import Labels, read_labels

__all__ = ["Collection"]

_MAX_DEAD_SHARE = 0.25


@dataclass(frozen=True)
class Collection:
    """Codes with ids and labels, in order of insertion.

    Each change gives a new collection, or raises. The two share memory, so that only the newest may be changed again;
    the old one stays right, except after `update`, which writes where the codes are if that memory is its own.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n_rows, n_words)
        Packed codes.
    labels : Labels, default=None
        Their labels.
    ids : ndarray of int64 or of object of shape (n_rows,), default=None
        Their ids. None means that the id of each code is its row.
    next_id : int, default=None
        Id of the next code, if ids are given by the collection; they ascend then. None if they come from the user.
    alive : ndarray of bool of shape (n_rows,), default=None
        Which rows are not removed; None means all.
    """

    codes: np.ndarray
    labels: Labels | None = None
    ids: np.ndarray | None = None
    next_id: int | None = None
    alive: np.ndarray | None = None
    n_dead: int = 0
    # Arrays of ours, by name, that the fields of that name are the front of: what may be written to and behind.
    rooms: dict = field(default_factory=dict)
    lookup: IdLookup = field(default_factory=IdLookup)

    @classmethod
    def build(cls, codes, y=None, ids=None):
        """Make a collection of packed codes, which are not copied, with labels and ids as the user gives them."""
        labels = None if y is None else read_labels(y, n_samples=len(codes))
        if ids is None:
            return cls(codes, labels, next_id=len(codes))
        ids = read_ids(ids, len(codes))
        check_unique(ids)
        return cls(codes, labels, ids)

    def __len__(self):
        return len(self.codes) - self.n_dead

    def __contains__(self, label):
        if isinstance(label, Integral) and not -(2**63) <= label < 2**63:
            return False
        return bool(self._find(read_ids([label]))[0] >= 0)

    def __getstate__(self):
        return {**vars(self), "rooms": {}, "lookup": IdLookup()}  # neither is more than what the rest says

    def share(self):
        """Give a twin over the same memory, which neither of the two writes to from now on."""
        self.rooms.clear()
        return replace(self, rooms={}, lookup=IdLookup())

    def add(self, codes, y=None, ids=None):
        """Append codes, with labels and ids always or never."""
        ids = self._read_new_ids(ids, len(codes))
        labels, new, rooms = self._read_more_labels(y, len(codes))
        fields = {"labels": labels, "rooms": rooms}
        if new is not None:
            grown, rooms["labels"] = append(labels.codes, new.codes, rooms.get("labels"))
            fields["labels"] = replace(labels, codes=grown)
        if ids is not None:
            known = np.arange(len(self.codes)) if self.ids is None else self.ids
            fields["ids"], rooms["ids"] = append(known, ids, rooms.get("ids"))
        if self.next_id is not None:
            fields["next_id"] = self.next_id + len(codes)
        if self.alive is not None:
            fields["alive"] = np.concatenate([self.alive, np.ones(len(codes), bool)])
        fields["codes"], rooms["codes"] = append(self.codes, codes, rooms.get("codes"))
        return replace(self, **fields)

    def remove(self, ids):
        """Remove codes: their rows stay as dead ones until these are too many, in a memory map until `compact`."""
        rows = self.rows_of(ids, unique=True)
        if not len(rows):
            return self
        alive = np.ones(len(self.codes), bool) if self.alive is None else self.alive.copy()
        alive[rows] = False
        left = replace(self, alive=alive, n_dead=self.n_dead + len(rows))
        too_many = left.n_dead > _MAX_DEAD_SHARE * len(self.codes)
        return left.compact() if too_many and not _is_mapped(self.codes) else left

    def update(self, ids, codes, y=None):
        """Replace codes, and labels if there are new ones, in the rows where they are."""
        rows = self.rows_of(ids, unique=True)
        if len(codes) != len(rows):
            raise ValueError(f"ids must hold one id per code: X has {len(codes)}, ids has {len(rows)}.")
        labels, new, rooms = self.labels, None, dict(self.rooms)
        if y is not None:
            labels, new, rooms = self._read_more_labels(y, len(codes))
            labels = replace(labels, codes=_make_ours(labels.codes, "labels", rooms))
        own = _make_ours(self.codes, "codes", rooms)
        own[rows] = codes
        if new is not None:
            labels.codes[rows] = new.codes
        return replace(self, codes=own, labels=labels, rooms=rooms)

    def compact(self):
        """Give up the rows of removed codes."""
        if self.alive is None:
            return self
        rows = self.live_rows()
        ids = self.ids_of(rows)
        if self.next_id is not None and (not len(ids) or ids[-1] == len(ids) - 1):
            ids = None  # what was removed was the end
        codes, labels = self.codes[rows], None if self.labels is None else self.labels[rows]
        return Collection(codes, labels, ids, self.next_id, rooms={"codes": codes})

    def live_rows(self):
        """Rows that are not removed."""
        return np.arange(len(self.codes)) if self.alive is None else np.flatnonzero(self.alive)

    def live(self, array):
        """Those of an array's rows that are not removed; no copy if all are."""
        return array if self.alive is None else array[self.alive]

    def select(self, where):
        """Which rows a search may find: None for all of them, else a mask; `where` as for `HammingIndex.kneighbors`."""
        if where is None:
            return self.alive
        allowed = np.zeros(len(self.codes), bool)
        if not _is_mask(where):
            allowed[self.rows_of(where, unique=True, name="where")] = True  # a 0/1 list would be a mask gone wrong
            return allowed
        mask = np.asarray(where, dtype=bool)
        if mask.shape != (len(self),):
            raise ValueError(
                f"where must be a mask of shape (n_samples_fit_,) = ({len(self)},) or a list of ids; got a mask of "
                f"shape {mask.shape}."
            )
        allowed[self.live_rows()] = mask
        return allowed

    def positions_of(self, rows):
        """How many live rows come before each of some live rows."""
        return rows if self.alive is None else (np.cumsum(self.alive) - 1)[rows]

    def ids_of(self, rows):
        """Ids of rows."""
        return rows if self.ids is None else self.ids[rows]

    def rows_of(self, ids, *, unique=False, name="ids"):
        """Rows of ids, which must all be there, and differ if `unique`."""
        ids = read_ids(ids, name=name)
        if unique:
            check_unique(ids, name)
        rows = self._find(ids)
        if (rows < 0).any():
            raise ValueError(f"{name} must be those of indexed codes, but {name_some(ids[rows < 0])} not in the index.")
        return rows

    def memory_usage(self):
        """Bytes of each part, with the room for more codes."""
        labels = None if self.labels is None else self.labels.codes
        arrays = {"codes": self.codes, "ids": self.ids, "labels": labels, "tombstones": self.alive}
        arrays = {name: self.rooms.get(name, array) for name, array in arrays.items()}
        usage = {name: 0 if array is None else array.nbytes for name, array in arrays.items()}
        return {**usage, "lookup": self.lookup.nbytes}

    def _find(self, ids):
        """Live rows of ids, -1 for none."""
        if self.ids is not None:
            rows = self.lookup.find(self.ids, ids)
        elif ids.dtype == object:
            rows = np.full(len(ids), -1)
        else:
            rows = np.where((ids >= 0) & (ids < len(self.codes)), ids, -1)
        if self.alive is not None:
            rows = np.where((rows >= 0) & self.alive[rows], rows, -1)
        return rows

    def _read_new_ids(self, ids, n):
        """Ids of new codes; None if they are still their rows."""
        own = self.next_id is None
        if (ids is not None) != own:
            raise ValueError(
                f"The index holds codes {'with' if own else 'without'} own ids, got ids "
                f"{'missing' if own else 'given'}: ids must be given always or never."
            )
        if not own:
            is_row = self.ids is None and self.next_id == len(self.codes)
            return None if is_row else np.arange(self.next_id, self.next_id + n)
        ids = read_ids(ids, n)
        if self.ids.dtype == object:
            ids = ids.astype(object)
        elif ids.dtype == object:
            raise TypeError(f"ids must be integers, as those in the index are; got {ids[0]!r}.")
        check_unique(ids)
        known = self._find(ids) >= 0
        if known.any():
            raise ValueError(f"ids of new codes must be new, but {name_some(ids[known])} in the index already.")
        return ids

    def _read_more_labels(self, y, n):
        """The labels, new ones by the same classes, and a copy of the rooms, without that of labels encoded anew."""
        rooms = dict(self.rooms)
        if (y is None) != (self.labels is None):
            there = "without" if self.labels is None else "with"
            raise ValueError(
                f"The index holds codes {there} labels, got y {'missing' if y is None else 'given'}: "
                "labels must be given always or never."
            )
        if y is None:
            return None, None, rooms
        labels, new = read_more_labels(self.labels, y, n)
        if labels is not self.labels:
            rooms.pop("labels", None)
        return labels, new, rooms


def _is_mask(where):
    """Whether all values are bool, which no id is."""
    if hasattr(where, "dtype"):
        return where.dtype == bool
    return (
        isinstance(where, (list, tuple))
        and len(where) > 0
        and all(isinstance(value, (bool, np.bool_)) for value in where)
    )


def _make_ours(array, name, rooms):
    """Copy an array that is the user's or shared, so that it may be written to."""
    if name not in rooms:
        array = rooms[name] = array.copy()
    return array


def _is_mapped(array):
    """Whether an array's memory is that of a file, which may be larger than memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap)
