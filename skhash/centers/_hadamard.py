"""Hadamard centers: rows of a Hadamard matrix. Yuan et al., "Central similarity quantization", CVPR 2020."""

import numpy as np

from skhash.centers._checks import NoCentersError, checked
from skhash.centers._hadamard_matrix import hadamard_rows, has_hadamard
from skhash.centers._min_distance import min_distance
from skhash.utils import local_random_state

_REDRAWS = 20
_MAX_REDRAWN = 4096  # centers, beyond which one draw must do


@checked(random_state=["random_state"], shuffle=["boolean"])
def hadamard_centers(n_classes, bits, random_state=None, *, shuffle=False):
    """Take hash centers from a Hadamard matrix and its negative.

    Any two of the first `2 * bits` centers differ in half of the bits, but for a row and its own negative, which differ
    in all. Further classes get balanced random codes.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length: 1, 2, or an order of Sylvester's or Paley's matrices or a product of such orders: every multiple of
        4 below 92, for instance, and every power of two.
    random_state : int, RandomState instance or None, default=None
        Seeds `shuffle`, and the random codes that are needed beyond `2 * bits` classes.
    shuffle : bool, default=False
        Whether to permute the bits and to flip random ones in all centers. This changes no distance, but with
        `n_classes <= bits`, bit 0 of unshuffled centers is +1 in each.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1. Center 0 is +1 throughout unless shuffled.

    Raises
    ------
    ValueError
        If no Hadamard matrix of order `bits` is known here, or if balanced codes are needed and `bits` is odd.

    Notes
    -----
    Random codes are redrawn up to 20 times until all centers are more than `bits / 4` bits apart, and the best draw is
    kept; beyond 4,096 centers they are drawn once.

    The first rows of Sylvester's matrix have few different columns: ten rows of 64 bits have 16, so that bits repeat.
    Rows drawn at random are as far apart and have more: `levenshtein_centers`.

    Examples
    --------
    >>> from skhash.centers import hadamard_centers, min_distance
    >>> min_distance(hadamard_centers(100, 64)), min_distance(hadamard_centers(21, 48))
    (32, 24)
    """
    if not has_hadamard(bits):
        raise NoCentersError(
            f"Hadamard centers need bits to be the order of a Sylvester or Paley matrix or a product of such, "
            f"got bits={bits}; use 'auto' or 'levenshtein' centers."
        )
    random_state = local_random_state(random_state)
    centers = hadamard_rows(bits, np.arange(min(n_classes, bits)))
    if n_classes > bits:
        centers = np.concatenate([centers, -centers[: n_classes - bits]])
    if n_classes > 2 * bits:
        if bits % 2:
            raise NoCentersError(f"Hadamard centers: bits={bits} allow n_classes to be 2 at most, got {n_classes}.")
        centers = _fill_up(centers, n_classes, random_state)
    if shuffle:
        signs = 2 * random_state.randint(0, 2, size=bits, dtype=np.int8) - 1
        centers = (centers * signs)[:, random_state.permutation(bits)]
    return centers


def _fill_up(rows, n_classes, random_state):
    """Add balanced random codes, the best of several draws."""
    best, best_distance = None, -1
    for _ in range(_REDRAWS if n_classes <= _MAX_REDRAWN else 1):
        extra = _balanced_codes(n_classes - len(rows), rows.shape[1], random_state)
        centers = np.concatenate([rows, extra])
        distance = min_distance(centers) if n_classes <= _MAX_REDRAWN else 0
        if distance > best_distance:
            best, best_distance = centers, distance
        if best_distance > rows.shape[1] / 4:
            break
    return best


def _balanced_codes(n_codes, bits, random_state):
    """Draw codes with exactly half of their bits set."""
    codes = np.empty((n_codes, bits), np.int8)
    for start in range(0, n_codes, _MAX_REDRAWN):
        order = random_state.random_sample((min(_MAX_REDRAWN, n_codes - start), bits)).argsort(axis=1)
        codes[start : start + _MAX_REDRAWN] = np.where(order < bits // 2, -1, 1)
    return codes
