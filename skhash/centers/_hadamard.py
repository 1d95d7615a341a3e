"""Hadamard centers: rows of a Hadamard matrix. Yuan et al., "Central similarity quantization", CVPR 2020."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._checks import NoCentersError, checked
from skhash.centers._hadamard_matrix import hadamard_rows, has_hadamard
from skhash.centers._min_distance import min_distance
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_REDRAWS = 20
_MAX_REDRAWN = 4096  # centers, beyond which there is only one draw


@checked(random_state=["random_state"], shuffle=["boolean"])
def hadamard_centers(
    n_classes: int, bits: int, random_state: RandomStateLike = None, *, shuffle: bool = False
) -> NDArray[np.int8]:
    """Make hash centers from a Hadamard matrix and its negative.

    Any two of the first `2 * bits` centers differ in half of the bits, except a row and its own negative, which differ
    in all bits. Further classes get balanced random codes.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length: 1, 2, or an order of Sylvester's or Paley's matrices or a product of such orders; for instance each
        multiple of 4 below 92, and each power of two.
    random_state : int, RandomState instance or None, default=None
        Seed of `shuffle`, and of the random codes that are needed beyond `2 * bits` classes.
    shuffle : bool, default=False
        Whether to permute the bits and to flip random bits in all centers. This does not change distances. Without it,
        bit 0 is +1 in all centers if `n_classes <= bits`.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1. All bits of center 0 are +1 unless shuffled.

    Raises
    ------
    ValueError
        If this library has no Hadamard matrix of order `bits`, or if balanced codes are needed and `bits` is odd.

    Notes
    -----
    Random codes are redrawn up to 20 times until all centers are more than `bits / 4` bits apart, and the best draw is
    kept; beyond 4,096 centers they are drawn once.

    The first rows of Sylvester's matrix have few distinct columns: ten rows of 64 bits have 16, so that bits repeat.
    Random rows have the same distances and more distinct columns, see `levenshtein_centers`.

    Examples
    --------
    >>> from skhash.centers import hadamard_centers, min_distance
    >>> min_distance(hadamard_centers(100, 64)), min_distance(hadamard_centers(21, 48))
    (32, 24)
    """
    if not has_hadamard(bits):
        raise NoCentersError(
            f"Hadamard centers need bits to be the order of a Sylvester or Paley matrix or a product of such orders, "
            f"got bits={bits}; use 'auto' or 'levenshtein' centers."
        )
    random_state = local_random_state(random_state)
    centers = hadamard_rows(bits, np.arange(min(n_classes, bits)))
    if n_classes > bits:
        centers = np.concatenate([centers, -centers[: n_classes - bits]])
    if n_classes > 2 * bits:
        if bits % 2:
            raise NoCentersError(f"Hadamard centers: n_classes must be <= {2 * bits} for bits={bits}, got {n_classes}.")
        centers = _fill_up(centers, n_classes, random_state)
    if shuffle:
        signs = 2 * random_state.randint(0, 2, size=bits, dtype=np.int8) - 1
        centers = (centers * signs)[:, random_state.permutation(bits)]
    return centers


def _fill_up(rows: NDArray[np.int8], n_classes: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
    """Add balanced random codes, the best of several draws."""
    best, best_distance = rows, -1
    for _ in range(_REDRAWS if n_classes <= _MAX_REDRAWN else 1):
        extra = _balanced_codes(n_classes - len(rows), rows.shape[1], random_state)
        centers = np.concatenate([rows, extra])
        distance = min_distance(centers) if n_classes <= _MAX_REDRAWN else 0
        if distance > best_distance:
            best, best_distance = centers, distance
        if best_distance > rows.shape[1] / 4:
            break
    return best


def _balanced_codes(n_codes: int, bits: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
    """Draw codes with exactly half of their bits set."""
    codes = np.empty((n_codes, bits), np.int8)
    for start in range(0, n_codes, _MAX_REDRAWN):  # in blocks, because the ranks need 16 times the memory of the codes
        order = random_state.random_sample((min(_MAX_REDRAWN, n_codes - start), bits)).argsort(axis=1)
        codes[start : start + _MAX_REDRAWN] = np.where(order < bits // 2, -1, 1)
    return codes
