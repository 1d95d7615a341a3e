"""Arrays that grow at the end without a copy of all rows each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["append"]


def append(
    rows: NDArray[Any], new: NDArray[Any], buffer: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Append rows to an array.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        Existing rows; never written to.
    new : ndarray of shape (n_new, ...)
        Rows to append.
    buffer : ndarray of shape (capacity, ...), default=None
        Buffer that an earlier call returned, of which `rows` is a prefix; None if `rows` has no spare capacity.

    Returns
    -------
    longer : ndarray of shape (n + n_new, ...)
        Prefix view of `buffer`.
    buffer : ndarray of shape (capacity, ...)
        The same buffer, or one of at least twice the rows where it was too small: `n` appended rows cost O(n) copies,
        however small the pieces are.
    """
    n = len(rows) + len(new)
    if buffer is None or n > len(buffer):
        buffer = np.empty((max(n, 2 * len(rows)), *rows.shape[1:]), rows.dtype)
        buffer[: len(rows)] = rows
    buffer[len(rows) : n] = new
    return buffer[:n], buffer
