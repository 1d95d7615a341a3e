"""`SearchEngine`: exact search in packed codes by the fastest of several ways, with one answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from joblib import effective_n_jobs

from skhash.index.engine._chooser import AlgorithmChooser
from skhash.index.engine._hits import merge_hits, prepend
from skhash.index.engine._plan import SearchPlan
from skhash.index.engine._segment import SearchRequest, Segment
from skhash.index.scan import _scan as scan
from skhash.utils import is_mapped, read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.engine._chooser import Decision
    from skhash.index.engine._plan import TablesState
    from skhash.index.engine._segment import Answer

__all__ = ["NearestRequest", "RadiusRequest", "SearchEngine"]

_FOUND = 40.0  # ns for which a scan is busy with each code that it finds within a radius
_MAX_TAIL = 0.05  # of the codes: when more have been appended the tables are dropped


@dataclass(eq=False)
class NearestRequest(SearchRequest):
    """The `k` nearest codes of each query.

    An answer is `distances, rows`: ndarray of int32 and of int64 of shape (n_queries, k), ordered by (distance, row).

    Parameters
    ----------
    k : int
        Number of neighbors; at most the number of codes that may be found.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found; None for all.
    """

    k: int

    @property
    def is_empty(self) -> bool:
        """Whether every answer is empty."""
        return self.k == 0

    def kind(self, n: int) -> tuple[Any, ...]:
        """Return a key for calls on `n` codes that cost about the same per query."""
        return "nearest", self.k, _size_class(self.n_allowed(n)), self.n_jobs

    def restrict(self, start: int, stop: int) -> NearestRequest:
        """Return the request for the codes in rows `start` to `stop - 1` only."""
        part = replace(self, allowed=None if self.allowed is None else self.allowed[start:stop])
        return replace(part, k=min(self.k, part.n_allowed(stop - start)))

    def scan(self, segment: Segment, queries: NDArray[np.uint64], bound: NDArray[np.int64] | None = None) -> Answer:
        """Answer queries by a scan of a segment; `bound` is an upper bound of each k-th distance, if known."""
        if self.k == 0:
            return np.empty((len(queries), 0), np.int32), np.empty((len(queries), 0), np.int64)
        if self.allowed is None and segment.distinct is not None:
            return segment.distinct.nearest(queries, self.k, self.n_jobs)  # a row's bound does not hold for codes
        return scan.nearest(segment.codes, queries, self.k, self.n_jobs, allowed=self.allowed, bound=bound)

    def probe(self, segment: Segment, queries: NDArray[np.uint64]) -> tuple[Answer, NDArray[np.float64]]:
        """Answer queries by the tables of a segment, and those that would cost more by a scan; see the base class."""
        assert segment.tables is not None
        distances, rows, bounds, spent = segment.tables.nearest(
            queries, self.k, self.n_jobs, allowed=self.allowed, budget=segment.scan_ns
        )
        left = np.flatnonzero(bounds >= 0)
        if len(left):
            distances[left], rows[left] = self.scan(segment, queries[left], bounds[left])
            spent[left] += segment.scan_ns
        return (distances, rows), spent

    def reach(self, answer: Answer) -> tuple[NDArray[Any], float]:
        """Return to which distance each query had to search, and about how many codes a query keeps."""
        return answer[0][:, -1], 4 * self.k

    def merge_tail(self, answer: Answer, tail: Answer, n: int) -> Answer:
        """Merge the answers of the first `n` codes and of those after them."""
        distances = np.hstack([answer[0], tail[0]])
        rows = np.hstack([answer[1], tail[1] + n])
        order = np.argsort(distances, axis=1, kind="stable")[:, : self.k]  # stable: all rows of the tail are larger
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


@dataclass(eq=False)
class RadiusRequest(SearchRequest):
    """All codes at distance `<= radius` from each query.

    An answer is `counts, distances, rows`: ndarray of int64 of shape (n_queries,), and of int32 and int64 of shape
    (counts.sum(),), query after query, each ordered by (distance, row).

    Parameters
    ----------
    radius : int
        Largest distance.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found; None for all.
    """

    radius: int

    @property
    def is_empty(self) -> bool:
        """Whether every answer is empty: False, for that is not known before the search."""
        return False

    def kind(self, n: int) -> tuple[Any, ...]:
        """Return a key for calls on `n` codes that cost about the same per query."""
        return "within", self.radius, _size_class(self.n_allowed(n)), self.n_jobs

    def restrict(self, start: int, stop: int) -> RadiusRequest:
        """Return the request for the codes in rows `start` to `stop - 1` only."""
        return replace(self, allowed=None if self.allowed is None else self.allowed[start:stop])

    def scan(self, segment: Segment, queries: NDArray[np.uint64]) -> Answer:
        """Answer queries by a scan of a segment."""
        if self.allowed is None and segment.distinct is not None:
            return segment.distinct.within(queries, self.radius, self.n_jobs)
        return scan.within(segment.codes, queries, self.radius, self.n_jobs, allowed=self.allowed)

    def probe(self, segment: Segment, queries: NDArray[np.uint64]) -> tuple[Answer, NDArray[np.float64]]:
        """Answer queries by the tables of a segment, and those that would cost more by a scan; see the base class."""
        assert segment.tables is not None
        counts, distances, rows, spent = segment.tables.within(
            queries, self.radius, self.n_jobs, allowed=self.allowed, budget=segment.scan_ns
        )
        left = counts < 0
        if len(left) and left.all():
            answer = self.scan(segment, queries)
            return answer, spent + 2 * segment.scan_ns + _FOUND * answer[0]
        if left.any():
            counts[left], *scanned = self.scan(segment, queries[left])
            left_rows = np.repeat(left, counts)
            probed = distances, rows
            distances, rows = np.empty(len(left_rows), np.int32), np.empty(len(left_rows), np.int64)
            for array, scan_part, probe_part in zip((distances, rows), scanned, probed, strict=True):
                array[left_rows], array[~left_rows] = scan_part, probe_part
            spent[left] += 2 * segment.scan_ns + _FOUND * counts[left]  # codes are counted first, then written
        return (counts, distances, rows), spent

    def reach(self, answer: Answer) -> tuple[NDArray[Any], float]:
        """Return to which distance each query had to search, and about how many codes a query keeps."""
        return np.full(len(answer[0]), self.radius), 1.5 * float(answer[0].mean())

    def merge_tail(self, answer: Answer, tail: Answer, n: int) -> Answer:
        """Merge the answers of the first `n` codes and of those after them."""
        counts, distances, rows = answer
        return merge_hits((counts, distances, rows), (tail[0], tail[1], tail[2]), n)

    def join(self, first: Answer, second: Answer) -> Answer:
        """Join the answers of consecutive queries, in the memory of the second, which are usually more."""
        counts = np.concatenate((first[0], second[0]))
        return counts, prepend(second[1], first[1]), prepend(second[2], first[2])


class SearchEngine:
    """Exact search in packed codes: by a scan, by multi-index hashing, or by the one that is expected to be faster.

    The answer is the same in each case, ordered by (distance, row). Tables are built at first use, if at all, and
    serve any number of threads.

    How `"auto"` decides. It starts with scans, and times them. Once calls of a kind (k or radius, size of the mask,
    threads, few or many queries) have scanned for a while, it forecasts what multi-index hashing would cost: the reach
    of queries is known from the answers of up to 16 of them, the sizes of buckets from a sample of some 8,192 codes.
    Tables are built when half the time of building them would have been saved by now, this call included: a few queries
    never pay for tables. Where tables exist, each kind of call tries them for 32 queries or more, is timed against a
    scan unless they are far cheaper, and continues with the faster. A query that turns out to cost more than a scan is
    passed to the scan, with its bound of the k-th distance. Small collections are always scanned, and so are memory
    maps, whose purpose tables in memory would defeat: `"mih"` builds tables for them, too.

    Where tables are built and at most 70 % of the codes are distinct, searches go through the distinct codes.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        Packed codes, C-contiguous; not copied, and must not be changed.
    bits : int
        Code length.
    algorithm : {"auto", "brute", "mih"}, default="auto"
        `"brute"` always scans, and needs no memory beyond the codes; `"mih"` always uses tables.

    Attributes
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        The codes.
    last_search : dict
        The last search: `algorithm` ("brute" or "mih", by which most queries were answered), `n_queries`, and
        `n_probed`, the number of queries that went to the tables.

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index hashing",
       IEEE TPAMI 36(6), 2014, sections 3 and 4.
    .. [2] J. Qin et al., "GPH: similarity search in Hamming space", ICDE 2018: the general pigeonhole principle, by
       which substrings may be searched to different radii.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.index.engine._engine import NearestRequest, SearchEngine
    >>> engine = SearchEngine(np.array([[0b000], [0b011], [0b111]], np.uint64), bits=3, algorithm="mih")
    >>> distances, rows = engine.search(np.array([[0b010]], np.uint64), NearestRequest(k=2))
    >>> rows
    array([[0, 1]])
    >>> sorted(engine.memory_usage())
    ['codes', 'distinct_codes', 'tables']
    """

    codes: NDArray[np.uint64]
    bits: int
    algorithm: Literal["auto", "brute", "mih"]
    last_search: dict[str, Any]

    def __init__(
        self, codes: NDArray[np.uint64], bits: int, algorithm: Literal["auto", "brute", "mih"] = "auto"
    ) -> None:
        if algorithm not in ("auto", "brute", "mih"):
            raise ValueError(f"algorithm must be 'auto', 'brute' or 'mih', got {algorithm!r}.")
        self.codes = read_only(codes)  # once, rather than in each search
        self.bits = bits
        self.algorithm = algorithm
        self.last_search = {}
        segment = Segment(self.codes, bits)
        self._state = segment, AlgorithmChooser(segment, is_mapped(codes))

    def __reduce__(self) -> tuple[type[SearchEngine], tuple[Any, ...]]:
        """Return the codes without the tables, for copies and pickles."""
        return type(self), (self.codes, self.bits, self.algorithm)

    def search(self, queries: NDArray[np.uint64], request: SearchRequest) -> Answer:
        """Answer a request for each query.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        request : NearestRequest or RadiusRequest
            What to find.

        Returns
        -------
        answer : tuple of ndarray
            See the class of the request.
        """
        segment, chooser = self._state
        n = len(segment.codes)
        if n == len(self.codes):
            return self._search_segment(segment, chooser, queries, request)
        head, tail = request.restrict(0, n), request.restrict(n, len(self.codes))
        if head.is_empty:
            answer = head.scan(segment, queries)
        else:
            answer = self._search_segment(segment, chooser, queries, head)
        if tail.is_empty:
            return answer
        return request.merge_tail(answer, tail.scan(Segment(self.codes[n:], self.bits), queries), n)

    def explain(self, queries: NDArray[np.uint64], request: SearchRequest) -> SearchPlan:
        """Forecast what `search` would do with the same arguments; nothing is built or remembered.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous; a few of them are scanned, as `search` does to learn from them.
        request : NearestRequest or RadiusRequest
            What to find.

        Returns
        -------
        plan : SearchPlan
            The plan, in which removed codes count as codes that may not be found.
        """
        segment, chooser = self._state
        n = len(segment.codes)
        n_allowed = request.n_allowed(len(self.codes))
        if n < len(self.codes):
            request = request.restrict(0, n)
        explanation = chooser.explain(request, queries, self.algorithm)
        decision = explanation.decision
        n_probed = len(queries) - decision.n_head if decision.algorithm == "mih" else 0
        algorithm, reason = _algorithm_of_most(n_probed, len(queries)), decision.reason
        if algorithm != decision.algorithm:
            reason = "most of the queries are scanned to learn from"
        return SearchPlan(
            algorithm=algorithm,
            reason=reason,
            n_queries=len(queries),
            n_codes=len(self.codes),
            n_allowed=n_allowed,
            n_removed=0,
            n_distinct=explanation.n_distinct,
            n_appended=len(self.codes) - n,
            scan_ns=explanation.scan_ns,
            tables_ns=explanation.tables_ns,
            tables=_state_of_tables(segment, decision),
            n_jobs=effective_n_jobs(request.n_jobs),  # pyright: ignore[reportArgumentType]  # joblib takes None,
        )

    def extend(self, codes: NDArray[np.uint64]) -> SearchEngine:
        """Return an engine for an extension of the codes; existing rows keep their positions.

        Tables are shared, also while they are built, and the new codes scanned beside them, until these are more than
        5 % of all. What has been learned of the costs of searches stays known. This engine stays as it is, so that
        searches in it may go on.

        Parameters
        ----------
        codes : ndarray of uint64 of shape (n, n_words)
            All codes, the old ones first.

        Returns
        -------
        longer : SearchEngine
            The engine that searches all codes.
        """
        longer = object.__new__(type(self))
        longer.__dict__ = {**self.__dict__, "codes": codes}
        segment, chooser = self._state
        has_tables = segment.tables is not None or segment.is_building
        if not has_tables or len(codes) - len(segment.codes) > _MAX_TAIL * len(codes):
            segment = Segment(codes, self.bits, segment)
            longer._state = segment, AlgorithmChooser(segment, is_mapped(codes), chooser)
        return longer

    def memory_usage(self) -> dict[str, int]:
        """Compute the bytes of the codes and of the structures built for them.

        Returns
        -------
        usage : dict of str to int
            `codes`, `distinct_codes` (with the rows of each) and `tables`; 0 for what has not been built.
        """
        segment = self._state[0]
        return {
            "codes": self.codes.nbytes,
            "distinct_codes": 0 if segment.distinct is None else segment.distinct.nbytes,
            "tables": 0 if segment.tables is None else segment.tables.nbytes,
        }

    def wait(self) -> None:
        """Wait for tables that are being built in the background."""
        self._state[0].wait()

    def _search_segment(
        self, segment: Segment, chooser: AlgorithmChooser, queries: NDArray[np.uint64], request: SearchRequest
    ) -> Answer:
        """Answer a request that is not empty on a segment."""
        n_probed = 0
        if self.algorithm == "mih" and segment.can_build:
            if segment.tables is None:
                segment.build()
            answer, n_probed = request.probe(segment, queries)[0], len(queries)
        elif self.algorithm == "auto" and not chooser.scan_only and len(queries):
            answer, n_probed = chooser.answer(request, queries)
        else:
            answer = request.scan(segment, queries)
        used = _algorithm_of_most(n_probed, len(queries))
        self.last_search = {"algorithm": used, "n_queries": len(queries), "n_probed": n_probed}
        return answer


def _algorithm_of_most(n_probed: int, n_queries: int) -> Literal["brute", "mih"]:
    """Return the algorithm by which most of the queries are answered."""
    return "mih" if 2 * n_probed > n_queries else "brute"


def _state_of_tables(segment: Segment, decision: Decision) -> TablesState:
    """Return whether tables exist, or will be built."""
    if segment.tables is not None:
        return "built"
    if segment.is_building:
        return "being built"
    if decision.builds:
        return "to be built" if decision.algorithm == "mih" else "to be built in the background"
    return "not built"


def _size_class(n: int) -> int:
    """Return the bit length of a number of codes: costs are kept apart for masks of different sizes."""
    return int(n).bit_length()
