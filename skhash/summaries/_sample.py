"""A uniform sample of fixed size from rows that come in chunks; it does not depend on the chunks."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEYS = 2**18


@dataclass(frozen=True, eq=False)
class Sample:
    """A uniform sample of the rows so far.

    Every row gets a random key. The rows with the smallest keys are kept, in the order in which they came.

    Parameters
    ----------
    size : int or None
        Largest number of rows to keep; None keeps all.
    random_state : RandomState instance
        Draws the keys. It is copied first, because a sample never changes.
    keys : ndarray of shape (n_kept,)
        Keys of the kept rows.
    rows : ndarray of shape (n_kept, n_features), default=None
        The kept rows, with the dtype of the input; None before the first row.
    """

    size: int | None
    random_state: np.random.RandomState
    keys: NDArray[np.float64]
    rows: NDArray[Any] | None = None

    @classmethod
    def empty(cls, size: int | None, random_state: np.random.RandomState) -> Sample:
        """Return a sample without rows, with its own random state."""
        return cls(size, np.random.RandomState(random_state.randint(2**31 - 1)), np.zeros(0))

    def extended(self, X: NDArray[Any]) -> Sample:
        """Return a sample of the rows so far and of `X`."""
        random_state = copy.deepcopy(self.random_state)
        keys = self.keys
        origin = np.arange(-len(keys), 0)  # old rows are counted from the end: -1 is the last one
        step = max(len(X), 1) if self.size is None else _KEYS
        for start in range(0, len(X), step):
            stop = min(start + step, len(X))
            keys = np.concatenate([keys, random_state.random_sample(stop - start)])
            origin = np.concatenate([origin, np.arange(start, stop)])
            if self.size is not None and len(keys) > self.size:
                kept = np.sort(np.argpartition(keys, self.size - 1)[: self.size])
                keys, origin = keys[kept], origin[kept]
        rows = X[origin[origin >= 0]]
        if self.rows is not None:
            rows = np.concatenate([self.rows[origin[origin < 0]], rows])
        return Sample(self.size, random_state, keys, rows)
