"""MaxHD centers: random codes, accepted if far from all others. Hoe et al., NeurIPS 2021, algorithm 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._bernoulli import bernoulli_centers
from skhash.centers._checks import NoCentersError, checked
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

# Thresholds on the distance in percent of the bits. Integers, because repeated subtraction of 0.01 accumulates errors.
_FIRST, _LAST = 61, 20
_PATIENCE = 10_000
_DRAWS = 512
_MAX_WORK = 2**37  # compared bits


@checked(random_state=["random_state"])
def maxhd_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Draw hash centers greedily: keep a random code if it is far from all codes kept before.

    The required distance starts at 61 % of the bits and decreases by one percentage point after every 10,000
    rejections. Finally, the codes are assigned to the classes at random.

    Parameters
    ----------
    n_classes : int
        Number of centers; `n_classes ** 2 * bits` must be at most 2 ** 37, because each draw is compared with all.
    bits : int
        Code length.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If that many codes are not found even at a distance of 20 % of the bits, or are too many to compare.

    Examples
    --------
    >>> from skhash.centers import maxhd_centers, min_distance
    >>> min_distance(maxhd_centers(10, 64, random_state=0)) > 28
    True
    """
    if n_classes**2 * bits > _MAX_WORK:
        raise NoCentersError(
            f"MaxHD centers: each draw is compared with all centers, which takes too long for n_classes={n_classes} "
            f"and bits={bits}; use 'auto' or 'bernoulli' centers."
        )
    random_state = local_random_state(random_state)
    centers = np.empty((n_classes, bits), dtype=np.int8)
    n_kept, n_rejected, percent = 0, 0, _FIRST
    while n_kept < n_classes:
        draws = bernoulli_centers(_DRAWS, bits, random_state)
        nearest = _distances(draws, centers[:n_kept]).min(axis=1, initial=bits)
        for draw in range(_DRAWS):
            if n_kept == n_classes:
                break
            if 100 * nearest[draw] >= percent * bits:
                centers[n_kept] = draws[draw]
                n_kept += 1
                # `nearest` was computed before this code was kept.
                np.minimum(nearest, _distances(draws, draws[draw : draw + 1])[:, 0], out=nearest)
                continue
            n_rejected += 1
            if n_rejected == _PATIENCE:
                n_rejected, percent = 0, percent - 1
                if percent < _LAST:
                    raise NoCentersError(
                        f"MaxHD centers: found only {n_kept} of n_classes={n_classes} codes of bits={bits} bits with a "
                        f"distance of {_LAST} % of the bits; use more bits or 'bernoulli' centers."
                    )
    return random_state.permutation(centers)


def _distances(a: NDArray[np.int8], b: NDArray[np.int8]) -> NDArray[np.int64]:
    """Compute the Hamming distances between the rows of two +-1 matrices by a matrix product."""
    return (a.shape[1] - np.rint(a.astype(np.float32) @ b.T.astype(np.float32)).astype(np.int64)) // 2
