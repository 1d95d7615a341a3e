"""Scan or tables: the choice that `algorithm="auto"` makes for each call, from what searches have cost so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from joblib import effective_n_jobs

from skhash.bitops import is_compiled
from skhash.index.engine._cost_forecast import forecast
from skhash.index.mih._kernels import QUERY, search
from skhash.index.mih._tables import count_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from numpy.typing import NDArray

    from skhash.index.engine._segment import Answer, SearchRequest, Segment

    Result = TypeVar("Result")

__all__ = ["AlgorithmChooser", "Decision", "Explanation"]

_HEAD = 16  # queries that are scanned to learn from
_FEW = 8  # calls of fewer queries are another kind: their scan waits for memory
_FORECAST = 2e7, 50.0  # ns of scanning, and more per code, after which a forecast is made; it takes a tenth of that
_BUILD = 20.0  # ns to write a word of the tables
_COMPILE = 4e9  # ns to compile the kernels of tables, where they are not cached
_BUILD_PAYOFF = 2.0  # tables are built when this many times the time that they would have saved pays for them
_CALL = 12_000.0  # ns by which a call of the tables takes longer than one of the scan, for any number of queries
_CLEARLY_FASTER = 4.0  # where tables cost this many times less than a scan should, no scan is measured
_TRIALS = 32  # queries that the tables answer before their cost is compared with that of a scan
_MEASURED = 100  # queries, if they come one by one, of which the cost is measured
_TIMED = 20  # scans of a kind are timed


@dataclass
class _Costs:
    """Measured costs of calls of one kind; `scan` and `probe` are ns per query, None where not known."""

    scan: float | None = None
    probe: float | None = None
    n_timed: int = 0
    n_probed: int = 0
    scanned: float = 0.0
    next_forecast: float = 0.0


@dataclass(frozen=True)
class Decision:
    """How a call is answered.

    Parameters
    ----------
    algorithm : {"brute", "mih"}
        How the queries after the head are answered.
    reason : str
        Why.
    builds : bool
        Whether tables are built: before the search if it goes through them, else in the background.
    head : tuple of ndarray, default=None
        Answer of the first queries, which were scanned to learn from.
    n_head : int
        Number of these queries.
    saved_ns : float
        Time that tables would have saved so far, this call included.
    """

    algorithm: Literal["brute", "mih"]
    reason: str
    builds: bool = False
    head: Answer | None = None
    n_head: int = 0
    saved_ns: float = 0.0


@dataclass(frozen=True)
class Explanation:
    """A decision with the costs it rests on, in ns per query, and the number of codes that tables would hold.

    The cost of a scan is measured, or that of the model if no scan was timed; that of tables is measured or forecast.
    """

    decision: Decision
    scan_ns: float | None
    tables_ns: float | None
    n_distinct: int | None


class AlgorithmChooser:
    """Choose between scan and tables, and when the tables are worth building; one for each segment.

    Tables are built in the background, so that no search waits for them or for the compiler of their kernels.

    Parameters
    ----------
    segment : Segment
        The searched codes.
    mapped : bool
        Whether the codes are in a memory map, beside which no tables are built.
    shorter : AlgorithmChooser, default=None
        The chooser for the first of these codes, from whose searches to go on learning.
    """

    def __init__(self, segment: Segment, mapped: bool, shorter: AlgorithmChooser | None = None) -> None:
        self._segment = segment
        self._mapped = mapped
        self._scan_only = mapped or not segment.can_build or segment.scan_ns < QUERY
        self._patience = _FORECAST[0] + _FORECAST[1] * len(segment.codes)
        self._costs: dict[tuple[Any, ...], _Costs] = {}
        self._saved_ns = 0.0  # that tables would have saved
        self._has_seen_tables = False
        if shorter is not None:
            self._learn_from(shorter)

    @property
    def scan_only(self) -> bool:
        """Whether only scans are possible or worthwhile.

        Tables may not or could not be built, or a scan costs less than any query of tables.
        """
        return self._scan_only or self._segment.build_failed

    def answer(self, request: SearchRequest, queries: NDArray[np.uint64]) -> tuple[Answer, int]:
        """Answer all queries; return the answer and how many queries the tables answered.

        Only where there is something to choose: `scan_only` is False.
        """
        tables_exist = self._segment.tables is not None  # they may appear at any time
        if tables_exist and not self._has_seen_tables:
            self._has_seen_tables, self._costs = True, {}
        costs = self._costs_of(request, len(queries))
        decision = self._decide(request, queries, costs, tables_exist)
        self._saved_ns = 0.0 if decision.builds else decision.saved_ns
        if decision.builds:
            self._segment.build_in_background()
        left = queries[decision.n_head :]
        if decision.head is not None and not len(left):
            return decision.head, 0
        if decision.algorithm == "brute":
            answer, n_probed = self._scan(request, left, costs), 0
        else:
            answer, n_probed = self._probe(request, left, costs), len(left)
        return answer if decision.head is None else request.join(decision.head, answer), n_probed

    def explain(
        self, request: SearchRequest, queries: NDArray[np.uint64], algorithm: Literal["auto", "brute", "mih"]
    ) -> Explanation:
        """Decide as `answer` does, but build nothing and remember nothing.

        Up to 64 queries are scanned to learn from; `algorithm` may have decided already.
        """
        segment = self._segment
        if request.is_empty:
            return Explanation(Decision("brute", "no code may be found"), None, None, None)
        request.scan(segment, queries[:1])  # compiles what is timed below
        costs = replace(self._costs.get(self._kind(request, len(queries)), _Costs(next_forecast=self._patience)))
        if algorithm == "auto" and not self.scan_only:
            decision = self._decide(request, queries, costs, segment.tables is not None)
        else:
            decision = self._decide_without_costs(algorithm)
        if costs.probe is None and segment.can_build and not (self._mapped and algorithm != "mih"):
            head = queries[:_HEAD]
            self._forecast(request, head, request.scan(segment, head), costs)
        scan_ns = segment.scan_ns if costs.scan is None else costs.scan
        return Explanation(decision, scan_ns, costs.probe, None if costs.probe is None else segment.n_distinct())

    def _decide(
        self, request: SearchRequest, queries: NDArray[np.uint64], costs: _Costs, tables_exist: bool
    ) -> Decision:
        """Scan some queries if something must be learned, and decide how to answer the others.

        Nothing is changed but `costs`.
        """
        head, n_head = None, 0
        if self._needs_a_scan(costs, len(queries), tables_exist):
            n_head = min(len(queries), 4 * _HEAD if tables_exist else _HEAD)
            if costs.n_timed == 0:  # what is timed next must not include compilation
                request.scan(self._segment, queries[:n_head])
            head = self._scan(request, queries[:n_head], costs)
            if not tables_exist:
                self._forecast(request, queries[:n_head], head, costs)
        learned = head, n_head
        if tables_exist:
            if _prefers_scan(costs):
                return Decision("brute", "scans were measured to be faster than the tables", False, *learned)
            return Decision("mih", "tables exist, and scans were not measured to be faster", False, *learned)
        if self._segment.is_building:
            return Decision("brute", "tables are being built in the background", False, *learned)
        if costs.probe is None or costs.scan is None:
            reason = "searches like this one have not scanned long enough to consider tables"
            return Decision("brute", reason, False, *learned, self._saved_ns)
        saved = self._saved_ns + max(0.0, (costs.scan - costs.probe) * len(queries) - _CALL)
        if len(queries) and _BUILD_PAYOFF * saved > self._price_of_tables():
            reason = "tables would have paid for themselves by now, and are built in the background"
            return Decision("brute", reason, True, *learned)
        return Decision("brute", "tables would not have paid for themselves yet", False, *learned, saved)

    def _price_of_tables(self) -> float:
        """Return how long it takes to build the tables, in ns, with the compilation of their kernels."""
        segment = self._segment
        building = _BUILD * count_words(segment.n_distinct(), segment.codes.shape[1], segment.bits)
        return building if is_compiled(search) else building + _COMPILE

    def _learn_from(self, shorter: AlgorithmChooser) -> None:
        """Take over what was learned on fewer codes: scans take longer in proportion."""
        growth = len(self._segment.codes) / max(1, len(shorter._segment.codes))
        for kind, costs in shorter._costs.copy().items():
            scan = None if costs.scan is None else costs.scan * growth
            self._costs[kind] = replace(costs, scan=scan, n_probed=0)
        self._saved_ns = shorter._saved_ns

    def _decide_without_costs(self, algorithm: Literal["auto", "brute", "mih"]) -> Decision:
        """Decide where the parameter or the codes leave no choice."""
        segment = self._segment
        if algorithm == "mih" and segment.can_build:
            return Decision("mih", "the parameter algorithm", builds=segment.tables is None)
        if algorithm == "brute":
            return Decision("brute", "the parameter algorithm")
        if not segment.can_build:
            return Decision("brute", "tables cannot hold so many or so long codes")
        if self._mapped:
            return Decision("brute", "the codes are in a memory map, beside which no tables are built")
        if segment.build_failed:
            return Decision("brute", "tables could not be built")
        return Decision("brute", "a scan costs less than looking a query up in tables")

    def _kind(self, request: SearchRequest, n_queries: int) -> tuple[Any, ...]:
        """Return a key for calls that cost about the same per query."""
        return *request.kind(len(self._segment.codes)), n_queries < _FEW

    def _costs_of(self, request: SearchRequest, n_queries: int) -> _Costs:
        """Return the costs of calls of the same kind, new ones if there was none."""
        kind = self._kind(request, n_queries)
        costs = self._costs.get(kind)
        return self._costs.setdefault(kind, _Costs(next_forecast=self._patience)) if costs is None else costs

    def _needs_a_scan(self, costs: _Costs, n_queries: int, tables_exist: bool) -> bool:
        """Check whether some queries must be scanned to learn from, before the rest is answered."""
        guess = self._segment.scan_ns
        if not tables_exist:
            return not self._segment.is_building and costs.scanned + guess * n_queries > costs.next_forecast
        # Three times, because the first calls may include compilation.
        tried = costs.n_probed >= _TRIALS and costs.n_timed < 3
        return tried and costs.probe is not None and costs.probe * _CLEARLY_FASTER > guess

    def _scan(self, request: SearchRequest, queries: NDArray[np.uint64], costs: _Costs) -> Answer:
        """Answer by a scan, and note what it cost: the least so far."""
        if costs.n_timed >= _TIMED and costs.scan is not None:
            costs.scanned += costs.scan * len(queries)
            return request.scan(self._segment, queries)
        answer, spent = _timed(request.scan, self._segment, queries, request.n_jobs)
        costs.n_timed += 1
        costs.scanned += spent
        cost = spent / len(queries)
        costs.scan = cost if costs.scan is None else min(costs.scan, cost)
        return answer

    def _probe(self, request: SearchRequest, queries: NDArray[np.uint64], costs: _Costs) -> Answer:
        """Answer by the tables, and note what it cost: the mean over the latest queries."""
        if len(queries) < _FEW and costs.n_probed > _MEASURED:
            return request.probe(self._segment, queries)[0]
        (answer, modeled), spent = _timed(request.probe, self._segment, queries, request.n_jobs)
        # At most three times what the kernels counted, because one slow call would otherwise rule out the tables for
        # good.
        cost = min(spent, 3 * modeled.sum() + _CALL) / len(queries)
        share = 1.0 if not costs.n_probed else len(queries) / (len(queries) + min(costs.n_probed, 100))
        costs.probe = cost if share == 1 or costs.probe is None else (1 - share) * costs.probe + share * cost
        costs.n_probed += len(queries)
        return answer

    def _forecast(self, request: SearchRequest, queries: NDArray[np.uint64], answer: Answer, costs: _Costs) -> None:
        """Forecast the cost of the tables, from the scan of a few queries; next when twice as much has been scanned."""
        segment, (reach, n_hits) = self._segment, request.reach(answer)
        n_jobs = min(_n_threads(request.n_jobs), len(queries))
        reach = np.minimum(reach, segment.bits)
        cost = forecast(segment.codes, segment.bits, queries, reach, n_hits, segment.n_distinct()) / n_jobs
        costs.probe = cost if costs.probe is None else (costs.probe + cost) / 2
        costs.next_forecast = self._patience + 2 * costs.scanned


def _prefers_scan(costs: _Costs) -> bool:
    """Check whether a scan is known to be faster than the tables that exist."""
    if costs.scan is None or costs.probe is None or costs.n_probed < _TRIALS:
        return False
    return costs.scan < costs.probe


def _n_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` stands for."""
    return effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  # joblib takes None


def _timed(
    way: Callable[[Segment, NDArray[np.uint64]], Result],
    segment: Segment,
    queries: NDArray[np.uint64],
    n_jobs: int | None,
) -> tuple[Result, int]:
    """Call `way`; return the answer and the time in ns: that of this thread where it is the only one."""
    clock = time.thread_time_ns if _n_threads(n_jobs) == 1 else time.perf_counter_ns
    start = clock()
    answer = way(segment, queries)
    return answer, clock() - start
