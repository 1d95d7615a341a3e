"""Bernoulli centers: every bit a fair coin.

Hoe et al., "One loss for all: deep hashing with a single cosine similarity based learning objective", NeurIPS 2021.
"""

import numpy as np

from skhash.centers._checks import checked
from skhash.utils import local_random_state


@checked(random_state=["random_state"])
def bernoulli_centers(n_classes, bits, random_state=None):
    """Draw hash centers bit by bit.

    Two of them differ in `bits / 2` bits on average; 128 bits keep a million classes apart by about 32.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length.
    random_state : int, RandomState instance or None, default=None
        Seeds the draw.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Examples
    --------
    >>> from skhash.centers import bernoulli_centers
    >>> bernoulli_centers(3, 8, random_state=0).shape
    (3, 8)
    """
    coins = local_random_state(random_state).randint(0, 2, size=(n_classes, bits), dtype=np.int8)
    return 2 * coins - 1
