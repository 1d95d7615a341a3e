"""Rows of large arrays, a few at a time and in double precision."""

import numpy as np

_VALUES = 2**21  # 16 MB of doubles
_MAX_ROWS = 4096
_MIN_ROWS = 64


def double_blocks(X):
    """Yield consecutive rows of a two-dimensional array as float64 copies, of a size that does not grow with it."""
    rows = min(max(_VALUES // X.shape[1], _MIN_ROWS), _MAX_ROWS)
    for start in range(0, len(X), rows):
        yield X[start : start + rows].astype(np.float64)
