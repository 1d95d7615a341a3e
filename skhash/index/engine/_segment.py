"""Segments: codes that do not change, with structures that are built later; and the requests that search them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.mih._multi_index import MultiIndex
from skhash.index.scan._distinct import DistinctCodes, distinct_share

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Answer = tuple[NDArray[Any], ...]

__all__ = ["SearchRequest", "Segment"]

_WORD = 0.1  # ns to scan one word
_DISTINCT = 0.7  # search distinct codes where at most this share of the codes is distinct
_MOST = 2**32 - 2  # codes that tables can number
_MOST_WORDS = 512  # of a code: each table holds all codes, and the number of tables grows with their length


class Segment:
    """Codes that do not change, the distinct ones among them if that pays, and tables if these have been built.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    bits : int
        Code length.

    Attributes
    ----------
    can_build : bool
        Whether tables can number the codes, and codes are not so long that their tables would fill the memory.
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
    distinct: DistinctCodes | None
    tables: MultiIndex | None
    scan_ns: float

    def __init__(self, codes: NDArray[np.uint64], bits: int) -> None:
        self.codes = codes
        self.bits = bits
        self.can_build = 0 < len(codes) <= _MOST and codes.shape[1] <= _MOST_WORDS
        self.distinct = None
        self.tables = None
        self.scan_ns = _WORD * codes.size
        self._share: float | None = None
        self._lock = Lock()

    def n_distinct(self) -> int:
        """Estimate how many codes tables would hold: the distinct ones if so many are equal that this pays."""
        if self._share is None:
            self._share = distinct_share(self.codes)
        return round(self._share * len(self.codes)) if self._share <= _DISTINCT else len(self.codes)

    def build(self) -> None:
        """Find the distinct codes if that pays, and build the tables; do nothing if they exist."""
        with self._lock:
            if self.tables is not None:
                return
            distinct = DistinctCodes(self.codes) if self.n_distinct() < len(self.codes) else None
            if distinct is None:
                tables = MultiIndex(self.codes, self.bits)
            else:
                tables = MultiIndex(distinct.codes, self.bits, ends=distinct.ends, rows=distinct.rows)
                self.scan_ns = _WORD * distinct.codes.size
            # Compiled here, so that the first search is not taken to be slow.
            tables.nearest(self.codes[:1], 1, 1)
            tables.within(self.codes[:1], 0, 1)
            self.distinct = distinct
            self.tables = tables  # set last: other threads read it as complete


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
