"""A simulation of an index in many shards on many machines, event by event.

Every query goes to all shards, or to those that it is routed to. A shard has replicas on different machines; each
replica has a processor of its own and answers one request after the other. Events are arrivals, hedges (a request that
is repeated on another replica), losses of machines, their detection, replicas that are opened again, and rebalancing.
The requests of one event are numpy arrays over the shards, so that thousands of shards take seconds.

Times are simulated. Answers are not: `Corpus` has a small collection in as many shards, which are searched when the
simulated replies arrive, and merges them by the function that `ShardedHammingIndex` uses.
"""

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from skhash import HammingIndex
from skhash.index._shard_work import answer, find_codes, merge

__all__ = ["Cluster", "Corpus", "Outcome", "place"]


@dataclass
class Outcome:
    """What a simulation measured.

    Attributes
    ----------
    seconds : ndarray of shape (n_queries,)
        Time from the arrival of each query to its last reply.
    reply_seconds : float
        Mean time of a reply, over all queries and shards.
    n_requests, n_hedges, n_resent : int
        Requests in all, and how many were hedges, or sent again because a machine was lost.
    busy : ndarray of shape (n_shards, n_columns)
        Seconds of work that each replica was sent.
    machines : ndarray of shape (n_shards, n_columns)
        The machine of each replica at the end, -1 where there is none.
    found : dict
        Ids of the neighbors of the queries that `Corpus` answered.
    """

    seconds: np.ndarray
    reply_seconds: float
    n_requests: int
    n_hedges: int
    n_resent: int
    busy: np.ndarray
    machines: np.ndarray
    found: dict = field(default_factory=dict)

    def percentiles(self, *percents):
        """Return percentiles of the times of the queries."""
        return np.percentile(self.seconds, percents)


class _Query:
    """A query on its way: its shards, the first reply of each, and all requests."""

    def __init__(self, number, start, shards, n_shards):
        self.number, self.start, self.shards = number, start, shards
        self.done = np.full(n_shards, -np.inf)  # of shards that it does not ask
        self.done[shards] = np.inf
        self.sent = []  # shards, replicas and ends of requests that were sent together

    def lose(self, lost, now):
        """Forget replies that lost replicas, a mask, owe."""
        for shards, replicas, ends in self.sent:
            ends[lost[shards, replicas] & (ends > now)] = np.inf
        self.done[self.shards] = np.inf
        for shards, _, ends in self.sent:
            np.minimum.at(self.done, shards, ends)


class Cluster:
    """Shards with replicas on machines.

    Parameters
    ----------
    n_shards, n_machines : int
        Number of shards and of machines.
    service : object with `draw(rng, size)`
        Time of a request on a replica that has nothing else to do, see `scale.closed_forms`.
    n_replicas : int, default=1
        Replicas of each shard, on different machines.
    hedge_after : float, default=None
        Seconds after which a request without a reply is repeated on another replica. The first reply counts, and the
        other request is not withdrawn.
    choice : {"random", "least work"}, default="least work"
        Which replica a request goes to: any, or the less busy of two.
    detection, reopening : float
        Seconds until the loss of a machine is noticed, and from then on until its replicas are open elsewhere.
    max_replicas : int, default=None
        Largest number of replicas of a shard after rebalancing.
    random_state : int, default=0
        Seed.
    """

    def __init__(self, n_shards, n_machines, service, *, n_replicas=1, hedge_after=None, choice="least work",
                 detection=0.0, reopening=0.0, max_replicas=None, random_state=0):  # fmt: skip
        if choice not in ("random", "least work"):
            raise ValueError(f'choice must be "random" or "least work", got {choice!r}.')
        n_columns = max(n_replicas, max_replicas or 0)
        if n_replicas > n_machines:
            raise ValueError(f"n_replicas must be <= n_machines = {n_machines}, got {n_replicas}.")
        self.n_shards, self.service, self.hedge_after, self.choice = n_shards, service, hedge_after, choice
        self.detection, self.reopening = detection, reopening
        self.rng = np.random.default_rng(random_state)
        self.machines = np.full((n_shards, n_columns), -1)
        self.machines[:, :n_replicas] = place(n_shards, n_machines, n_replicas)
        self.is_up = np.ones(n_machines, bool)
        self.alive = self.machines >= 0
        self.known = self.alive.copy()  # what those who send requests believe
        self.free = np.zeros((n_shards, n_columns))  # when each replica has done all it was sent
        self.busy = np.zeros((n_shards, n_columns))

    def run(self, arrivals, *, routes=None, losses=(), rebalance=(), target=0.5, corpus=None):
        """Simulate queries.

        Parameters
        ----------
        arrivals : ndarray of shape (n_queries,)
            Times of arrival, ascending.
        routes : sequence of ndarray of int, default=None
            Shards that each query asks. None means all.
        losses : sequence of (float, int)
            Times and machines that are lost.
        rebalance : sequence of float
            Times at which shards that are busier than `target` get more replicas.
        target : float, default=0.5
            Largest share of the time for which a replica may work.
        corpus : Corpus, default=None
            Answers its queries, which have the numbers of the first arrivals.

        Returns
        -------
        outcome : Outcome
            Times, requests and answers.
        """
        self.events, self.numbers, self.flying, self.ends = [], count(), {}, []
        self.routes, self.corpus, self.target = routes, corpus, target
        self.outcome = Outcome(np.full(len(arrivals), np.nan), 0.0, 0, 0, 0, self.busy, self.machines)
        self.n_replies, self.measured = 0, (0.0, np.zeros(self.n_shards))
        for number, time in enumerate(arrivals):
            self._at(time, self._arrive, number)
        for time, machine in losses:
            self._at(time, self._lose, machine)
        for time in rebalance:
            self._at(time, self._rebalance)
        while self.events:
            now, _, happen, arguments = heapq.heappop(self.events)
            self._finish(now)
            happen(now, *arguments)
        self._finish(np.inf)
        self.outcome.reply_seconds /= self.n_replies
        return self.outcome

    def _at(self, time, happen, *arguments):
        heapq.heappush(self.events, (time, next(self.numbers), happen, arguments))

    def _arrive(self, now, number):
        shards = np.arange(self.n_shards) if self.routes is None else self.routes[number]
        self.flying[number] = query = _Query(number, now, shards, self.n_shards)
        self._send(query, shards, now)
        if self.hedge_after is not None:
            self._at(now + self.hedge_after, self._hedge, number)

    def _hedge(self, now, number):
        """Repeat what has no reply yet on another replica."""
        query = self.flying.get(number)
        if query is None:
            return
        shards, replicas, _ = query.sent[0]
        late = (query.done[shards] > now) & (replicas >= 0)
        shards, replicas = shards[late], replicas[late]
        others = self.known[shards]
        others[np.arange(len(shards)), replicas] = False
        has_other = others.any(axis=1)
        self.outcome.n_hedges += self._send(query, shards[has_other], now, others[has_other])

    def _send(self, query, shards, now, known=None):
        """Send requests to the shards and note when they will be answered; return how many were sent."""
        if not len(shards):
            return 0
        known = self.known[shards] if known is None else known
        replicas = self._choose(shards, known)
        sent = known.any(axis=1)
        replicas[~sent] = -1  # there is none: sent when one is opened
        ends = np.full(len(shards), np.inf)
        works = np.flatnonzero(sent & self.alive[shards, replicas])
        at = shards[works], replicas[works]
        times = self.service.draw(self.rng, len(works))
        ends[works] = self.free[at] = np.maximum(self.free[at], now) + times
        self.busy[at] += times
        query.sent.append((shards, replicas, ends))
        query.done[shards] = np.minimum(query.done[shards], ends)
        heapq.heappush(self.ends, (query.done.max(), query.number))
        self.outcome.n_requests += int(sent.sum())
        return int(sent.sum())

    def _choose(self, shards, known):
        """Choose a replica of each shard among the known ones."""
        if known.shape[1] == 1:
            return np.zeros(len(shards), int)
        draws = np.where(known, self.rng.random(known.shape), 2.0)
        rows = np.arange(len(shards))
        first = draws.argmin(axis=1)
        if self.choice == "random":
            return first
        draws[rows, first] = 3.0
        second = draws.argmin(axis=1)
        second = np.where(draws[rows, second] < 1, second, first)
        return np.where(self.free[shards, second] < self.free[shards, first], second, first)

    def _finish(self, now):
        """Note the queries whose last reply has arrived."""
        while self.ends and self.ends[0][0] <= now:
            _, number = heapq.heappop(self.ends)
            query = self.flying.get(number)
            if query is None or query.done.max() > now:
                continue  # sent again since: it is in the heap once more
            if np.isinf(query.done.max()):
                continue
            del self.flying[number]
            self.outcome.seconds[number] = query.done.max() - query.start
            self.outcome.reply_seconds += float((query.done[query.shards] - query.start).sum())
            self.n_replies += len(query.shards)
            if self.corpus is not None and number < len(self.corpus.queries):
                self.outcome.found[number] = self.corpus.answer(query)

    def _lose(self, now, machine):
        """Lose a machine: what its replicas were to answer is gone, and nobody knows yet."""
        self.is_up[machine] = False
        lost = (self.machines == machine) & self.alive
        self.alive[lost] = False
        for query in self.flying.values():
            query.lose(lost, now)
            heapq.heappush(self.ends, (query.done.max(), query.number))
        self._at(now + self.detection, self._detect, lost)

    def _detect(self, now, lost):
        """Notice a loss: send again what it owed, and open its replicas elsewhere."""
        self.known[lost & ~self.alive] = False
        self._resend(now)
        self._at(now + self.reopening, self._reopen, lost)

    def _reopen(self, now, lost):
        """Open replicas on the machines that have the fewest and not the same shard."""
        for shard, replica in np.argwhere(lost & ~self.alive):
            self._open(shard, replica, now, np.ones(self.n_shards))
        self._resend(now)

    def _open(self, shard, replica, now, weights):
        """Open a replica where the least work is; `weights` are the work of a replica of each shard."""
        shards, columns = np.nonzero(self.alive)
        work = np.zeros(len(self.is_up))
        np.add.at(work, self.machines[shards, columns], weights[shards])
        work[~self.is_up] = np.inf
        work[self.machines[shard][self.alive[shard]]] = np.inf
        if np.isinf(work.min()):
            return  # no machine is left
        self.machines[shard, replica] = work.argmin()
        self.alive[shard, replica] = self.known[shard, replica] = True
        self.free[shard, replica] = now

    def _resend(self, now):
        """Send again what no replica will answer."""
        for query in self.flying.values():
            owed = query.shards[np.isinf(query.done[query.shards])]
            owed = owed[self.known[owed].any(axis=1)]
            self.outcome.n_resent += self._send(query, owed, now)

    def _rebalance(self, now):
        """Give shards that are too busy more replicas, which open after the time of a copy."""
        since, before = self.measured
        work = self.busy.sum(axis=1)
        loads = (work - before) / (now - since)
        self.measured = now, work
        wanted = np.clip(np.ceil(loads / self.target).astype(int), 1, self.machines.shape[1])
        self._at(now + self.reopening, self._add, wanted, loads / wanted)

    def _add(self, now, wanted, loads):
        """Open the replicas that shards lack, the busiest first."""
        for shard in np.argsort(-loads, kind="stable"):
            while self.alive[shard].sum() < wanted[shard]:
                before = self.alive[shard].sum()
                self._open(shard, np.flatnonzero(~self.alive[shard])[0], now, loads)
                if self.alive[shard].sum() == before:
                    break


def place(n_shards, n_machines, n_replicas=1, seed=0):
    """Place shards by rendezvous hashing: each is on the machines with the highest scores of (shard, machine).

    A machine that joins takes the shards for which its score is among the highest, and no other shard moves.
    """
    keys = np.arange(n_shards, dtype=np.uint64)[:, None] * np.uint64(2**32) + np.arange(n_machines, dtype=np.uint64)
    scores = _mix(keys + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15))
    return np.argsort(scores, axis=1)[:, ::-1][:, :n_replicas].copy()


def _mix(keys):
    """Return well-mixed 64-bit numbers (the finalizer of splitmix64)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


class Corpus:
    """A small collection in shards, whose answers are merged as simulated replies arrive.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes, cut into shards of nearly equal size.
    n_shards : int
        Number of shards.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        Queries.
    k : int, default=10
        Number of neighbors.
    """

    def __init__(self, codes, n_shards, queries, k=10):
        self.queries, self.k = queries, k
        self.firsts = np.arange(n_shards) * len(codes) // n_shards
        self.shards = [HammingIndex().fit(part) for part in np.split(codes, self.firsts[1:])]

    def answer(self, query):
        """Search shards in the order in which they reply, take the first reply of each, and merge them."""
        shards, ends = (np.concatenate([sent[i] for sent in query.sent]) for i in (0, 2))
        answers = {}
        for i in np.argsort(ends, kind="stable"):
            shard = int(shards[i])
            if np.isfinite(ends[i]) and shard not in answers:  # the second reply of a hedged request is dropped
                given = self.queries[query.number][None], False, self.k, None, None
                answers[shard] = answer(find_codes, self.shards[shard], int(self.firsts[shard]), *given)
        missing = set(query.shards.tolist()) - set(answers)
        if missing:
            raise AssertionError(f"Query {query.number} has no answer of shards {sorted(missing)}.")
        return merge([answers[shard] for shard in sorted(answers)], self.k)
