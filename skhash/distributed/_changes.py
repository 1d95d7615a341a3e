"""The state of a `DistributedHammingIndex`: its changes, and requests that outlive workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.distributed._merge import join
from skhash.distributed._placement import LostWorker, Placement, Replica, finish, is_of_lost_worker
from skhash.distributed._shard import Added, Change, Found, Part, Removed, Request
from skhash.index import HammingIndex
from skhash.utils import to_numpy

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from skhash.utils import CodesLike

__all__ = ["ChangesMixin"]

_WAIT = 0.02  # seconds between two looks at requests that have no answer
_BLOCK = 1024  # queries below which a request is not divided among replicas


class ChangesMixin:
    """State, requests and changes of `DistributedHammingIndex`."""

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
        self._changes: list[list[Change]] = [[] for _ in self._parts]
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
            If ids are missing, in the index already or not expected, or `X` does not contain codes of this length. The
            index is unchanged then.
        """
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

    def _bring_up_to_date(self, shard: int, replica: Replica, version: int) -> None:
        """Make the changes of a shard that a replica lacks."""
        while version < len(self._changes[shard]):
            found = finish(replica.actor.apply(version, self._changes[shard][version:]), replica, self.timeout)
            version = min(found, len(self._changes[shard]))

    def _find(self, labels: Sequence[Any]) -> list[int]:
        """Return the shard of each id, -1 for unknown ones."""
        shards = range(len(self._parts))
        if self._counted:  # ids say in which shard they are, if anywhere
            wanted = np.array(labels, np.int64)
            ends = np.cumsum([part.n_counted for part in self._parts])
            holder = np.searchsorted(ends, wanted, side="right")
            place = np.searchsorted(self._places, wanted)
            is_added = (place < len(self._places)) & (wanted >= ends[-1])
            is_added[is_added] &= self._places[place[is_added]] == wanted[is_added]
            holder[is_added] = self._holders[place[is_added]]
            holder[(wanted < 0) | ((wanted >= ends[-1]) & ~is_added)] = -1
            asked = {shard: np.flatnonzero(holder == shard).tolist() for shard in shards}
        else:
            asked = {shard: list(range(len(labels))) for shard in shards}
        found = [-1] * len(labels)
        jobs = {shard: ("locate", ([labels[row] for row in rows],)) for shard, rows in asked.items() if rows}
        for shard, answer in self._gather(jobs).items():
            for row, is_here in zip(asked[shard], answer, strict=True):
                if is_here:
                    found[row] = shard
        return found

    def _read_codes(self, X: CodesLike) -> NDArray[np.uint64]:
        """Read codes in any form as packed words."""
        return HammingIndex(**self._options).fit(X).codes_

    def _read_ids(self, ids: Any, name: str) -> list[Any]:
        """Read ids, all different."""
        labels = to_numpy(ids, name).tolist() if hasattr(ids, "dtype") else list(ids)
        if not self._has_objects and not all(isinstance(label, (int, np.integer)) for label in labels):
            raise ValueError(f"{name} must be integers, as the ids of the index are.")
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
        masks = [(of_parts[shard], of_parts[-1][self._holders == shard]) for shard in range(n_shards)]
        return list(masks), int(np.count_nonzero(values))

    def _ask(self, request: Request, where: Sequence[Any]) -> list[Found]:
        """Search all shards; return their answers in the order of parts, those of added codes last."""
        n, n_pieces = len(request.queries), 1
        if n >= 2 * _BLOCK:
            n_pieces = min(self.replicas, n // _BLOCK)
        bounds = np.arange(n_pieces + 1) * n // n_pieces
        jobs: dict[Any, tuple[str, tuple[Any, ...]]] = {}
        for piece in range(n_pieces):
            queries = request.queries[bounds[piece] : bounds[piece + 1]]
            some = Request(request.kind, queries, request.k, request.radius, request.query_bits)
            for shard, passed in enumerate(where):
                jobs[shard, piece] = "search", (len(self._changes[shard]), some, passed)
        answers = self._gather(jobs)
        base, added = [], []
        for shard in range(len(self._parts)):
            pieces = [answers[shard, piece] for piece in range(n_pieces)]
            base.append(join([found[0] for found in pieces]))
            if all(len(found) > 1 for found in pieces):
                added.append(join([found[1] for found in pieces]))
        return base + added

    def _gather(self, jobs: dict[Any, tuple[str, tuple[Any, ...]]]) -> dict[Any, Any]:
        """Call methods of shards, on one replica each, and again on another one if its worker is lost.

        The keys of `jobs` are numbers of shards, or tuples that begin with them.
        """
        self._placement.refresh()
        end = time.monotonic() + self.timeout
        calls: dict[Any, list[tuple[Replica, Any, float]]] = {key: [] for key in jobs}
        answers: dict[Any, Any] = {}
        for key in jobs:
            self._call(key, jobs[key], calls[key])
        while len(answers) < len(jobs):
            for key in [key for key in jobs if key not in answers]:
                self._look(key, jobs[key], calls[key], answers)
            if len(answers) < len(jobs) and time.monotonic() > end:
                missing = sorted({key if isinstance(key, int) else key[0] for key in jobs if key not in answers})
                raise TimeoutError(f"Shards {missing} did not answer within {self.timeout} s.")
        return answers

    def _look(self, key: Any, job: Any, calls: list[Any], answers: dict[Any, Any]) -> None:
        """Look for the answer to one call; call another replica if the worker is lost, or takes long."""
        shard = key if isinstance(key, int) else key[0]
        for replica, call, started in list(calls):
            try:
                answer = call.result(timeout=_WAIT) if len(calls) == 1 or call.done() else call
            except Exception as error:
                if call.done() or not isinstance(error, TimeoutError):
                    if not is_of_lost_worker(error):
                        raise
                    calls.remove((replica, call, started))
                    self._placement.lose(shard, replica)
                elif replica.is_lost:
                    calls.remove((replica, call, started))
                    self._placement.lose(shard, replica)
                continue
            if answer is call:  # of several calls, one without an answer
                continue
            if job[0] == "search" and isinstance(answer, int):
                calls.remove((replica, call, started))
                try:
                    self._bring_up_to_date(shard, replica, answer)
                except (LostWorker, TimeoutError):
                    self._placement.lose(shard, replica)
                continue
            answers[key] = answer
            return
        if not calls:
            self._placement.refresh(force=not self._placement.replicas(shard))
            self._call(key, job, calls)
            if not calls:
                time.sleep(_WAIT)
        elif len(calls) == 1 and time.monotonic() - calls[0][2] > self.hedge:
            self._call(key, job, calls)

    def _call(self, key: Any, job: tuple[str, tuple[Any, ...]], calls: list[Any]) -> None:
        """Call a replica that was not called yet, if there is one."""
        shard = key if isinstance(key, int) else key[0]
        asked = {id(replica) for replica, _, _ in calls}
        for replica in self._placement.replicas(shard):
            if id(replica) in asked:
                continue
            try:
                call = getattr(replica.actor, job[0])(*job[1])
            except RuntimeError as error:
                if not is_of_lost_worker(error):
                    raise
                self._placement.lose(shard, replica)
                continue
            calls.append((replica, call, time.monotonic()))
            return
