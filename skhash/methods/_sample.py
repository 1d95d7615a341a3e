"""A uniform sample of fixed size from rows that come in chunks, the same however they are chunked."""

import copy
from dataclasses import dataclass

import numpy as np

_KEYS = 2**18


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows drawn so far.

    Every row that comes draws a random key, and the rows with the smallest keys stay, in the order in which they came.

    Parameters
    ----------
    size : int or None
        Number of rows to keep at most; None keeps all.
    random_state : RandomState instance
        Draws the keys. It is copied before that, as nothing here ever changes.
    keys : ndarray of shape (n_kept,)
        Keys of the rows that are kept.
    rows : ndarray of shape (n_kept, n_features), default=None
        The rows themselves, of the type in which they came; None before the first.
    """

    size: int | None
    random_state: np.random.RandomState
    keys: np.ndarray
    rows: np.ndarray | None = None

    @classmethod
    def empty(cls, size, random_state):
        """Begin with no rows, and with a generator of our own."""
        return cls(size, np.random.RandomState(random_state.randint(2**31 - 1)), np.zeros(0))

    def extended(self, X):
        """Give a sample of the rows so far and those of `X`."""
        random_state = copy.deepcopy(self.random_state)
        keys = self.keys
        origin = np.arange(-len(keys), 0)  # old rows count from the end: -1 is the last
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
