"""skhash in ann-benchmarks: exact and limited searches of its data sets with the distance "hamming".

These data sets are matrices of bool, one column a bit: "random-xs-16-hamming" to "sift-256-hamming". README.md says how
the folder is put into a checkout of the project.
"""

import numpy as np
from ann_benchmarks.algorithms.base.module import BaseANN

from skhash import HammingIndex, warm_up

__all__ = ["HammingLimited", "HammingScan", "HammingTables"]


class _Hamming(BaseANN):
    """A `HammingIndex`, searched as the project's runner does: one query, or all at once.

    Parameters
    ----------
    metric : str
        The distance of the data set; only "hamming" is accepted.
    n_jobs : int, default=None
        Threads of a batch. The runner gives a single query one processor, and a batch all of them: None means one for
        a single query and all for a batch.
    """

    algorithm = "auto"

    def __init__(self, metric, n_jobs=None):
        if metric != "hamming":
            raise NotImplementedError(f"metric must be 'hamming', got {metric!r}: skhash compares codes of bits.")
        self.metric, self.n_jobs = metric, n_jobs
        self.name = f"skhash.{type(self).__name__}()"

    def fit(self, X):
        """Build the index, its tables and its compiled kernels, which the runner counts as build time."""
        X = np.asarray(X)
        if X.ndim != 2 or X.dtype != np.bool_:
            raise TypeError(f"X must be a matrix of bool, got {X.dtype} of shape {X.shape}.")
        self._n_bits = X.shape[1]
        self._index = HammingIndex(algorithm=self.algorithm).fit(X)
        warm_up()
        self._search(X[:1], 1)

    def query(self, q, n):
        """Find the rows of the nearest codes of one query."""
        return self._search(np.asarray(q, np.bool_)[None], n)[0]

    def batch_query(self, X, n):
        """Search all queries at once; `get_batch_results` returns the rows."""
        self._index.set_params(n_jobs=-1 if self.n_jobs is None else self.n_jobs)
        try:
            self.res = self._search(np.asarray(X, np.bool_), n)
        finally:
            self._index.set_params(n_jobs=None)

    def get_batch_results(self):
        """Return the rows that the last `batch_query` found."""
        return self.res

    def get_additional(self):
        """Describe the index: the bytes of its codes and tables, and the algorithm of the last search."""
        usage = self._index.memory_usage()
        return {
            "index_bytes": sum(usage.values()),
            "table_bytes": usage["tables"],
            "last_algorithm": self._index.last_search_["algorithm"],
        }

    def done(self):
        """Free the index."""
        self._index = self.res = None

    def _search(self, queries, n):
        """Return the rows of each query's nearest codes, fewer than `n` if there are fewer codes."""
        return self._index.kneighbors(queries, min(n, len(self._index)), return_distance=False)


class HammingScan(_Hamming):
    """Compare every query with every code: exact."""

    algorithm = "brute"


class HammingTables(_Hamming):
    """Multi-index hashing: exact."""

    algorithm = "mih"


class HammingLimited(HammingTables):
    """Multi-index hashing with at most so many buckets a query: approximate.

    The query argument is `max_probes`, see `HammingIndex.kneighbors_limited`.
    """

    max_probes = 100

    def set_query_arguments(self, max_probes):
        """Set the largest number of buckets that are looked up for a query."""
        self.max_probes = max_probes
        self.name = f"skhash.HammingLimited(max_probes={max_probes})"

    def get_additional(self):
        """Add the mean number of neighbors that the last search knew to be exact."""
        return {**super().get_additional(), "mean_certain": float(np.mean(self._certain))}

    def _search(self, queries, n):
        found = self._index.kneighbors_limited(queries, min(n, len(self._index)), max_probes=self.max_probes)
        distances, rows, self._certain = found
        return [some[near >= 0] for near, some in zip(distances, rows, strict=True)]  # -1 where fewer codes were met
