"""Centers from good linear codes: lexicodes, the Golay code, and codes found by a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.centers._annealed import found_codes
from skhash.centers._bounds import plotkin_bound
from skhash.centers._checks import NoCentersError, checked
from skhash.centers._farthest_point import select_codewords
from skhash.centers._fit_length import best_fit
from skhash.centers._lexicode import lexicode
from skhash.utils import local_random_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_MAX_LEXICODE = 16  # bits
_MAX_BITS = 52


@checked(random_state=["random_state"])
def linear_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Make hash centers from a good linear code of at most 52 bits.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length, at most 52.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of codewords, and of the bits that are flipped in all of them.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If no known code has that many bits and words.

    Notes
    -----
    Up to 16 bits, the code is the lexicode of the largest distance, which takes each word in order that is far enough
    from all words taken before. Longer codes are shortened, punctured or lengthened from the Golay code of 24 bits and
    4,096 words, and from codes of 128 to 512 words and 24 to 52 bits found by simulated annealing. They fill the gaps
    between BCH codes: the minimum distance of 128 words of 32 bits is 14 instead of 12. If the code has more words than
    classes, centers are selected by farthest-point search.

    Examples
    --------
    >>> from skhash.centers import linear_centers, min_distance
    >>> [min_distance(linear_centers(100, bits, random_state=0)) for bits in (16, 32, 48)]
    [6, 14, 22]
    """
    dimension = max((n_classes - 1).bit_length(), 1)
    if bits <= _MAX_LEXICODE:
        generator = _best_lexicode(bits, dimension) if dimension <= bits else None
    else:
        generator = best_fit(found_codes(), bits, dimension) if bits <= _MAX_BITS else None
    if generator is None:
        raise NoCentersError(
            f"Linear centers: no known code of bits={bits} bits has words for n_classes={n_classes} classes; "
            f"use 'auto' or 'bch' centers."
        )
    return select_codewords(generator, n_classes, local_random_state(random_state))


def _best_lexicode(bits: int, dimension: int) -> NDArray[np.uint8] | None:
    """Return the lexicode of the largest distance that has enough words."""
    for distance in range(plotkin_bound(2**dimension, bits), 0, -1):
        generator = lexicode(bits, distance, dimension)
        if len(generator) == dimension:
            return generator
    return None
