"""Which workers hold which shards: replicas are placed, replaced when a worker is lost, and moved to new workers."""

from __future__ import annotations

import errno
import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any

from skhash.distributed._shard import Shard
from skhash.utils import import_optional

if TYPE_CHECKING:
    from skhash.distributed._shard import Change, Part

__all__ = ["Placement", "LostWorker", "Replica", "finish", "is_of_lost_worker"]

_LOOK_AGAIN = 0.5  # seconds between two looks at the list of workers
_KEEP = 10.0  # seconds for which a replica that was replaced still answers requests that were sent to it
_POLL = 0.05
_CATCH_UP = 30.0  # seconds for which all calls wait at most until a new replica has made the changes of others
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET)
_LOST = ("KilledWorker", "FutureCancelledError", "FuturesCancelledError", "CommClosedError")


@dataclass(eq=False)
class Replica:
    """A shard in a worker.

    Parameters
    ----------
    worker : str
        Address of the worker.
    future : distributed.Future
        Of the actor.
    actor : distributed.Actor, default=None
        The actor, None until it is open.
    since : float
        When it was made.
    n_changes : int
        Number of changes that it was opened with.
    slow_until : float, default=0.0
        The time until which others are asked before it, because it was silent.
    """

    worker: str
    future: Any
    n_changes: int
    actor: Any = None
    since: float = field(default_factory=time.monotonic)
    slow_until: float = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the worker, and so the actor, is gone."""
        return self.future.status not in ("finished", "pending")


class LostWorker(Exception):
    """A worker is gone, and with it the answer."""


def is_of_lost_worker(error: BaseException) -> bool:
    """Check whether an error says that a worker was lost, rather than that a request was wrong."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, (CancelledError, LostWorker, ConnectionError, TimeoutError)) or names & set(_LOST):
        return True
    if isinstance(error, OSError):  # Dask's own have no number; those of a file in a worker have one
        is_of_file = isinstance(error, (FileNotFoundError, PermissionError)) or error.errno is not None
        return not is_of_file or error.errno in _UNREACHABLE
    return isinstance(error, RuntimeError) and "Actor was lost" in str(error)


def finish(call: Any, replica: Replica, seconds: float | None = None) -> Any:
    """Wait for the answer of an actor, unless its worker is lost: Dask alone would wait until it gives up to connect.

    Raises
    ------
    LostWorker
        If the worker is gone.
    TimeoutError
        If there is no answer after some seconds.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        is_done = call.done()  # asked before, for it may be done after a wait that was too short
        try:
            return call.result(timeout=None if is_done else _POLL)  # an event loop that is busy delays what is done
        except Exception as error:
            if is_done or not isinstance(error, TimeoutError):
                if is_of_lost_worker(error):
                    raise LostWorker(replica.worker) from error
                raise
        if replica.is_lost:
            raise LostWorker(replica.worker)
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"No answer from {replica.worker} within {seconds} s.")


class Placement:
    """Replicas of shards in the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        The client.
    parts : list of Part
        The parts.
    changes : list of list of Change
        The changes of each part so far; the lists grow.
    n_replicas : int
        Workers for each shard, fewer if there are fewer workers.
    """

    def __init__(self, client: Any, parts: Sequence[Part], changes: list[list[Change]], n_replicas: int) -> None:
        self._client, self._parts, self._changes, self._n_replicas = client, parts, changes, n_replicas
        self._open: list[list[Replica]] = [[] for _ in parts]
        self._opening: list[list[Replica]] = [[] for _ in parts]
        self._refused: set[tuple[int, str]] = set()  # shards and workers that cannot open them
        self._retired: list[tuple[float, Replica]] = []
        self._workers: frozenset[str] = frozenset()
        self._looked = -float("inf")
        self._turn = itertools.count()
        self.lock = RLock()
        self.n_lost = 0
        self._is_closed = False

    def where(self) -> dict[str, list[int]]:
        """Return the numbers of the shards that each worker holds."""
        with self.lock:
            found: dict[str, list[int]] = {worker: [] for worker in sorted(self._workers)}
            for number, replicas in enumerate(self._open):
                for replica in replicas:
                    found.setdefault(replica.worker, []).append(number)
            return found

    def replicas(self, shard: int) -> list[Replica]:
        """Return the open replicas of a shard, another one first at each call, and silent ones last."""
        with self.lock:
            replicas = [replica for replica in self._open[shard] if not replica.is_lost]
            turn, now = next(self._turn) % max(1, len(replicas)), time.monotonic()
            return sorted(replicas[turn:] + replicas[:turn], key=lambda replica: replica.slow_until > now)

    def lose(self, shard: int, replica: Replica) -> None:
        """Forget a replica whose worker is gone."""
        with self.lock:
            if replica in self._open[shard]:
                self._open[shard].remove(replica)
                self.n_lost += 1
                self._looked = -float("inf")

    def refresh(self, force: bool = False) -> None:
        """Adapt to the workers that there are now: take replicas that opened, open others, give up superfluous ones."""
        with self.lock:
            if self._is_closed:
                raise RuntimeError("The DistributedHammingIndex is closed; create a new one.")
            now = time.monotonic()
            if not force and now - self._looked < _LOOK_AGAIN and not any(self._opening):
                return
            if force or now - self._looked >= _LOOK_AGAIN:
                self._workers = frozenset(self._client.nthreads())
                self._looked = now
                self._drop_lost()
                self._plan()
            for number in range(len(self._parts)):
                self._take_opened(number)
            self._retired = [(since, replica) for since, replica in self._retired if now - since < _KEEP]

    def settle(self, timeout: float) -> None:
        """Wait until all replicas are where they belong."""
        end = time.monotonic() + timeout
        self.refresh(force=True)
        while any(self._opening) or not all(self._open):
            if time.monotonic() > end:
                raise TimeoutError(
                    f"No worker opened {sum(not replicas for replicas in self._open)} of {len(self._parts)} shards "
                    f"within {timeout} s; there are {len(self._workers)} workers."
                )
            time.sleep(0.01)
            self.refresh(force=time.monotonic() - self._looked > 0.1)

    def change(self, send: Callable[[int, Replica], None]) -> None:
        """Call a function for every open replica, under the lock; it is given up if its worker is lost meanwhile."""
        with self.lock:
            for number, replicas in enumerate(self._open):
                for replica in list(replicas):
                    send(number, replica)

    def close(self) -> None:
        """Release all actors, for good."""
        with self.lock:
            self._is_closed = True
            self._open = [[] for _ in self._parts]
            self._opening = [[] for _ in self._parts]
            self._retired.clear()

    def _drop_lost(self) -> None:
        """Forget what was on workers that are gone."""
        for number, replicas in enumerate(self._open):
            for replica in list(replicas):
                if replica.worker not in self._workers or replica.is_lost:
                    self.lose(number, replica)
        for number, replicas in enumerate(self._opening):
            self._opening[number] = [replica for replica in replicas if replica.worker in self._workers]

    def _take_opened(self, number: int) -> None:
        """Let replicas that have opened answer requests, and give up those of which there are too many now."""
        for replica in list(self._opening[number]):
            status = replica.future.status
            if status == "pending":
                continue
            self._opening[number].remove(replica)
            if status != "finished":
                self._raise_if_wrong(number, replica)
                continue
            try:
                with self._client.as_current():  # to which the proxy belongs, whatever other clients there are
                    actor_type = import_optional("distributed", extra="dask", purpose="A shard").Actor
                    replica.actor = actor_type(Shard, replica.worker, replica.future.key)
                missed = self._changes[number][replica.n_changes :]
                if missed:
                    finish(replica.actor.apply(replica.n_changes, missed), replica, _CATCH_UP)
            except Exception as error:
                if not is_of_lost_worker(error):
                    raise
                continue
            self._open[number].append(replica)
        wanted = min(self._n_replicas, len(self._workers))
        while len(self._open[number]) > max(1, wanted):
            loads = self._loads()
            replica = max(self._open[number], key=lambda replica: (loads.get(replica.worker, 0), -replica.since))
            self._open[number].remove(replica)
            self._retired.append((time.monotonic(), replica))

    def _raise_if_wrong(self, number: int, replica: Replica) -> None:
        """Raise the error with which a shard could not be opened, unless its worker was lost or others have opened it.

        A worker that joins, but does not reach the folder, must not make the calls fail that others can answer.
        """
        if replica.future.status == "error":
            error = replica.future.exception()
            if error is None or is_of_lost_worker(error):
                return
            if not (self._open[number] or self._opening[number]):
                raise error
            self._refused.add((number, replica.worker))
            warnings.warn(f"{replica.worker} cannot open shard {number}, and gets it no more: {error}", RuntimeWarning)

    def _plan(self) -> None:
        """Open missing replicas, and one on another worker where that balances the load."""
        wanted = min(self._n_replicas, len(self._workers))
        loads = self._loads()
        for number in sorted(range(len(self._parts)), key=lambda number: -self._size(number)):
            while len(self._open[number]) + len(self._opening[number]) < wanted:
                holders = {replica.worker for replica in (*self._open[number], *self._opening[number])}
                free = [one for one in loads if one not in holders and (number, one) not in self._refused]
                if not free:
                    break
                worker = min(free, key=lambda worker: (loads[worker], worker))
                self._begin(number, worker)
                loads[worker] += self._size(number)
        if not any(self._opening):  # or what is on its way would be counted twice
            while len(loads) > 1 and self._move_one(loads):
                pass

    def _move_one(self, loads: dict[str, int]) -> bool:
        """Begin to move a shard from the worker with the most to the one with the fewest codes, if that helps."""
        source = max(loads, key=lambda worker: (loads[worker], worker))
        target = min(loads, key=lambda worker: (loads[worker], worker))
        for number in sorted(range(len(self._parts)), key=lambda number: -self._size(number)):
            if self._opening[number] or loads[source] - loads[target] <= self._size(number):
                continue
            holders = {replica.worker for replica in self._open[number]}
            if source in holders and target not in holders and (number, target) not in self._refused:
                self._begin(number, target)
                loads[target] += self._size(number)
                loads[source] -= self._size(number)
                return True
        return False

    def _begin(self, number: int, worker: str) -> None:
        """Begin to open a shard on a worker."""
        changes = list(self._changes[number])
        future = self._client.submit(
            Shard, self._parts[number], changes, actor=True, workers=[worker], allow_other_workers=False, pure=False
        )
        self._opening[number].append(Replica(worker, future, len(changes)))

    def _size(self, number: int) -> int:
        """Return the load of a shard, which is not 0 for an empty one."""
        return self._parts[number].n_samples + 1

    def _loads(self) -> dict[str, int]:
        """Return the load of each worker."""
        loads = dict.fromkeys(sorted(self._workers), 0)
        for number in range(len(self._parts)):
            for replica in (*self._open[number], *self._opening[number]):
                if replica.worker in loads:
                    loads[replica.worker] += self._size(number)
        return loads
