"""Hadamard centers: rows of a Hadamard matrix. Yuan et al., "Central similarity quantization", CVPR 2020."""

import numpy as np
from scipy.linalg import hadamard

from skhash.centers._statistics import min_distance
from skhash.utils import local_random_state

_REDRAWS = 20


def hadamard_centers(n_classes, bits, random_state=None):
    """Take hash centers from the Sylvester-Hadamard matrix and its negative.

    Any two of the first `2 * bits` centers differ in half of the bits, but for a row and its own negative, which differ
    in all. Further classes get balanced random codes.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length, a power of two.
    random_state : int, RandomState instance or None, default=None
        Seeds the random codes that are needed beyond `2 * bits` classes.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1. With `n_classes <= bits`, bit 0 is +1 in every center.

    Raises
    ------
    ValueError
        If `bits` is no power of two.

    Notes
    -----
    Random codes are redrawn up to 20 times until they are more than `bits / 4` bits away from each other and from the
    rows; the best draw is kept.

    Examples
    --------
    >>> from skhash.centers import hadamard_centers, min_distance
    >>> min_distance(hadamard_centers(100, 64))
    32
    """
    if bits < 2 or bits & (bits - 1):
        raise ValueError(
            f"Hadamard centers need bits to be a power of two, got bits={bits}; use 'maxhd' or 'bernoulli' centers."
        )
    rows = hadamard(bits, dtype=np.int8)
    rows = np.concatenate([rows, -rows])
    if n_classes <= len(rows):
        return rows[:n_classes]
    random_state = local_random_state(random_state)
    best, best_distance = None, -1
    for _ in range(_REDRAWS):
        extra = _balanced_codes(n_classes - len(rows), bits, random_state)
        centers = np.concatenate([rows, extra])
        distance = min_distance(centers)
        if distance > best_distance:
            best, best_distance = centers, distance
        if best_distance > bits / 4:
            break
    return best


def _balanced_codes(n_codes, bits, random_state):
    """Draw codes with exactly half of their bits set."""
    code = np.repeat(np.array([-1, 1], dtype=np.int8), bits // 2)
    return np.stack([random_state.permutation(code) for _ in range(n_codes)])
