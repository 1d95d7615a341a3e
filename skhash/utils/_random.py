"""Random states that do not touch numpy's global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    from skhash.utils._typing import RandomStateLike


def local_random_state(random_state: RandomStateLike) -> np.random.RandomState:
    """Return a `numpy.random.RandomState` for a `random_state` parameter.

    Like `sklearn.utils.check_random_state`, except that None draws fresh entropy instead of advancing numpy's global
    state, which belongs to the user.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Seed, generator, or None for a different result in every call.

    Returns
    -------
    random_state : numpy.random.RandomState
        The generator.
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
