"""One shard in a worker: a saved part, mapped into memory, with the changes since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.distributed._build import begin_build, describe_part, header_crc32
from skhash.index import HammingIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Added", "Change", "Found", "Part", "Removed", "Request", "Shard"]


@dataclass(frozen=True)
class Part:
    """A saved part in one state.

    Parameters
    ----------
    number : int
        Its place in the order of parts.
    path : str
        Absolute path of its folder.
    crc32 : int
        Checksum of its header, which identifies the state.
    first_id : int or None
        Id of its first code, if ids are counted over all parts; None for user-defined ids.
    n_counted : int
        Number of ids that it has counted, removed ones too; 0 for user-defined ids.
    n_samples : int
        Number of codes.
    """

    number: int
    path: str
    crc32: int
    first_id: int | None
    n_counted: int
    n_samples: int


@dataclass(frozen=True)
class Added:
    """Codes that were added.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n_added, n_words)
        Packed codes.
    places : ndarray of int64 of shape (n_added,)
        Their places in the order of all codes; also their ids, if these are counted.
    ids : list or None
        User-defined ids.
    """

    codes: NDArray[np.uint64]
    places: NDArray[np.int64]
    ids: list[Any] | None


@dataclass(frozen=True)
class Removed:
    """Codes that were removed.

    Parameters
    ----------
    ids : list
        Their ids.
    """

    ids: list[Any]


Change = Added | Removed


@dataclass(frozen=True)
class Request:
    """A search.

    Parameters
    ----------
    kind : {"nearest", "within", "asymmetric"}
        The kind of search.
    queries : ndarray of shape (n_queries, ...)
        Packed codes, or continuous codes for "asymmetric".
    k : int or None
        Number of neighbors, or the largest one within a radius.
    radius : int or None
        The radius.
    query_bits : int or None
        Bits to which continuous codes are rounded.
    """

    kind: str
    queries: NDArray[Any]
    k: int | None = None
    radius: int | None = None
    query_bits: int | None = None


@dataclass(frozen=True)
class Found:
    """Neighbors, query after query.

    Parameters
    ----------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbors of each query.
    distances : ndarray of int32 or float64 of shape (n_found,)
        Distances.
    places : ndarray of int64 of shape (n_found,)
        What orders neighbors at one distance: places in the order of all codes, or one number for a part, whose
        neighbors are in order already.
    ids : ndarray of int64 or object of shape (n_found,)
        Ids.
    """

    counts: NDArray[np.int64]
    distances: NDArray[Any]
    places: NDArray[np.int64]
    ids: NDArray[Any]


class Shard:
    """A part with its changes: an actor of Dask, or an object of this process.

    Added codes are in an index of their own, because a mapped index would be copied into memory by `add`.

    Parameters
    ----------
    part : Part
        The saved part.
    changes : list of Change
        All changes since it was saved.
    """

    def __init__(self, part: Part, changes: Sequence[Change] = ()) -> None:
        if header_crc32(part.path) != part.crc32:
            raise ValueError(
                f"{part.path} has changed since the DistributedHammingIndex was created; create a new one."
            )
        self._part = part
        self._base = HammingIndex.open(part.path)
        self._has_objects = part.first_id is None and self._base.ids_.dtype == object
        self._added: HammingIndex | None = None
        self._ids: dict[int, Any] = {}  # user-defined ids of added codes by place
        self._places: dict[Any, int] = {}
        self._version = 0
        self.apply(0, changes)
        if len(self._base):  # compiles kernels, and reads a page of each file
            self._base.kneighbors(np.zeros((1, -(-self._base.bits_ // 64)), np.uint64), 1)

    def apply(self, first: int, changes: Sequence[Change]) -> int:
        """Make changes, of which the first has a number, and return how many were made in all.

        Changes that were made before are skipped; if some are missing before the first, nothing is done.
        """
        if self._version < first:
            return self._version
        for change in changes[self._version - first :]:
            if isinstance(change, Added):
                self._add(change)
            else:
                base, added = self._split(change.ids)
                if base:
                    self._base.remove(base)
                if added:
                    assert self._added is not None
                    self._added.remove(added)
                    for place in added if self._ids else ():
                        del self._places[self._ids.pop(place)]
            self._version += 1
        return self._version

    def locate(self, ids: Sequence[Any]) -> list[bool]:
        """Check which ids are those of codes in this shard."""
        return [self._of_base(label) in self._base or self._of_added(label) is not None for label in ids]

    def search(self, version: int, request: Request, where: Any) -> list[Found] | int:
        """Search; return the version instead, if changes are missing.

        `where` is None, a list of ids (of which those of other shards are ignored), or a tuple: masks over the codes of
        the part and over the added codes, and the version to which they belong.
        """
        if self._version < version:
            return self._version
        masks = (None, None)
        if isinstance(where, tuple):
            if self._version != where[2]:  # of masks, not even the length would tell
                raise ValueError("where is a mask of codes that another thread has changed meanwhile; make a new one.")
            masks = where[:2]
        elif where is not None:
            masks = self._split(where)
        found = [self._find(self._base, request, masks[0], self._name_base)]
        if self._added is not None:
            found.append(self._find(self._added, request, masks[1], self._name_added))
        return found

    def save(self, version: int, path: str) -> dict[str, Any] | int:
        """Save the part without removed codes, and describe it; return the version instead, if changes are missing.

        Each call makes a folder of a new name in `path`: a second replica, which is asked when the first one is slow,
        must not replace what the first has written.
        Added codes are saved by the client, as a part behind all others, so that the order stays.
        """
        if self._version < version:
            return self._version
        folder, name = begin_build(path)
        part = str(folder / f"{name}-{self._part.number:06d}")
        self._base.save(part)
        return describe_part(part, len(self._base))

    def _add(self, change: Added) -> None:
        """Append codes to those that were added before."""
        if self._added is None:
            parameters = self._base.get_params()
            parameters.update(bits=self._base.bits_, binarize=None)
            self._added = HammingIndex(**parameters).fit(change.codes, ids=change.places)
        else:
            self._added.add(change.codes, ids=change.places)
        if change.ids is not None:
            self._ids.update(zip(change.places.tolist(), change.ids, strict=True))
            self._places.update(zip(change.ids, change.places.tolist(), strict=True))

    def _find(self, index: HammingIndex, request: Request, where: Any, name: Callable[..., Any]) -> Found:
        """Search one of both indexes."""
        queries, k = request.queries, request.k
        if where is None:
            n_allowed = len(index)
        else:
            n_allowed = int(np.count_nonzero(where)) if isinstance(where, np.ndarray) else len(where)
        none = n_allowed == 0
        if request.kind == "within":
            options: dict[str, Any] = {"max_neighbors": k, "where": where}
            if none:
                counts, distances, ids = np.zeros(len(queries), np.int64), np.empty(0, np.int32), np.empty(0, np.int64)
            else:
                split = index.radius_neighbors(queries, request.radius, **options)
                counts = np.array([len(some) for some in split[0]], np.int64)
                distances, ids = np.concatenate(split[0]), np.concatenate(split[1])
        else:
            assert k is not None
            n_found = min(k, n_allowed)
            counts = np.full(len(queries), n_found)
            if none:
                kind = np.int32 if request.kind == "nearest" else np.float64
                distances, ids = np.empty(0, kind), np.empty(0, np.int64)
            elif request.kind == "nearest":
                distances, ids = index.kneighbors(queries, n_found, where=where)
            else:
                assert request.query_bits is not None
                distances, ids = index.kneighbors_asymmetric(
                    queries, n_found, query_bits=request.query_bits, where=where
                )
        places, ids = name(ids.ravel())
        return Found(counts, distances.ravel(), places, ids)

    def _name_base(self, ids: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return places and ids of codes of the part by its own ids."""
        if self._part.first_id is None:
            return np.full(len(ids), self._part.number), ids
        ids = ids + self._part.first_id
        return ids, ids

    def _name_added(self, places: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return places and ids of added codes by their places."""
        if self._part.first_id is not None:
            return places, places
        labels = [self._ids[place] for place in places.tolist()]
        # Other parts may have ids of another kind, and numpy would read the text "5" as a number.
        if not self._has_objects and all(isinstance(label, int) for label in labels):
            return places, np.array(labels, np.int64)
        ids = np.empty(len(labels), object)
        ids[:] = labels
        return places, ids

    def _of_base(self, label: Any) -> Any:
        """Return the id by which the part knows a code."""
        return label if self._part.first_id is None else label - self._part.first_id

    def _of_added(self, label: Any) -> int | None:
        """Return the place of an added code, None if there is none with this id."""
        if self._added is None:
            return None
        place = label if self._part.first_id is not None else self._places.get(label)
        return place if place is not None and place in self._added else None

    def _split(self, ids: Sequence[Any]) -> tuple[list[Any], list[int]]:
        """Return the ids of the part's own codes among some, as it knows them, and the places of added codes."""
        base = [own for own in map(self._of_base, ids) if own in self._base]
        added = [place for place in map(self._of_added, ids) if place is not None]
        return base, added
