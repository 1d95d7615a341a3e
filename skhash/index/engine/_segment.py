"""Codes that do not change any more, with what makes their search faster, once that has been built."""

from threading import Lock

import numpy as np

from skhash.index.mih._multi_index import MultiIndex
from skhash.index.scan import _scan as scan
from skhash.index.scan._distinct import Collapsed, distinct_share

__all__ = ["Base", "scan_cost"]

_WORD = 0.1  # ns to scan one word
_DISTINCT = 0.7  # collapse where at most this share of the codes is distinct
_MOST = 2**32 - 2  # codes that tables can number


def scan_cost(codes):
    """What a scan costs per query, in ns as those of `_mih_kernels`."""
    return _WORD * codes.size


class Base:
    """Codes, the distinct ones among them if they have been collapsed, and tables if these have been built.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    bits : int
        Code length.
    """

    def __init__(self, codes, bits):
        self.codes = codes
        self.bits = bits
        self.collapsed = None
        self.tables = None
        self._share = None
        self._lock = Lock()

    @property
    def searched(self):
        """The codes that searches go through: all, or the distinct ones."""
        return self.codes if self.collapsed is None else self.collapsed.codes

    def can_build(self):
        """Whether the tables can number the codes, and their keys can be cut from the words."""
        return 0 < len(self.codes) <= _MOST

    def n_distinct(self):
        """How many codes tables would hold: the distinct ones, about, if so many are equal that collapsing pays."""
        if self._share is None:
            self._share = distinct_share(self.codes)
        return round(self._share * len(self.codes)) if self._share <= _DISTINCT else len(self.codes)

    def build(self):
        """Collapse the codes if that pays, and build the tables; nothing where that has been done."""
        with self._lock:
            if self.tables is None:
                collapsed = Collapsed(self.codes) if self.n_distinct() < len(self.codes) else None
                lists = {} if collapsed is None else {"ends": collapsed.ends, "rows": collapsed.rows}
                tables = MultiIndex(self.codes if collapsed is None else collapsed.codes, self.bits, **lists)
                # Compiled here, so that the first search is not taken to be slow.
                tables.nearest(self.codes[:1], 1, 1)
                tables.within(self.codes[:1], 0, 1)
                self.collapsed, self.tables = collapsed, tables

    def scan_nearest(self, queries, k, n_jobs=None, allowed=None):
        """The `k` nearest rows of each query, by a scan."""
        if allowed is None and self.collapsed is not None:
            return self.collapsed.nearest(queries, k, n_jobs)
        return scan.nearest(self.codes, queries, k, n_jobs, allowed=allowed)

    def scan_within(self, queries, radius, n_jobs=None, allowed=None):
        """All rows within `radius` of each query, by a scan."""
        if allowed is None and self.collapsed is not None:
            return self.collapsed.within(queries, radius, n_jobs)
        return scan.within(self.codes, queries, radius, n_jobs, allowed=allowed)

    def probe_nearest(self, queries, k, n_jobs=None, allowed=None):
        """The `k` nearest rows of each query, by the tables, or by a scan for queries that would cost more.

        Returns
        -------
        answer : tuple
            distances, rows
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query.
        """
        budget = scan_cost(self.searched)
        distances, rows, bounds, spent = self.tables.nearest(queries, k, n_jobs, allowed=allowed, budget=budget)
        left = np.flatnonzero(bounds >= 0)
        if len(left):
            if allowed is None and self.collapsed is not None:  # a bound of the k-th row is none of the k-th code
                answer = self.collapsed.nearest(queries[left], k, n_jobs)
            else:
                answer = scan.nearest(self.codes, queries[left], k, n_jobs, allowed=allowed, bound=bounds[left])
            distances[left], rows[left] = answer
            spent[left] += budget
        return (distances, rows), spent

    def probe_within(self, queries, radius, n_jobs=None, allowed=None):
        """All rows within `radius` of each query, by the tables, or by a scan for queries that would cost more.

        Returns
        -------
        answer : tuple
            counts, distances, rows
        spent : ndarray of float64 of shape (n_queries,)
            Cost of each query.
        """
        budget = scan_cost(self.searched)
        counts, distances, rows, spent = self.tables.within(queries, radius, n_jobs, allowed=allowed, budget=budget)
        left = counts < 0
        if left.any():
            counts[left], *scanned = self.scan_within(queries[left], radius, n_jobs, allowed)
            left_rows = np.repeat(left, counts)
            probed = distances, rows
            distances, rows = np.empty(len(left_rows), np.int32), np.empty(len(left_rows), np.int64)
            for array, scan_part, probe_part in zip((distances, rows), scanned, probed, strict=True):
                array[left_rows], array[~left_rows] = scan_part, probe_part
            spent[left] += budget
        return (counts, distances, rows), spent
