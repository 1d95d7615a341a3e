"""Reed-Solomon centers: words of symbols of 4 or 8 bits, any two of which differ in many symbols.

Lower bound hashing (LBHash) compares such centers with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._checks import NoCentersError, checked
from skhash.centers._farthest_point import select_codewords
from skhash.centers._galois import galois_field
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_MAX_SYMBOLS = {4: 15, 8: 255}


@checked(random_state=["random_state"])
def reed_solomon_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Make hash centers from a Reed-Solomon code.

    Parameters
    ----------
    n_classes : int
        Number of centers, at most `2 ** bits`.
    bits : int
        Code length: a multiple of 4 from 8 to 60, or a multiple of 8 from 64 to 2,040.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of codewords, and of the bits that are flipped in all of them.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If `bits` is another length, or there are more classes than codes.

    Notes
    -----
    Words are `bits / 4` symbols of GF(16), or `bits / 8` of GF(256) beyond 60 bits: the multiples of a polynomial with
    the roots 1, a, a^2, ... for a primitive element a. They carry two symbols of information, or more if there are more
    classes. Each further symbol costs one symbol of distance, so for few classes, farthest-point search selects words
    that are further apart.

    References
    ----------
    .. [1] I. S. Reed, G. Solomon. "Polynomial codes over certain finite fields". Journal of the Society for Industrial
       and Applied Mathematics 8, 1960.

    Examples
    --------
    >>> from skhash.centers import min_distance, reed_solomon_centers
    >>> min_distance(reed_solomon_centers(10, 32, random_state=0))
    16
    """
    m = 4 if bits <= 60 else 8
    n, rest = divmod(bits, m)
    if rest or not 2 <= n <= _MAX_SYMBOLS[m]:
        raise NoCentersError(
            f"Reed-Solomon centers need bits to be a multiple of 4 from 8 to 60 or a multiple of 8 from 64 to 2040, "
            f"got bits={bits}; use 'auto' or 'bch' centers."
        )
    k = max(2, -(-(n_classes - 1).bit_length() // m))
    if k > n:
        raise NoCentersError(f"Reed-Solomon centers: n_classes must be <= 2 ** bits = {2**bits}, got {n_classes}.")
    return select_codewords(reed_solomon_code(m, n, k), n_classes, local_random_state(random_state))


def reed_solomon_code(m: int, n: int, k: int) -> NDArray[np.uint8]:
    """Build the binary generator matrix of a Reed-Solomon code.

    Parameters
    ----------
    m : int
        Bits of a symbol.
    n, k : int
        Numbers of symbols of a word and of information symbols; any two words differ in at least n - k + 1 symbols.

    Returns
    -------
    generator : ndarray of uint8 of shape (m * k, m * n)
        Symbols are m bits each, lowest bit first.
    """
    field = galois_field(2**m)
    polynomial = np.zeros(n, np.int64)  # lowest coefficient first
    polynomial[0] = 1
    for root in field.powers[: n - k]:
        polynomial = np.roll(polynomial, 1) ^ field.multiply(polynomial, root)  # times x - root; x + root in GF(2^m)
    # Over GF(2), the multiples of a word by the m elements 1 << bit span its multiples by all elements.
    rows = [field.multiply(np.roll(polynomial, shift), 1 << bit) for shift in range(k) for bit in range(m)]
    return (np.array(rows)[:, :, None] >> np.arange(m) & 1).reshape(m * k, m * n).astype(np.uint8)
