"""The first items of each ranking, by a search for the nearest codes instead of a ranking of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import gen_batches

from skhash.index import HammingIndex
from skhash.utils import working_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SHARE = 16  # a search for more than one of so many items costs more than to rank all
_PER_RESULT = 32  # bytes of a search and its callers


def worth_searching(k: int, n_items: int) -> bool:
    """Check whether a search for the `k` nearest of `n_items` is faster than to rank them all."""
    return _SHARE * k <= n_items


def nearest_rows(
    queries: NDArray[np.uint64],
    database: NDArray[np.uint64],
    bits: int,
    own: NDArray[np.int64],
    k: int,
    n_jobs: int | None,
) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """Find the first `k` items of each ranking, equal distances in database order.

    Parameters
    ----------
    queries, database : ndarray of uint64 of shape (n_queries, n_words) and (n_items, n_words)
        Packed codes.
    bits : int
        Code length.
    own : ndarray of int64 of shape (n_queries,)
        Each query's own row in the database, which is excluded from its ranking; negative if there is none.
    k : int
        Number of items, less than that of the database.
    n_jobs : int or None
        Number of threads.

    Yields
    ------
    batch, rows : slice, ndarray of int64 of shape (n_in_batch, k)
        The queries of a batch, and the rows of their nearest items.
    """
    index = HammingIndex(algorithm="brute", bits=bits, n_jobs=n_jobs).fit(database)
    excludes = bool(own[0] >= 0)
    size = max(1, working_memory() // (_PER_RESULT * (k + excludes)))
    for batch in gen_batches(len(queries), size):
        found = index.kneighbors(queries[batch], k + excludes, return_distance=False)
        yield batch, _drop(found, own[batch]) if excludes else found


def _drop(found: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Remove each query's own row, or the last one where others have its code and come first."""
    dropped = found == own[:, None]
    dropped[:, -1] |= ~dropped.any(axis=1)
    return found[~dropped].reshape(len(found), -1)
