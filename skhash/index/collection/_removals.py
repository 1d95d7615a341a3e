"""Removed rows of a collection that grows at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

__all__ = ["Removals"]

_FEW = 1024  # removals that are kept beside a mask, or this share of a larger mask:
_SHARE = 64


class _Log:
    """Rows in the order of their removal, with the number of rows before each; several `Removals` share one."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.numbers: dict[int, int] = {}

    def continue_from(self, n: int, rows: list[int]) -> None:
        """Append rows to the first `n`; any others are those of a change that was interrupted."""
        for row in self.rows[n:]:
            self.numbers.pop(row, None)
        self.rows[n:] = rows
        self.numbers.update(zip(rows, range(n, n + len(rows)), strict=True))


class Removals:
    """Rows that are removed. A removal returns a new object, and this one stays as it is.

    A search needs a mask with a byte for each row, of which an older search may still read the old one. So a removal
    only notes its rows, and the first search after it makes the mask: its own work is larger. Appended rows need no
    change, for all rows behind the mask are live.

    As of a collection, only the newest object may be asked for another one. Any number of threads may read all of them.

    Parameters
    ----------
    mask : ndarray of bool of shape (n,), default=None
        Deletion mask: True for rows that are not removed; None means all. Never written to.
    """

    def __init__(self, mask: NDArray[np.bool_] | None = None) -> None:
        # The mask, and the number of rows in the log that are removed, too; replaced at once.
        self._state = np.empty(0, bool) if mask is None else mask, _Log(), 0

    def with_rows(self, rows: NDArray[np.int64], n: int) -> Self:
        """Return the removals with some live rows more, out of `n` rows."""
        mask, log, n_noted = self._state
        longer = type(self)()
        if n_noted + len(rows) > max(_FEW, n // _SHARE):
            mask = self.mask(n).copy()
            mask[rows] = False
            longer._state = mask, _Log(), 0
        else:
            log.continue_from(n_noted, rows.tolist())
            longer._state = mask, log, n_noted + len(rows)
        return longer

    def are_live(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Check of each row whether it is not removed."""
        mask, log, n_noted = self._state
        if len(rows) == 1:
            row = int(rows[0])
            is_live = (row >= len(mask) or bool(mask[row])) and log.numbers.get(row, n_noted) >= n_noted
            return np.array([is_live])
        live = np.ones(len(rows), bool)
        masked = rows < len(mask)
        live[masked] = mask[rows[masked]]
        if n_noted:
            numbers = log.numbers
            live &= np.array([numbers.get(row, n_noted) >= n_noted for row in rows.tolist()], bool)
        return live

    def mask(self, n: int) -> NDArray[np.bool_]:
        """Return the deletion mask of the first `n` rows, which include all removed ones."""
        mask, log, n_noted = self._state
        if n_noted or len(mask) < n:
            grows = 0 < len(mask) < n
            longer = np.ones(n + n // 8 if grows else max(n, len(mask)), bool)
            longer[: len(mask)] = mask
            longer[log.rows[:n_noted]] = False
            mask = longer
            self._state = mask, _Log(), 0
        return mask[:n]
