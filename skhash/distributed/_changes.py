"""The state of a `DistributedHammingIndex`: its changes, and requests that outlive workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.distributed._build import begin_build, commit, describe_part
from skhash.distributed._placement import LostWorker, Placement, Replica
from skhash.distributed._requests import RequestsMixin
from skhash.distributed._shard import Added, Part, Removed
from skhash.index import HammingIndex
from skhash.utils import to_numpy

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from skhash.utils import CodesLike

__all__ = ["ChangesMixin"]


class ChangesMixin(RequestsMixin):
    """State and changes of `DistributedHammingIndex`."""

    bits_: int

    def _start(
        self, client: Any, read: Sequence[tuple[Part, HammingIndex]], replicas: int, hedge: float, timeout: float
    ) -> None:
        """Open the shards on the workers."""
        self.client, self.replicas, self.hedge, self.timeout = client, replicas, hedge, timeout
        self._parts = [part for part, _ in read]
        first = read[0][1]
        self.bits_ = first.bits_
        self._counted = self._parts[0].first_id is not None
        self._has_objects = not self._counted and any(index.ids_.dtype == object for _, index in read)
        self._id_type = np.dtype(object if self._has_objects else np.int64)
        options = {**first.get_params(), "bits": first.bits_}
        self._options = options
        self._reader = HammingIndex(**options).fit(np.zeros((1, -(-first.bits_ // 64)), np.uint64))
        self._n_base = np.array([part.n_samples for part in self._parts])
        self._n_live = self._n_base.copy()  # with added codes
        self._next_place = sum(part.n_counted for part in self._parts) if self._counted else len(self._parts)
        self._places = np.empty(0, np.int64)  # of added codes, ascending
        self._holders = np.empty(0, np.int64)  # the shards of these
        self._labels: dict[int, Any] = {}  # user-defined ids of these
        self._changes = [[] for _ in self._parts]
        self._is_labeled = first.labels_ is not None
        self._write_lock = Lock()
        self._placement = Placement(client, self._parts, self._changes, replicas)
        self._placement.settle(timeout)

    def __len__(self) -> int:
        """Return the number of codes."""
        return self.n_samples_fit_

    def __repr__(self) -> str:
        return f"DistributedHammingIndex({len(self._parts)} shards, {len(self)} codes of {self.bits_} bits)"

    @property
    def n_samples_fit_(self) -> int:
        """Number of codes."""
        return int(self._n_live.sum())

    @property
    def placement_(self) -> dict[str, list[int]]:
        """Numbers of the shards that each worker holds."""
        return self._placement.where()

    @property
    def n_lost_(self) -> int:
        """Number of replicas that were lost with their workers."""
        return self._placement.n_lost

    def rebalance(self) -> Self:
        """Wait until all replicas are open and divided evenly among the workers that there are now.

        Searches do the same without waiting: they look for new and lost workers twice a second, and use a replica as
        soon as it is open.

        Returns
        -------
        self : DistributedHammingIndex
            The index.
        """
        self._placement.settle(self.timeout)
        return self

    def close(self) -> None:
        """Release the shards of all workers; the index cannot be used any more."""
        self._placement.close()

    def add(self, X: CodesLike, *, ids: Any = None) -> Self:
        """Append codes to the shard with the fewest.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        ids : array-like of shape (n_samples,), default=None
            Ids that are not in the index, if it has user-defined ones; otherwise the index counts on.

        Returns
        -------
        self : DistributedHammingIndex
            The index. All replicas have the codes.

        Raises
        ------
        ValueError
            If ids are missing, in the index already or not expected, `X` does not contain codes of this length, or
            the parts have labels. The index is unchanged then.
        """
        if self._is_labeled:
            raise ValueError("The parts have labels, and codes without labels cannot be added to them.")
        codes = self._read_codes(X)
        with self._write_lock:
            if (ids is None) != self._counted:
                raise ValueError(
                    "ids must not be passed: the index counts them."
                    if self._counted
                    else "ids must be passed: the index has user-defined ids."
                )
            labels = None
            if ids is not None:
                labels = HammingIndex().fit(codes, ids=ids).ids_.tolist()  # reads and compares them
                if not self._has_objects and not all(isinstance(label, int) for label in labels):
                    raise ValueError(f"ids must be integers, as those of the index, got {labels[0]!r}.")
                known = [label for label, found in zip(labels, self._find(labels), strict=True) if found >= 0]
                if known:
                    raise ValueError(f"ids of new codes must be new, but {known[0]!r} is in the index already.")
            shard = int(self._n_live.argmin())
            places = np.arange(self._next_place, self._next_place + len(codes))
            with self._placement.lock:
                self._next_place += len(codes)
                self._places = np.concatenate([self._places, places])
                self._holders = np.concatenate([self._holders, np.full(len(codes), shard)])
                if labels is not None:
                    self._labels.update(zip(places.tolist(), labels, strict=True))
                self._n_live[shard] += len(codes)
                self._log({shard: Added(codes, places, labels)})
        return self

    def remove(self, ids: Any) -> Self:
        """Remove codes from the shards that hold them.

        Parameters
        ----------
        ids : array-like of shape (n_removed,)
            Ids of indexed codes, each once.

        Returns
        -------
        self : DistributedHammingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is passed twice. The index is unchanged then.
        """
        with self._write_lock:
            labels = self._read_ids(ids, "ids")
            holders = self._find(labels)
            self._check_known(labels, holders, "ids")
            changes = {}
            for shard in sorted(set(holders)):
                own = [label for label, holder in zip(labels, holders, strict=True) if holder == shard]
                changes[shard] = Removed(own)
            added = set(self._labels.values()) if self._labels else set()
            with self._placement.lock:
                gone = set(labels)
                if self._counted:
                    kept = ~np.isin(self._places, labels)
                elif added:
                    kept = np.array([self._labels[place] not in gone for place in self._places.tolist()], bool)
                else:
                    kept = np.ones(len(self._places), bool)
                dropped = np.bincount(self._holders[~kept], minlength=len(self._parts))
                for place in self._places[~kept].tolist():
                    self._labels.pop(place, None)
                self._places, self._holders = self._places[kept], self._holders[kept]
                for shard, change in changes.items():
                    self._n_live[shard] -= len(change.ids)
                    self._n_base[shard] -= len(change.ids) - dropped[shard]
                self._log(changes)
        return self

    def save(self, path: str | os.PathLike[str]) -> list[str]:
        """Save the codes with all changes as a sharded index, as `build_index` does.

        Each worker writes its parts, without removed codes; added codes become one part more, so that ids and their
        order stay. Until the last one is written, the folder contains what it contained before.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a sharded index other than this one, which is replaced.

        Returns
        -------
        parts : list of str
            Paths of the parts in order.

        Raises
        ------
        ValueError
            If the folder is that of the open parts, or has other files.
        """
        if os.path.realpath(path) in (os.path.realpath(Path(part.path).parent) for part in self._parts):
            raise ValueError(f"{path} has the parts that are open; save to another folder.")
        with self._write_lock:
            folder, name = begin_build(path)
            jobs = {part.number: ("save", (len(self._changes[part.number]), str(folder))) for part in self._parts}
            records = [record for _, record in sorted(self._gather(jobs).items())]
            added = [change for changes in self._changes for change in changes if isinstance(change, Added)]
            if added:
                added.sort(key=lambda change: int(change.places[0]))
                codes = np.concatenate([change.codes for change in added])
                places = np.concatenate([change.places for change in added])
                index = HammingIndex(**self._options)
                if self._counted:
                    index.fit(codes).remove(np.flatnonzero(~np.isin(places, self._places)))
                else:
                    kept = np.isin(places, self._places)
                    ids = [self._labels[place] for place in places[kept].tolist()]
                    index.fit(codes[kept], ids=ids) if ids else None
                if self._counted or len(self._places):
                    last = str(folder / f"{name}-{len(self._parts):06d}")
                    index.save(last)
                    records.append(describe_part(last, len(index)))
            return commit(str(folder), records)

    def _log(self, changes: dict[int, Any]) -> None:
        """Note changes, and make them on all open replicas."""
        for shard, change in changes.items():
            self._changes[shard].append(change)

        def send(shard: int, replica: Replica) -> None:
            if shard not in changes:
                return
            try:
                self._bring_up_to_date(shard, replica, len(self._changes[shard]) - 1)
            except (LostWorker, TimeoutError):  # without all changes it must not answer
                self._placement.lose(shard, replica)

        self._placement.change(send)

    def _read_codes(self, X: CodesLike) -> NDArray[np.uint64]:
        """Read codes in any form as packed words."""
        return HammingIndex(**self._options).fit(X).codes_

    def _read_ids(self, ids: Any, name: str) -> list[Any]:
        """Read ids, all different."""
        if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__") or getattr(ids, "ndim", 1) != 1:
            raise TypeError(f"{name} must be a list or an array of ids, got {type(ids).__name__}: {ids!r}.")
        labels = to_numpy(ids, name).tolist() if hasattr(ids, "dtype") else list(ids)
        for label in () if self._has_objects else labels:
            if not isinstance(label, (int, np.integer)) or not -(2**63) <= label < 2**63:
                raise ValueError(f"{name} must be integers of 64 bits, as the ids of the index are, got {label!r}.")
        if len(set(labels)) != len(labels):
            raise ValueError(f"{name} must be unique, but some are passed twice.")
        return labels

    def _check_known(self, labels: Sequence[Any], holders: Sequence[int], name: str) -> None:
        """Raise ValueError if an id was not found."""
        unknown = [label for label, holder in zip(labels, holders, strict=True) if holder < 0]
        if unknown:
            some = f"{unknown[0]!r} is" if len(unknown) == 1 else f"{unknown[0]!r} and {len(unknown) - 1} others are"
            raise ValueError(f"{name} must be ids of indexed codes, but {some} not in the index.")

    def _read_where(self, where: Any) -> tuple[list[Any], int]:
        """Return what each shard needs to know of `where`, and the number of codes that it passes."""
        n_shards = len(self._parts)
        if where is None:
            return [None] * n_shards, self.n_samples_fit_
        values = to_numpy(where, "where") if hasattr(where, "dtype") else where
        if isinstance(values, (list, tuple)) and len(values) and all(isinstance(v, (bool, np.bool_)) for v in values):
            values = np.array(values)
        if not (isinstance(values, np.ndarray) and values.dtype == bool):
            labels = self._read_ids(values, "where")
            holders = self._find(labels)
            self._check_known(labels, holders, "where")
            of_shard: list[list[Any]] = [[] for _ in range(n_shards)]
            for label, holder in zip(labels, holders, strict=True):
                of_shard[holder].append(label)
            return list(of_shard), len(labels)
        if values.shape != (self.n_samples_fit_,):
            raise ValueError(
                f"where must be a mask of shape (n_samples_fit_,) = ({self.n_samples_fit_},) or a list of ids, got a "
                f"mask of shape {values.shape}."
            )
        of_parts = np.split(values, np.cumsum(self._n_base))
        masks = [
            (of_parts[shard], of_parts[-1][self._holders == shard], len(self._changes[shard]))
            for shard in range(n_shards)
        ]
        return list(masks), int(np.count_nonzero(values))
