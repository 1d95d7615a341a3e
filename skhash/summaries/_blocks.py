"""Blocks of rows of large arrays, in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VALUES = 2**21  # 16 MB of doubles
_MAX_ROWS = 4096
_MIN_ROWS = 64


def double_blocks(X: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of consecutive rows of a matrix as float64 copies, of a size that does not grow with the matrix.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The matrix.

    Yields
    ------
    block : ndarray of float64 of shape (n_rows, n_features)
        The next rows.
    """
    rows = rows_per_block(X.shape[1])
    for start in range(0, len(X), rows):
        yield X[start : start + rows].astype(np.float64)


def rows_per_block(n_features: int) -> int:
    """Return the number of rows of the blocks of a matrix."""
    return min(max(_VALUES // n_features, _MIN_ROWS), _MAX_ROWS)
