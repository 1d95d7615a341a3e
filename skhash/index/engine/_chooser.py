"""Scan or tables: the choice that `algorithm="auto"` makes for each call, from what searches have cost so far."""

import time
from collections import defaultdict
from dataclasses import dataclass

from joblib import effective_n_jobs

from skhash.index.engine._cost_forecast import forecast
from skhash.index.engine._segment import scan_cost
from skhash.index.mih._kernels import QUERY
from skhash.index.mih._tables import cut_bits

__all__ = ["Automatic", "Task"]

_HEAD = 16  # queries that are scanned to learn from
_FEW = 8  # calls of fewer queries are another kind: their scan waits for memory
_FORECAST = 2e7, 50.0  # ns of scanning, and more per code, after which a forecast is made; it takes a tenth of that
_BUILD = 50.0  # ns to put a code into a table
_EAGER = 2.0  # tables are built when this many times the time that they would have saved pays for them
_CALL = 12_000.0  # ns by which a call of the tables takes longer than one of the scan, for any number of queries
_CLEAR = 4.0  # where tables cost this many times less than a scan should, no scan is measured
_TRIALS = 32  # queries that the tables answer before their cost is believed
_BELIEVED = 100  # queries, if they come one by one, of which the cost is measured
_TIMED = 20  # scans of a kind are timed


@dataclass(frozen=True)
class Task:
    """One call: how to answer some of its queries by a scan or by the tables, and what to learn from an answer."""

    key: tuple
    n_jobs: int | None
    scan: object  # queries -> answer
    probe: object  # queries -> answer, cost of each query
    reach: object  # answer -> to which distance each query had to search, about how many codes a query keeps


@dataclass
class _Costs:
    """What is known of calls of one kind; costs are those of a query in ns, None where not known."""

    scan: float | None = None
    probe: float | None = None
    n_timed: int = 0
    n_probed: int = 0
    scanned: float = 0.0
    next_forecast: float = 0.0


class Automatic:
    """Choose between scan and tables, and when the tables are worth building; one for each base.

    Parameters
    ----------
    base : Base
        What is searched.
    may_build : bool
        Whether tables may be built.
    """

    def __init__(self, base, may_build):
        self._base = base
        self._idle = not may_build or scan_cost(base.codes) < QUERY
        self._patience = _FORECAST[0] + _FORECAST[1] * len(base.codes)
        self._costs = self._nothing_known()
        self._missed = 0.0  # ns that tables would have saved

    def answer(self, task, queries):
        """Answer all queries; give the answers of consecutive parts and how many queries the tables answered."""
        if self._idle:
            return [task.scan(queries)], 0
        costs = self._costs[(*task.key, task.n_jobs, len(queries) < _FEW)]
        parts = []
        if self._needs_a_scan(costs, len(queries)):
            n_head = _HEAD if self._base.tables is None else 4 * _HEAD
            head, queries = queries[:n_head], queries[n_head:]
            parts.append(self._scan(task, head, costs))
            if self._base.tables is None:
                self._forecast(task, head, parts[0], costs)
            if not len(queries):
                return parts, 0
        if self._base.tables is None:
            self._consider_building(costs, len(queries))
        if self._base.tables is None or _prefers_scan(costs):
            return [*parts, self._scan(task, queries, costs)], 0
        return [*parts, self._probe(task, queries, costs)], len(queries)

    def _nothing_known(self):
        """Costs of no kind of calls."""
        return defaultdict(lambda: _Costs(next_forecast=self._patience))

    def _needs_a_scan(self, costs, n_queries):
        """Whether some queries must be scanned to learn from, whoever answers the rest."""
        guess = scan_cost(self._base.searched)
        if self._base.tables is None:
            return costs.scanned + guess * n_queries > costs.next_forecast
        # Three times, for the first one or two may have compiled something.
        return costs.n_probed >= _TRIALS and costs.n_timed < 3 and costs.probe * _CLEAR > guess

    def _scan(self, task, queries, costs):
        """Answer by a scan, and note what it cost: the least so far."""
        if costs.n_timed >= _TIMED:
            costs.scanned += costs.scan * len(queries)
            return task.scan(queries)
        answer, spent = _timed(task.scan, queries, task.n_jobs)
        costs.n_timed += 1
        costs.scanned += spent
        cost = spent / len(queries)
        costs.scan = cost if costs.scan is None else min(costs.scan, cost)
        return answer

    def _probe(self, task, queries, costs):
        """Answer by the tables, and note what it cost: the mean over the latest queries."""
        if len(queries) < _FEW and costs.n_probed > _BELIEVED:
            return task.probe(queries)[0]
        (answer, modelled), spent = _timed(task.probe, queries, task.n_jobs)
        # No more than three times what the kernels counted, for the tables would not be tried again after a hiccup.
        cost = min(spent, 3 * modelled.sum() + _CALL) / len(queries)
        share = 1.0 if not costs.n_probed else len(queries) / (len(queries) + min(costs.n_probed, 100))
        costs.probe = cost if share == 1 else (1 - share) * costs.probe + share * cost
        costs.n_probed += len(queries)
        return answer

    def _forecast(self, task, queries, answer, costs):
        """Forecast the cost of the tables, from the scan of a few queries; next when twice as much has been scanned."""
        base, (reach, n_hits) = self._base, task.reach(answer)
        n_jobs = min(effective_n_jobs(task.n_jobs), len(queries))
        cost = forecast(base.codes, base.bits, queries, reach, n_hits, base.n_distinct()) / n_jobs
        costs.probe = cost if costs.probe is None else (costs.probe + cost) / 2
        costs.next_forecast = self._patience + 2 * costs.scanned

    def _consider_building(self, costs, n_queries):
        """Build the tables once they would have saved as much time as building them takes."""
        if costs.probe is None or costs.scan is None:
            return
        self._missed += max(0.0, (costs.scan - costs.probe) * n_queries - _CALL)
        n_tables = len(cut_bits(self._base.bits, self._base.n_distinct())) - 1
        if _EAGER * self._missed > _BUILD * len(self._base.codes) * n_tables:
            self._base.build()
            self._costs = self._nothing_known()


def _prefers_scan(costs):
    """Whether a scan is known to be faster than the tables that there are."""
    return costs.n_probed >= _TRIALS and costs.scan is not None and costs.scan < costs.probe


def _timed(search, queries, n_jobs):
    """Call `search`; the answer, and the time in ns: that of this thread where there is no other."""
    clock = time.thread_time_ns if effective_n_jobs(n_jobs) == 1 else time.perf_counter_ns
    start = clock()
    answer = search(queries)
    return answer, clock() - start
