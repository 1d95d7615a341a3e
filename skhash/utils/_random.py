"""Random states that leave numpy's global one alone."""

import numpy as np
from sklearn.utils import check_random_state


def local_random_state(random_state):
    """Make a `numpy.random.RandomState` from a `random_state` parameter.

    As `sklearn.utils.check_random_state`, except that None draws fresh entropy instead of advancing numpy's global
    state, which belongs to the user.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Seed, generator to draw from, or None for another result every time.

    Returns
    -------
    random_state : numpy.random.RandomState
        The generator.
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
