"""`SearchEngine`: exact search in packed codes by the fastest of several ways, with one answer."""

import mmap

import numpy as np

from skhash.index.engine._chooser import Automatic, Task
from skhash.index.engine._segment import Base
from skhash.index.scan import _scan as scan

__all__ = ["SearchEngine"]

_MAX_TAIL = 0.05  # of the codes: when more have been appended the tables are dropped


class SearchEngine:
    """Exact search in packed codes: by a scan, by multi-index hashing, or by the one that is expected to be faster.

    The answer is the same in each case, ordered by (distance, row). Tables are built at first use, if at all, and
    serve any number of threads.

    How `"auto"` decides. It starts with scans, and times them. Once calls of a kind (k or radius, size of the mask,
    threads, few or many queries) have scanned for a while, it forecasts what multi-index hashing would cost: how far
    queries reach is known from the answers of up to 16 of them, how crowded the buckets are from a sample of some
    8,192 codes. Tables are built when half the time of building them would have been saved by now, this call included:
    a few queries never pay for tables. Where there are tables, each kind of call tries them for 32 queries or more, is
    timed against a scan unless they are far cheaper, and goes on with the faster. A query that turns out to cost more
    than a scan is handed to the scan, with the bound that it has found for its k-th distance. Small collections are
    always scanned, and so are memory maps, which tables in memory would defeat: `"mih"` builds tables for them, too.

    Wherever tables are built, codes of which at most 70 % are distinct are collapsed first: searches then go through
    the distinct codes.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        Packed codes, C-contiguous; not copied, and not to be changed.
    bits : int
        Code length.
    algorithm : {"auto", "brute", "mih"}, default="auto"
        `"brute"` always scans, and needs no memory beyond the codes; `"mih"` always uses tables.

    Attributes
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        The codes.
    last_search : dict
        What the last search did: `algorithm` ("brute" or "mih", by which most queries were answered), `n_queries`,
        and `n_probed`, the number of queries that went to the tables.

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast exact search in Hamming space with multi-index hashing",
       IEEE TPAMI 36(6), 2014, sections 3 and 4.
    .. [2] J. Qin et al., "GPH: similarity search in Hamming space", ICDE 2018: the general pigeonhole principle, by
       which substrings may be searched to different radii.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.index.engine._engine import SearchEngine
    >>> engine = SearchEngine(np.array([[0b000], [0b011], [0b111]], np.uint64), bits=3, algorithm="mih")
    >>> distances, rows = engine.nearest(np.array([[0b010]], np.uint64), k=2)
    >>> rows
    array([[0, 1]])
    >>> sorted(engine.memory_usage())
    ['codes', 'distinct_codes', 'tables']
    """

    def __init__(self, codes, bits, algorithm="auto"):
        if algorithm not in ("auto", "brute", "mih"):
            raise ValueError(f"algorithm must be 'auto', 'brute' or 'mih', got {algorithm!r}.")
        self.codes = codes
        self.bits = bits
        self.algorithm = algorithm
        self.last_search = {}
        self._reset()

    def __reduce__(self):
        """Copies and pickles hold the codes, not the tables."""
        return type(self), (self.codes, self.bits, self.algorithm)

    def nearest(self, queries, k, n_jobs=None, allowed=None):
        """Find the `k` nearest codes of each query.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        k : int
            Number of neighbours; at most the number of codes that count.
        n_jobs : int, default=None
            Number of threads.
        allowed : ndarray of bool of shape (n,), default=None
            Which codes count; None if all do.

        Returns
        -------
        distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
            Ordered by (distance, row).
        """
        base, automatic = self._state
        n = len(base.codes)
        mask, tail_mask = (None, None) if allowed is None else (allowed[:n], allowed[n:])
        n_base = n if mask is None else np.count_nonzero(mask)
        n_tail = len(self.codes) - n if mask is None else np.count_nonzero(tail_mask)
        k_base, k_tail = min(k, n_base), min(k, n_tail)
        task = Task(
            ("nearest", k_base, _size_class(n_base)),
            n_jobs,
            lambda part: base.scan_nearest(part, k_base, n_jobs, mask),
            lambda part: base.probe_nearest(part, k_base, n_jobs, mask),
            lambda answer: (answer[0][:, -1], 4 * k_base),
        )
        answer = self._answer(base, automatic, task, queries) if k_base else _nothing(len(queries))
        if k_tail == 0:
            return answer
        tail = scan.nearest(self.codes[n:], queries, k_tail, n_jobs, allowed=tail_mask)
        distances = np.hstack([answer[0], tail[0]])
        rows = np.hstack([answer[1], tail[1] + n])
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # stable: all rows of the tail are larger
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def within(self, queries, radius, n_jobs=None, allowed=None):
        """Find all codes at distance `<= radius` from each query.

        Parameters
        ----------
        queries : ndarray of uint64 of shape (n_queries, n_words)
            Packed codes, C-contiguous.
        radius : int
            Largest distance.
        n_jobs : int, default=None
            Number of threads.
        allowed : ndarray of bool of shape (n,), default=None
            Which codes count; None if all do.

        Returns
        -------
        counts : ndarray of int64 of shape (n_queries,)
            Number of neighbours of each query.
        distances, rows : ndarray of int32 and of int64 of shape (counts.sum(),)
            Query after query, each ordered by (distance, row).
        """
        base, automatic = self._state
        n, radius = len(base.codes), min(radius, self.bits)
        mask, tail_mask = (None, None) if allowed is None else (allowed[:n], allowed[n:])
        task = Task(
            ("within", radius, _size_class(n if mask is None else np.count_nonzero(mask))),
            n_jobs,
            lambda part: base.scan_within(part, radius, n_jobs, mask),
            lambda part: base.probe_within(part, radius, n_jobs, mask),
            lambda answer: (np.full(len(answer[0]), radius), 1.5 * answer[0].mean()),
        )
        answer = self._answer(base, automatic, task, queries)
        if n == len(self.codes):
            return answer
        tail = scan.within(self.codes[n:], queries, radius, n_jobs, allowed=tail_mask)
        query = np.concatenate([np.repeat(np.arange(len(queries)), part[0]) for part in (answer, tail)])
        distances = np.concatenate([answer[1], tail[1]])
        order = np.argsort(query * (radius + 1) + distances, kind="stable")
        return answer[0] + tail[0], distances[order], np.concatenate([answer[2], tail[2] + n])[order]

    def extend(self, codes):
        """Go on with more codes: those that there are, in the same rows, and others behind them.

        Tables are kept, and the new codes scanned beside them, until these are more than 5 % of all.

        Parameters
        ----------
        codes : ndarray of uint64 of shape (n, n_words)
            All codes, the old ones first.
        """
        base = self._state[0]
        self.codes = codes
        if base.tables is None or len(codes) - len(base.codes) > _MAX_TAIL * len(codes):
            self._reset()

    def memory_usage(self):
        """Give the bytes of what the engine holds.

        Returns
        -------
        usage : dict of str to int
            `codes`, `distinct_codes` (with the rows of each) and `tables`; 0 for what has not been built.
        """
        base = self._state[0]
        return {
            "codes": self.codes.nbytes,
            "distinct_codes": 0 if base.collapsed is None else base.collapsed.nbytes,
            "tables": 0 if base.tables is None else base.tables.nbytes,
        }

    def _reset(self):
        """Start without tables."""
        base = Base(self.codes, self.bits)
        self._state = base, Automatic(base, may_build=base.can_build() and not _is_mapped(self.codes))

    def _answer(self, base, automatic, task, queries):
        """Answer all queries on the base."""
        if self.algorithm == "mih" and base.can_build():
            base.build()
            parts, n_probed = [task.probe(queries)[0]], len(queries)
        elif self.algorithm == "auto" and len(queries):
            parts, n_probed = automatic.answer(task, queries)
        else:
            parts, n_probed = [task.scan(queries)], 0
        used = "mih" if 2 * n_probed > len(queries) else "brute"
        self.last_search = {"algorithm": used, "n_queries": len(queries), "n_probed": n_probed}
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _nothing(n_queries):
    """The answer for k = 0."""
    return np.empty((n_queries, 0), np.int32), np.empty((n_queries, 0), np.int64)


def _size_class(n):
    """The power of two below a number of codes: costs are kept apart for masks of different sizes."""
    return int(n).bit_length()


def _is_mapped(array):
    """Whether an array's memory is that of a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)
