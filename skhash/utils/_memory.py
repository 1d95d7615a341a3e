"""Batches of rows that fit into scikit-learn's `working_memory`."""

from __future__ import annotations

from collections.abc import Iterator

from sklearn import get_config
from sklearn.utils import gen_batches


def working_memory() -> int:
    """Return the number of bytes that temporary arrays may use, from `sklearn.get_config`.

    Returns
    -------
    size : int
        Number of bytes.
    """
    return int(get_config()["working_memory"] * 2**20)


def memory_batches(n_rows: int, bytes_per_row: int, *, max_bytes: float = float("inf")) -> Iterator[slice]:
    """Divide rows into batches that fit into the working memory.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    bytes_per_row : int
        Memory of the temporary arrays for one row, at least 1.
    max_bytes : float, default=inf
        A tighter limit, such as the size of a cache.

    Yields
    ------
    rows : slice
        At least one row, even if one row needs more memory.
    """
    size = min(working_memory(), max_bytes) // bytes_per_row
    yield from gen_batches(n_rows, int(max(min(size, n_rows), 1)))
