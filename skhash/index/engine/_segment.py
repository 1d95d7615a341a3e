"""Segments: codes that do not change, with structures that are built later; and the requests that search them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.engine._background import Build, finish
from skhash.index.engine._hits import merge_hits
from skhash.index.mih._multi_index import MultiIndex
from skhash.index.scan._distinct import DistinctCodes, distinct_share
from skhash.utils import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

    from numpy.typing import NDArray

    Answer = tuple[NDArray[Any], ...]
    BuildSteps = Generator[None, None, tuple[DistinctCodes | None, MultiIndex]]

__all__ = ["SearchRequest", "Segment"]

_WORD = 0.08  # ns to scan one word
_DISTINCT = 0.7  # search distinct codes where at most this share of the codes is distinct
_MOST = 2**32 - 2  # codes that tables can number
_SHARE_HOLDS = 1.1  # the share of distinct codes is estimated again when there are this many times more codes
_MOST_WORDS = 512  # of a code: tables are of little use for longer ones


class Segment:
    """Codes that do not change, the distinct ones among them if that pays, and tables if these have been built.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    bits : int
        Code length.
    shorter : Segment, default=None
        A segment of the first codes, of which the estimated share of distinct codes is taken over.

    Attributes
    ----------
    can_build : bool
        Whether tables can number the codes, and codes are not too long for them.
    build_failed : bool
        Whether there was not enough memory, or another error, when tables were built in the background.
    distinct : DistinctCodes or None
        The distinct codes with their rows, if scans go through these.
    tables : MultiIndex or None
        The tables, once they have been built.
    scan_ns : float
        Model of what a scan costs per query, in ns as those of `skhash.index.mih._kernels`.
    """

    codes: NDArray[np.uint64]
    bits: int
    can_build: bool
    build_failed: bool
    distinct: DistinctCodes | None
    tables: MultiIndex | None
    scan_ns: float

    def __init__(self, codes: NDArray[np.uint64], bits: int, shorter: Segment | None = None) -> None:
        self.codes = codes
        self.bits = bits
        self.can_build = 0 < len(codes) <= _MOST and codes.shape[1] <= _MOST_WORDS
        self.build_failed = shorter is not None and shorter.build_failed
        self.distinct = None
        self.tables = None
        self.scan_ns = _WORD * codes.size
        self._share = None if shorter is None else shorter._share
        self._lock = ProcessLock()
        self._build: Build | None = None

    @property
    def is_building(self) -> bool:
        """Whether the tables are being built in the background."""
        return self._build is not None and self._build.is_running

    def n_distinct(self) -> int:
        """Estimate how many codes tables would hold: the distinct ones if so many are equal that this pays."""
        n = len(self.codes)
        if self._share is None or n > _SHARE_HOLDS * self._share[1]:
            self._share = distinct_share(self.codes), n
        share = self._share[0]
        return round(share * n) if share <= _DISTINCT else n

    def build(self) -> None:
        """Find the distinct codes if that pays, and build the tables; do nothing if they exist."""
        with self._lock:
            if self.tables is None:
                self.publish(*finish(self.build_steps()))

    def build_in_background(self) -> None:
        """Do the same in another thread, while searches go on; do nothing if that is on its way."""
        with self._lock:
            if self.tables is None and not self.is_building and not self.build_failed:
                self._build = Build(self)

    def wait(self) -> None:
        """Wait for tables that are being built in the background."""
        if self._build is not None:
            self._build.wait()

    def build_steps(self) -> BuildSteps:
        """Return the steps of a build, which refer to the codes but not to the segment."""
        return _build_steps(self.codes, self.bits, self.n_distinct() < len(self.codes))

    def publish(self, distinct: DistinctCodes | None, tables: MultiIndex) -> None:
        """Let searches use tables."""
        if distinct is not None:
            self.scan_ns = _WORD * distinct.codes.size
        self.distinct = distinct
        self.tables = tables  # set last: other threads read it as complete


def _build_steps(codes: NDArray[np.uint64], bits: int, collapses: bool) -> BuildSteps:
    """Build the tables, of the distinct codes if `collapses`; pause after each step."""
    if collapses:
        distinct = DistinctCodes(codes)
        yield
        tables = yield from MultiIndex.in_steps(distinct.codes, bits, ends=distinct.ends, rows=distinct.rows)
    else:
        distinct = None
        tables = yield from MultiIndex.in_steps(codes, bits)
    # The kernels are compiled here, so that no search waits for it, and is taken to be slow.
    query = codes[:1]
    for use in (tables, distinct):
        if use is not None:
            yield
            use.nearest(query, 1, 1)
            yield
            use.within(query, 0, 1)
    yield
    hits, later = (tables.within(query, 0, 1)[:3] for _ in range(2))
    merge_hits(hits, later, 0)  # as where codes are added beside the tables
    return distinct, tables


@dataclass(eq=False)
class SearchRequest(ABC):
    """Interface of a search without its queries: what to find, and how to find it in a segment.

    Parameters
    ----------
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found; None for all.
    """

    n_jobs: int | None = field(default=None, kw_only=True)
    allowed: NDArray[np.bool_] | None = field(default=None, kw_only=True)

    def n_allowed(self, n: int) -> int:
        """Count the codes, out of `n`, that may be found."""
        return n if self.allowed is None else int(np.count_nonzero(self.allowed))

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether every answer is empty."""

    @abstractmethod
    def kind(self, n: int) -> tuple[Any, ...]:
        """Return a key for calls on `n` codes that cost about the same per query."""

    @abstractmethod
    def restrict(self, start: int, stop: int) -> Self:
        """Return the request for the codes in rows `start` to `stop - 1` only."""

    @abstractmethod
    def scan(self, segment: Segment, queries: NDArray[np.uint64]) -> Answer:
        """Answer queries by a scan of a segment."""

    @abstractmethod
    def probe(self, segment: Segment, queries: NDArray[np.uint64]) -> tuple[Answer, NDArray[np.float64]]:
        """Answer queries by the tables of a segment, and those that would cost more by a scan.

        Returns
        -------
        answer : tuple of ndarray
            As from `scan`.
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query in ns, as counted by the kernels.
        """

    @abstractmethod
    def reach(self, answer: Answer) -> tuple[NDArray[Any], float]:
        """Return to which distance each query had to search, and about how many codes a query keeps."""

    def join(self, first: Answer, second: Answer) -> Answer:
        """Join the answers of consecutive queries."""
        return tuple(np.concatenate(arrays) for arrays in zip(first, second, strict=True))

    @abstractmethod
    def merge_tail(self, answer: Answer, tail: Answer, n: int) -> Answer:
        """Merge the answers of the first `n` codes and of those after them."""
