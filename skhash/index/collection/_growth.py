"""Arrays that grow at the end, without a copy of all that is there each time."""

import numpy as np

__all__ = ["append"]


def append(rows, new, room=None):
    """Append rows to an array.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        What is there; never written to.
    new : ndarray of shape (n_new, ...)
        What comes behind it.
    room : ndarray of shape (capacity, ...), default=None
        What an earlier call gave, with `rows` at its front; None if `rows` has no room behind it.

    Returns
    -------
    longer : ndarray of shape (n + n_new, ...)
        The front of `room`.
    room : ndarray of shape (capacity, ...)
        The same one, or a larger one where that was too small: `n` appended rows cost O(n) copies, however small the
        pieces they come in.
    """
    n = len(rows) + len(new)
    if room is None or n > len(room):
        room = np.empty((max(n, 2 * len(rows)), *rows.shape[1:]), rows.dtype)
        room[: len(rows)] = rows
    room[len(rows) : n] = new
    return room[:n], room
