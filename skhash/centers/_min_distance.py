"""Smallest distance between two centers, exact for a million of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._autocorrelation import distance_in_span
from skhash.codes import pack_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_FEW = 4096  # centers, up to which all products are computed at once


def min_distance(centers: ArrayLike) -> int:
    """Compute the smallest Hamming distance between two centers.

    Parameters
    ----------
    centers : ndarray of shape (n_classes, bits)
        Entries -1 or +1.

    Returns
    -------
    distance : int
        In bits; `bits` for a single center.

    Notes
    -----
    More than 4,096 centers are compared in one of two ways, neither of which needs memory for pairs. For words of a
    linear code of dimension k, the numbers of pairs with each difference are an autocorrelation, computed by two fast
    Walsh-Hadamard transforms of length :math:`2^k`. For other centers, pairs that differ in at most r bits of one part
    of their bits are compared, for increasing r, until the remaining pairs cannot be closer than the closest pair
    found. A million random codes of 128 bits take about half a minute.

    Examples
    --------
    >>> from skhash.centers import hadamard_centers, min_distance
    >>> min_distance(hadamard_centers(8, 8))
    4
    """
    centers = np.asarray(centers)
    n_classes, bits = centers.shape
    if n_classes <= _FEW:
        signed = centers.astype(np.float32)
        products = signed @ signed.T  # bits - 2 * distance
        np.fill_diagonal(products, -bits)
        return (bits - int(np.rint(products.max()))) // 2
    from skhash.centers._closest_pair import closest_distance  # loads numba, which few centers do not need

    words = pack_codes(centers > 0)
    distance = distance_in_span(words, bits)
    return closest_distance(words, bits) if distance is None else distance
