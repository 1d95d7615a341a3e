"""Bernoulli centers: each bit is a fair coin.

Hoe et al., "One loss for all: deep hashing with a single cosine similarity based learning objective", NeurIPS 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._checks import checked
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike


@checked(random_state=["random_state"])
def bernoulli_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Draw hash centers bit by bit.

    Two of them differ in `bits / 2` bits on average; the minimum distance of a million centers of 128 bits is about 32.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

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
