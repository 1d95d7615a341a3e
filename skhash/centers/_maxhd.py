"""MaxHD centers: random codes, accepted while far from all others. Hoe et al., NeurIPS 2021, algorithm 3."""

import numpy as np

from skhash.centers._bernoulli import bernoulli_centers
from skhash.centers._checks import NoCentersError, checked
from skhash.utils import local_random_state

_FIRST, _LAST = 61, 20  # thresholds on the normalized distance, in percent: integers do not drift
_PATIENCE = 10_000
_DRAWS = 512
_MAX_WORK = 2**37  # bits compared


@checked(random_state=["random_state"])
def maxhd_centers(n_classes, bits, random_state=None):
    """Draw hash centers greedily: keep a random code if it is far from all kept ones.

    The required distance starts at 61 % of the bits and falls by one percent after every 10,000 rejections. The codes
    are finally shuffled over the classes.

    Parameters
    ----------
    n_classes : int
        Number of centers; `n_classes ** 2 * bits` is at most 2 ** 37, as every draw is compared with all of them.
    bits : int
        Code length.
    random_state : int, RandomState instance or None, default=None
        Seeds the draws.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If so many codes do not fit even at a distance of 20 % of the bits, or are too many to be compared.

    Examples
    --------
    >>> from skhash.centers import maxhd_centers, min_distance
    >>> min_distance(maxhd_centers(10, 64, random_state=0)) > 28
    True
    """
    if n_classes**2 * bits > _MAX_WORK:
        raise NoCentersError(
            f"MaxHD centers: every draw is compared with all centers, which takes too long for n_classes={n_classes} "
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
                np.minimum(nearest, _distances(draws, draws[draw : draw + 1])[:, 0], out=nearest)
                continue
            n_rejected += 1
            if n_rejected == _PATIENCE:
                n_rejected, percent = 0, percent - 1
                if percent < _LAST:
                    raise NoCentersError(
                        f"MaxHD centers: n_classes={n_classes} codes of bits={bits} bits do not fit with a distance of "
                        f"{_LAST} % of the bits ({n_kept} do); use more bits or 'bernoulli' centers."
                    )
    return random_state.permutation(centers)


def _distances(a, b):
    """Hamming distances between the rows of two +-1 matrices, as a matrix product."""
    return (a.shape[1] - np.rint(a.astype(np.float32) @ b.T.astype(np.float32)).astype(np.int64)) // 2
