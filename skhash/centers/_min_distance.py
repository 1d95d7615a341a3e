"""The smallest distance between two centers, exact for a million of them."""

import numpy as np

from skhash.centers._autocorrelation import distance_in_span
from skhash.codes import pack_codes

_FEW = 4096  # centers, up to which all products are formed at once


def min_distance(centers):
    """Compute the smallest Hamming distance between two centers.

    Parameters
    ----------
    centers : ndarray of shape (n_classes, bits)
        Entries -1 or +1.

    Returns
    -------
    distance : int
        In bits; `bits` for a single center, which has no other to be close to.

    Notes
    -----
    Thousands of centers and more are compared in one of two ways, neither of which needs memory for pairs. Words of a
    linear code of dimension k: the numbers of pairs for each difference are an autocorrelation, from two fast
    Walsh-Hadamard transforms of length :math:`2^k`. Other centers: pairs that agree in one part of their bits up to r
    bits, for growing r, until pairs that agree nowhere so well cannot be closer than the closest found. A million
    random codes of 128 bits take about half a minute.

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
        products = signed @ signed.T
        np.fill_diagonal(products, -bits)
        return (bits - int(np.rint(products.max()))) // 2
    from skhash.centers._closest_pair import closest_distance  # loads numba, which few centers do without

    words = pack_codes(centers > 0)
    distance = distance_in_span(words, bits)
    return closest_distance(words, bits) if distance is None else distance
