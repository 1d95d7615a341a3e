"""BCH centers: words of an extended BCH code. Lower bound hashing (LBHash) compares such centers with others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._checks import NoCentersError, checked
from skhash.centers._farthest_point import select_codewords
from skhash.centers._fit_length import Code, best_fit
from skhash.centers._galois import galois_field
from skhash.centers._linear_code import basis
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_MAX_BITS = 2**14


@checked(random_state=["random_state"])
def bch_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Make hash centers from a BCH code.

    Parameters
    ----------
    n_classes : int
        Number of centers, at most `2 ** bits`.
    bits : int
        Code length, at most 16,384.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of codewords, and of the bits that are flipped in all of them.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If there are more classes than codes of that many bits, or `bits` is too large.

    Notes
    -----
    The code is the primitive narrow-sense BCH code of the next length :math:`2^m - 1` with a parity bit, of the
    smallest dimension with enough words. If `bits` is not a power of two, codes of the next power of two are shortened
    and punctured, or one of the previous power of two is lengthened, and the best result is used. If the code has few
    words, centers are words that are far apart, selected by farthest-point search; otherwise they are words of a random
    subcode.

    References
    ----------
    .. [1] R. C. Bose, D. K. Ray-Chaudhuri. "On a class of error correcting binary group codes". Information and
       Control 3, 1960. F. J. MacWilliams, N. J. A. Sloane, "The theory of error-correcting codes", chapter 7.

    Examples
    --------
    >>> from skhash.centers import bch_centers, min_distance
    >>> min_distance(bch_centers(100, 32, random_state=0)), min_distance(bch_centers(1000, 64, random_state=0))
    (12, 28)
    """
    dimension = max((n_classes - 1).bit_length(), 1)
    if dimension > bits:
        raise NoCentersError(f"BCH centers: n_classes must be <= 2 ** bits = {2**bits}, got {n_classes}.")
    if bits > _MAX_BITS:
        raise NoCentersError(f"BCH centers: bits must be <= {_MAX_BITS}, got {bits}.")
    m = max((bits - 1).bit_length(), 2)
    codes = bch_codes(m, dimension, dimension + 2**m - bits)
    if 4 <= bits < 2**m:
        codes += bch_codes(m - 1, dimension, dimension)
    generator = best_fit(codes, bits, dimension)
    assert generator is not None  # the last code of length 2 ** m has all words
    return select_codewords(generator, n_classes, local_random_state(random_state))


def bch_codes(m: int, smallest: int, enough: int) -> list[Code]:
    """Return extended BCH codes of length 2 ** m.

    Parameters
    ----------
    m : int
        At least 2.
    smallest, enough : int
        Dimensions: all codes have at least `smallest`, and only the last one has `enough` or more.

    Returns
    -------
    codes : list of Code
        Codes of increasing dimension, with their designed distances.
    """
    n, codes = 2**m - 1, []
    leaders = _coset_leaders(m)
    sizes = [_size(leader, n) for leader in leaders]
    for first in range(len(leaders), -1, -1):
        # The zeros are the powers before the first nonzero orbit: as many in a row as its leader minus 1, so the
        # designed distance is the leader (BCH bound). The parity bit makes it even, which adds 1.
        k = 1 + sum(sizes[first:])
        designed = leaders[first] if first < len(leaders) else n
        if k >= smallest:
            codes.append(Code(n + 1, k, designed + 1, partial(_extended_code, m, [0, *leaders[first:]])))
        if k >= enough:
            return codes
    return [*codes, Code(n + 1, n + 1, 1, partial(np.eye, n + 1, dtype=np.uint8))]


def _coset_leaders(m: int) -> list[int]:
    """Return the smallest exponent of each orbit of doubling modulo 2 ** m - 1, except 0."""
    exponents = np.arange(1, 2**m - 1)
    smallest, orbit = exponents.copy(), exponents
    for _ in range(m - 1):
        orbit = 2 * orbit % (2**m - 1)
        np.minimum(smallest, orbit, out=smallest)
    return exponents[smallest == exponents].tolist()


def _size(leader: int, n: int) -> int:
    """Return the length of an orbit of doubling modulo n."""
    size, exponent = 1, 2 * leader % n
    while exponent != leader:
        size, exponent = size + 1, 2 * exponent % n
    return size


def _extended_code(m: int, nonzeros: list[int]) -> NDArray[np.uint8]:
    """Build the cyclic code whose words, as polynomials, are 0 at all powers except these orbits, and a parity bit.

    The words are sums of sequences of traces of a * x ** -i, for nonzeros x; each bit of a field element is a trace.
    """
    n = 2**m - 1
    sequences = galois_field(2**m).powers[np.outer(nonzeros, -np.arange(n)) % n]
    bits = sequences[:, None, :] >> np.arange(m)[:, None] & 1
    generator = basis(bits.reshape(-1, n).astype(np.uint8))
    return np.column_stack([generator, generator.sum(axis=1) % 2]).astype(np.uint8)
