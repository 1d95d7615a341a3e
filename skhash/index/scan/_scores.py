"""The search by score in threads, as that by Hamming distance in `_scan`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from skhash.bitops import BLOCK, LANES, RecordForm, block_code, score_code
from skhash.index.scan import _score_kernels
from skhash.index.scan._scan import Scan, map_parts, most_queries, n_candidates, prepare, query_slices
from skhash.utils import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_DISTANCE", "ScoreQueries", "nearest_by_score"]

_TILE_WORDS = 2048  # words of a tile, half of the first-level cache
MAX_DISTANCE = 2**23


class ScoreQueries(NamedTuple):
    """Queries for records of one form.

    Parameters
    ----------
    words : ndarray of uint64 of shape (n_queries, n_words * n_planes + N_CONSTANTS)
        For each word of a record its planes, and the constants; see `skhash.bitops`.
    form : RecordForm
        The form of the records.
    n_planes : int
        Planes per query.
    """

    words: NDArray[np.uint64]
    form: RecordForm
    n_planes: int


def nearest_by_score(
    records: NDArray[np.uint64],
    queries: ScoreQueries,
    k: int,
    n_jobs: int | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find the `k` records with the best scores for each query.

    Parameters
    ----------
    records : ndarray of uint64 of shape (n, n_words)
        Records, C-contiguous; `n >= k`.
    queries : ScoreQueries
        Queries.
    k : int
        Number of neighbors.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the records that may be found, at least `k`; None for all.

    Returns
    -------
    distances, rows : ndarray of int32 and of int64 of shape (n_queries, k)
        Ordered by (distance, row). Distances fall as scores rise; what they mean depends on the query's constants.
    """
    words = queries.words
    n_queries = len(words)
    scan, n_jobs = prepare(records, allowed, n_queries * queries.n_planes, n_jobs)
    scan = ScoreScan(
        scan.codes, scan.allowed, scan.n_allowed, scan.gathers, scan.n_jobs, queries.form, queries.n_planes
    )
    distances = np.empty((n_queries, k), np.int32)
    rows = np.empty((n_queries, k), np.int64)
    max_queries = most_queries(n_candidates(k, len(records)) + BLOCK)

    bounds = np.full(n_queries, MAX_DISTANCE, np.uint64)

    def search(part: slice) -> None:
        scan.by_candidates(words[part], bounds[part], distances[part], rows[part])

    map_parts(search, query_slices(n_queries, n_jobs, max_queries), n_jobs)
    return distances, rows


@dataclass(slots=True)
class ScoreScan(Scan):
    """Records to search in `n_jobs` slices at the same time."""

    form: RecordForm
    n_planes: int

    def search(
        self,
        first: int,
        queries: NDArray[np.uint64],
        bounds: NDArray[np.uint64] | None,
        sample: NDArray[np.uint64],
        rank: int,
        distances: NDArray[np.int32],
        rows: NDArray[np.int64],
    ) -> tuple[int, NDArray[np.int64]]:
        """Call the kernel `nearest_by_score`, see there; return its result and the numbers of records found."""
        n_words = self.codes.shape[1]
        n_codes = max(BLOCK, _TILE_WORDS // n_words // BLOCK * BLOCK)
        tile = np.empty((n_words, n_codes), np.uint64)
        n_rows = n_codes if self.gathers else BLOCK
        space, numbers = np.empty((n_rows, n_words), np.uint64), np.empty(n_rows, np.int64)
        counts = np.empty(len(rows), np.int64)
        room = n_candidates(rows.shape[1], len(self.codes))
        found = np.empty((len(rows), room + n_codes + LANES), np.int64)
        assert bounds is not None
        call = cast("Callable[..., int]", _score_kernels.nearest_by_score)
        n_failed = call(
            *(block_code(n_words, True).fill_tile, score_code(self.form, self.n_planes)),
            *(self.codes, self.allowed, self.gathers, first, read_only(queries), bounds, sample, rank),
            *(tile, space, numbers, n_codes, found, distances, rows, counts),
        )
        return n_failed, counts
