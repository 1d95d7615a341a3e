"""Codes with ids, labels and vectors: an append-only segment with a deletion mask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from skhash.index.collection._growth import append
from skhash.index.collection._ids import IdLookup, check_integers, check_unique, name_some, read_ids
from skhash.index.collection._labels import read_more_labels
from skhash.index.collection._removals import Removals
from skhash.index.collection._vectors import read_more_vectors, read_vectors
from skhash.utils import Labels, is_mapped, read_labels, to_numpy

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike

__all__ = ["Collection"]

_MAX_DEAD_SHARE = 0.25
_CONVERTED_AT_ONCE = 2**16


@dataclass(frozen=True)
class Collection:
    """Codes with ids, labels and vectors in order of insertion: an append-only segment with a deletion mask.

    Each change returns a new collection, or raises and changes nothing. Old and new collection share `buffers`, to
    whose ends `add` appends, and the `lookup`: so only the newest collection may be changed again. Older ones stay
    valid, because no row of theirs is ever written to: other threads may search them.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n_rows, n_words)
        Packed codes.
    labels : Labels, default=None
        Labels of the codes.
    ids : ndarray of int64 or of object of shape (n_rows,), default=None
        Ids of the codes. None means that the id of each code is its row.
    next_id : int, default=None
        Id of the next code, if the collection counts ids itself; they ascend then. None if the user defines them.
    removals : Removals, default=None
        The removed rows; None if there are none.
    n_dead : int, default=0
        Number of removed rows.
    buffers : dict of str to ndarray, default={}
        Over-allocated arrays; the field of the same name is a prefix view of its buffer. A field without a buffer
        belongs to the user, or to a file, and is never written to.
    lookup : IdLookup, default=IdLookup()
        Finds rows by id, and learns from each call.
    vectors : ndarray of int8, float16 or float32 of shape (n_rows, n_columns), default=None
        Vectors that are kept beside the codes; may be a memory map.
    """

    codes: NDArray[np.uint64]
    labels: Labels | None = None
    ids: NDArray[Any] | None = None
    next_id: int | None = None
    removals: Removals | None = None
    n_dead: int = 0
    buffers: dict[str, NDArray[Any]] = field(default_factory=dict)
    lookup: IdLookup = field(default_factory=IdLookup)
    vectors: NDArray[Any] | None = None

    @classmethod
    def build(
        cls,
        codes: NDArray[np.uint64],
        y: ArrayLike | None = None,
        ids: IdsLike | None = None,
        vectors: NDArray[Any] | None = None,
    ) -> Collection:
        """Build a collection of packed codes and vectors, which are not copied, with the user's labels and ids."""
        labels = None if y is None else read_labels(y, n_samples=len(codes))
        vectors = read_vectors(vectors, len(codes))
        if ids is None:
            return cls(codes, labels, next_id=len(codes), vectors=vectors)
        ids, lookup = read_ids(ids, len(codes)), IdLookup()
        lookup.check_unique(ids)
        return cls(codes, labels, ids, lookup=lookup, vectors=vectors)

    def __len__(self) -> int:
        return len(self.codes) - self.n_dead

    def __contains__(self, label: object) -> bool:
        if isinstance(label, Integral) and not -(2**63) <= int(label) < 2**63:
            return False
        try:
            return bool(self._find(read_ids([cast("Hashable", label)]))[0] >= 0)
        except Exception:  # not an id, so not in the index: `in` never raises, however objects hash and compare
            return False

    @property
    def live_mask(self) -> NDArray[np.bool_] | None:
        """Deletion mask of shape (n_rows,): True for rows that are not removed; None means all."""
        return None if self.removals is None else self.removals.mask(len(self.codes))

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self.share()))

    def share(self) -> Collection:
        """Return a twin over the same memory, to whose rows neither of the two ever writes."""
        mask = self.live_mask
        return self._with(removals=None if mask is None else Removals(mask), buffers={}, lookup=IdLookup())

    def add(
        self,
        codes: NDArray[np.uint64],
        y: ArrayLike | None = None,
        ids: IdsLike | None = None,
        vectors: NDArray[Any] | None = None,
    ) -> Collection:
        """Append codes, with labels, ids and vectors always or never."""
        new_ids = self._read_new_ids(ids, len(codes))
        known_vectors, new_vectors = self.vectors, None
        if known_vectors is not None or vectors is not None:
            new_vectors = read_more_vectors(known_vectors, vectors, len(codes))
        labels, new, buffers = self._read_more_labels(y, len(codes))
        fields: dict[str, Any] = {"labels": labels, "buffers": buffers}
        if labels is not None and new is not None:
            grown, buffers["labels"] = append(labels.codes, new.codes, buffers.get("labels"))
            fields["labels"] = Labels(grown, labels.classes)
        if new_ids is not None:
            known = np.arange(len(self.codes)) if self.ids is None else self.ids
            fields["ids"], buffers["ids"] = append(known, new_ids, buffers.get("ids"))
        if self.next_id is not None:
            fields["next_id"] = self.next_id + len(codes)
        if known_vectors is not None and new_vectors is not None:
            fields["vectors"], buffers["vectors"] = append(known_vectors, new_vectors, buffers.get("vectors"))
        fields["codes"], buffers["codes"] = append(self.codes, codes, buffers.get("codes"))
        return self._with(**fields)

    def remove(self, ids: IdsLike) -> Collection:
        """Mark codes as removed; compact if too many are, but a memory map only by `compact`."""
        rows = self.rows_of(ids, unique=True)
        if not len(rows):
            return self
        removals = (self.removals or Removals()).with_rows(rows, len(self.codes))
        left = self._with(removals=removals, n_dead=self.n_dead + len(rows))
        too_many = left.n_dead > _MAX_DEAD_SHARE * len(self.codes)
        if not too_many or is_mapped(self.codes) or (self.vectors is not None and is_mapped(self.vectors)):
            return left
        return left.compact()

    def update(
        self,
        ids: IdsLike,
        codes: NDArray[np.uint64],
        y: ArrayLike | None = None,
        vectors: NDArray[Any] | None = None,
    ) -> Collection:
        """Replace codes with their vectors, and labels if `y` is passed, in their rows."""
        rows = self.rows_of(ids, unique=True)
        if len(codes) != len(rows):
            raise ValueError(f"ids must hold one id per code: X has {len(codes)}, ids has {len(rows)}.")
        known_vectors, new_vectors = self.vectors, read_more_vectors(self.vectors, vectors, len(codes))
        labels, new, buffers = self.labels, None, dict(self.buffers)
        if y is not None:
            labels, new, buffers = self._read_more_labels(y, len(codes))
            assert labels is not None
            labels = replace(labels, codes=labels.codes.copy())
            buffers["labels"] = labels.codes
        # Copies, because the old arrays belong to the user, or a search in another thread reads them.
        own = buffers["codes"] = self.codes.copy()
        own[rows] = codes
        if known_vectors is not None and new_vectors is not None:
            known_vectors = buffers["vectors"] = known_vectors.copy()
            known_vectors[rows] = new_vectors
        if labels is not None and new is not None:
            labels.codes[rows] = new.codes
        return self._with(codes=own, labels=labels, buffers=buffers, vectors=known_vectors)

    def compact(self) -> Collection:
        """Drop the rows of removed codes."""
        if self.removals is None:
            return self
        rows = self.live_rows()
        ids = self.ids_of(rows)
        if self.next_id is not None and (not len(ids) or ids[-1] == len(ids) - 1):
            ids = None  # only the last codes were removed, so that ids are rows again
        codes, labels = self.codes[rows], None if self.labels is None else self.labels[rows]
        buffers: dict[str, NDArray[Any]] = {"codes": codes}
        if self.vectors is not None:
            buffers["vectors"] = self.vectors[rows]
        return Collection(codes, labels, ids, self.next_id, buffers=buffers, vectors=buffers.get("vectors"))

    def live_rows(self) -> NDArray[np.int64]:
        """Return the rows that are not removed."""
        mask = self.live_mask
        return np.arange(len(self.codes)) if mask is None else np.flatnonzero(mask)

    def live(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return those of an array's rows that are not removed; without a copy if that is all of them."""
        mask = self.live_mask
        return array if mask is None else array[mask]

    def select(self, where: IdsLike | None) -> NDArray[np.bool_] | None:
        """Return the mask of rows that a search may find, None for all; `where` as in `HammingIndex.kneighbors`."""
        if where is None:
            return self.live_mask
        plain: Any = _plain_where(where)
        if not _is_mask(plain):
            allowed = np.zeros(len(self.codes), bool)
            # Unique, because a list of 0 and 1 is a mask passed by mistake.
            allowed[self.rows_of(plain, unique=True, name="where")] = True
            return allowed
        mask = np.asarray(plain, dtype=bool)
        if mask.shape != (len(self),):
            raise ValueError(
                f"where must be a mask of shape (n_samples_fit_,) = ({len(self)},) or a list of ids, got a mask of "
                f"shape {mask.shape}."
            )
        if self.removals is None:
            return np.ascontiguousarray(mask)
        allowed = np.zeros(len(self.codes), bool)
        allowed[self.live_rows()] = mask
        return allowed

    def positions_of(self, rows: NDArray[np.int64], dtype: type = np.int64) -> NDArray[Any]:
        """Count the live rows before each of some live rows."""
        mask = self.live_mask
        return rows.astype(dtype) if mask is None else (np.cumsum(mask, dtype=dtype) - 1)[rows]

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ids of rows."""
        return rows if self.ids is None else self.ids[rows]

    def to_ids(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ids of many rows, in the memory of the rows if they are integers."""
        if self.ids is None or self.ids.dtype == object:
            return self.ids_of(rows)
        for start in range(0, len(rows), _CONVERTED_AT_ONCE):
            some = rows[start : start + _CONVERTED_AT_ONCE]
            some[:] = self.ids[some]
        return rows

    def ids_of_padded(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ids of rows, and -1 for the row -1."""
        ids = np.full(rows.shape, -1, np.int64 if self.ids is None else self.ids.dtype)
        ids[rows >= 0] = self.ids_of(rows[rows >= 0])
        return ids

    def rows_of(self, ids: IdsLike, *, unique: bool = False, name: str = "ids") -> NDArray[np.int64]:
        """Return the rows of ids, which must all be in the collection, and differ if `unique`."""
        wanted = read_ids(ids, name=name)
        if unique:
            check_unique(wanted, name)
        rows = self._find(wanted)
        if (rows < 0).any():
            raise ValueError(
                f"{name} must be ids of indexed codes, but {name_some(wanted[rows < 0])} not in the index."
            )
        return rows

    def memory_usage(self) -> dict[str, int]:
        """Compute the bytes of each part, with the spare capacity of the buffers; vectors only if there are any."""
        labels = None if self.labels is None else self.labels.codes
        mask = self.live_mask
        mask = None if mask is None else mask.base  # with its room
        arrays = {"codes": self.codes, "ids": self.ids, "labels": labels, "tombstones": mask}
        if self.vectors is not None:
            arrays["vectors"] = self.vectors
        arrays = {name: self.buffers.get(name, array) for name, array in arrays.items()}
        usage = {name: 0 if array is None else array.nbytes for name, array in arrays.items()}
        return {**usage, "lookup": self.lookup.nbytes}

    def _find(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Return the live rows of ids, -1 for unknown ones."""
        if self.ids is not None:
            rows = self.lookup.find(self.ids, ids)
        elif ids.dtype == object:
            rows = np.full(len(ids), -1)
        else:
            rows = np.where((ids >= 0) & (ids < len(self.codes)), ids, -1)
        if self.removals is not None:
            found = np.flatnonzero(rows >= 0)
            rows[found[~self.removals.are_live(rows[found])]] = -1
        return rows

    def _with(self, **fields: Any) -> Collection:
        """Return a copy with other values of some fields, in a tenth of the time of `replace`."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), **fields)
        return other

    def _read_new_ids(self, ids: IdsLike | None, n: int) -> NDArray[Any] | None:
        """Read the ids of new codes; return None if they are still their rows."""
        if self.next_id is not None:
            if ids is not None:
                raise ValueError("ids must not be passed to add: fit was called without ids, so the index counts them.")
            is_row = self.ids is None and self.next_id == len(self.codes)
            return None if is_row else np.arange(self.next_id, self.next_id + n)
        if ids is None:
            raise ValueError("ids must be passed to every add, as to fit: the index has user-defined ids.")
        new, known = read_ids(ids, n), self.ids
        if known is not None and known.dtype == object:
            new = new.astype(object)
        else:
            check_integers(new)
        check_unique(new)
        repeated = self._find(new) >= 0
        if repeated.any():
            raise ValueError(f"ids of new codes must be new, but {name_some(new[repeated])} in the index already.")
        return new

    def _read_more_labels(
        self, y: ArrayLike | None, n: int
    ) -> tuple[Labels | None, Labels | None, dict[str, NDArray[Any]]]:
        """Return old and new labels, encoded by the same classes, and a copy of the buffers.

        The buffer of labels is left out if these had to be encoded again.
        """
        buffers = dict(self.buffers)
        if y is None and self.labels is None:
            return None, None, buffers
        if self.labels is None:
            raise ValueError("y must not be passed: fit was called without y, so the index has no labels.")
        if y is None:
            raise ValueError("y must be passed to every add, as to fit: the index has labels.")
        labels, new = read_more_labels(self.labels, y, n)
        if labels is not self.labels:
            buffers.pop("labels", None)
        return labels, new, buffers


def _is_mask(where: Any) -> bool:
    """Check whether all values are bool, which no id is."""
    if isinstance(where, np.ndarray) and where.dtype != object:
        return where.dtype == bool
    return (
        isinstance(where, (list, tuple, np.ndarray))
        and len(where) > 0
        and all(isinstance(value, (bool, np.bool_)) for value in where)
    )


def _plain_where(where: Any) -> Any:
    """Convert masks and ids of other libraries to numpy; leave sets and other collections of ids."""
    library = type(where).__module__.partition(".")[0]
    return to_numpy(where, "where") if library in ("torch", "pandas", "polars", "pyarrow", "numpy") else where
