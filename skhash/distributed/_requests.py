"""Requests to the shards of a `DistributedHammingIndex`, which outlive workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.distributed._merge import join
from skhash.distributed._placement import LostWorker, Placement, Replica, finish, is_of_lost_worker
from skhash.distributed._shard import Change, Found, Part, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RequestsMixin"]

_WAIT = 0.02  # seconds between two looks at requests that have no answer
_AVOIDED = 30.0  # seconds for which a silent worker is asked last
_BLOCK = 1024  # queries below which a request is not divided among replicas


class RequestsMixin:
    """Requests to shards.

    Attributes
    ----------
    _parts : list of Part
        The parts.
    _changes : list of list of Change
        The changes of each since it was saved.
    _placement : Placement
        The replicas of each.
    _places, _holders : ndarray of int64 of shape (n_added,)
        Places of added codes, ascending, and the shards that hold them.
    _counted : bool
        Whether the index counts its ids.
    """

    replicas: int
    hedge: float
    timeout: float
    _parts: list[Part]
    _changes: list[list[Change]]
    _placement: Placement
    _places: NDArray[np.int64]
    _holders: NDArray[np.int64]
    _counted: bool

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
            is_done = call.done()  # asked before, for it may be done after a wait that was too short
            try:  # an event loop that is busy delays what is done
                answer = call.result(timeout=None if is_done else _WAIT / len(calls))
            except Exception as error:
                if is_done or not isinstance(error, TimeoutError):
                    if not is_of_lost_worker(error):
                        raise
                    calls.remove((replica, call, started))
                    self._placement.lose(shard, replica)
                elif replica.is_lost:
                    calls.remove((replica, call, started))
                    self._placement.lose(shard, replica)
                continue
            if job[0] in ("search", "save") and isinstance(answer, int):
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
            calls[0][0].slow_until = time.monotonic() + _AVOIDED
            self._placement.refresh()  # there may be no other one yet
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

    def _bring_up_to_date(self, shard: int, replica: Replica, version: int) -> None:
        """Make the changes of a shard that a replica lacks."""
        while version < len(self._changes[shard]):
            found = finish(replica.actor.apply(version, self._changes[shard][version:]), replica, self.timeout)
            version = min(found, len(self._changes[shard]))
