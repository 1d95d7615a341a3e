"""Finite fields by tables of powers and logarithms.

An element of GF(p^m), a polynomial of degree below m over GF(p), is the integer whose digits in base p are its
coefficients, the constant one lowest.
"""

from functools import lru_cache
from itertools import product

import numpy as np


@lru_cache
def prime_power(q):
    """Give (p, m) with `q == p**m` for a prime p, or None if there is none."""
    p = next((d for d in range(2, int(q**0.5) + 1) if q % d == 0), q)
    m, rest = 0, q
    while p > 1 and rest % p == 0:
        m, rest = m + 1, rest // p
    return (p, m) if q > 1 and rest == 1 else None


class GaloisField:
    """The field of `q` elements; use `galois_field`, which makes each one once.

    Attributes
    ----------
    powers : ndarray of int64 of shape (q - 1,)
        The powers of a primitive element, the root of the first primitive polynomial.
    logs : ndarray of int64 of shape (q,)
        The exponent of each element; -1 for 0, which has none.
    """

    def __init__(self, q):
        self.q, (self._p, m) = q, prime_power(q)
        self._places = self._p ** np.arange(m)
        # The first polynomial whose root runs through all elements but 0; its coefficients count down like digits.
        for reversed_poly in product(range(self._p), repeat=m):
            powers = _powers(reversed_poly[::-1], self._p, q - 1)
            if powers is not None:
                break
        self.powers = powers @ self._places
        self.logs = np.full(q, -1)
        self.logs[self.powers] = np.arange(q - 1)

    def multiply(self, a, b):
        """Multiply arrays of elements."""
        product = self.powers[(self.logs[a] + self.logs[b]) % (self.q - 1)]
        return np.where((np.asarray(a) == 0) | (np.asarray(b) == 0), 0, product)

    def subtract(self, a, b):
        """Subtract arrays of elements, digit by digit."""
        a, b = np.asarray(a)[..., None] // self._places, np.asarray(b)[..., None] // self._places
        return (a - b) % self._p @ self._places

    def quadratic_character(self):
        """Give 1 for each element that is a square, -1 for others, and 0 for 0."""
        return np.where(self.logs < 0, 0, 1 - 2 * (self.logs % 2))


def _powers(poly, p, order):
    """Digits of the powers of the root of `x**m + poly`, or None if they are fewer than `order` different ones."""
    one = (1,) + (0,) * (len(poly) - 1)
    element, powers = one, []
    for _ in range(order):
        powers.append(element)
        *low, top = element
        element = tuple((a - top * c) % p for a, c in zip((0, *low), poly, strict=True))
        if element == one or not any(element):
            break
    return np.array(powers) if len(powers) == order and element == one else None


galois_field = lru_cache(GaloisField)
