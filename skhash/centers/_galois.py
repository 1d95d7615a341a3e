"""Finite fields by tables of powers and logarithms.

An element of GF(p^m), a polynomial of degree below m over GF(p), is the integer whose digits in base p are its
coefficients; the constant is the lowest digit.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@lru_cache
def prime_power(q: int) -> tuple[int, int] | None:
    """Return (p, m) with `q == p**m` for a prime p, or None if q is not a prime power."""
    p = next((d for d in range(2, int(q**0.5) + 1) if q % d == 0), q)
    m, rest = 0, q
    while p > 1 and rest % p == 0:
        m, rest = m + 1, rest // p
    return (p, m) if q > 1 and rest == 1 else None


class GaloisField:
    """The field of `q` elements; use `galois_field`, which caches the fields.

    Attributes
    ----------
    powers : ndarray of int64 of shape (q - 1,)
        The powers of a primitive element, the root of the first primitive polynomial.
    logs : ndarray of int64 of shape (q,)
        The exponent of each element; -1 for 0, which is not a power.
    """

    q: int
    powers: NDArray[np.int64]
    logs: NDArray[np.int64]

    def __init__(self, q: int) -> None:
        factors = prime_power(q)
        assert factors is not None  # callers ask `prime_power` first
        self.q, (self._p, m) = q, factors
        self._places = self._p ** np.arange(m)
        # The first polynomial whose root generates all elements except 0; there is one in every finite field.
        candidates = (
            _powers(reversed_poly[::-1], self._p, q - 1) for reversed_poly in product(range(self._p), repeat=m)
        )
        powers = next(digits for digits in candidates if digits is not None)
        self.powers = powers @ self._places
        self.logs = np.full(q, -1)
        self.logs[self.powers] = np.arange(q - 1)

    def multiply(self, a: Any, b: Any) -> NDArray[np.int64]:
        """Multiply arrays of elements."""
        product = self.powers[(self.logs[a] + self.logs[b]) % (self.q - 1)]
        return np.where((np.asarray(a) == 0) | (np.asarray(b) == 0), 0, product)  # 0 has no logarithm

    def subtract(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
        """Subtract arrays of elements, digit by digit."""
        # Division leaves higher digits in place, multiples of p, which the remainder removes after the subtraction.
        a, b = np.asarray(a)[..., None] // self._places, np.asarray(b)[..., None] // self._places
        return (a - b) % self._p @ self._places

    def quadratic_character(self) -> NDArray[np.int64]:
        """Return 1 for each element that is a square, -1 for others, and 0 for 0."""
        # Squares are the even powers. For even q, where all elements are squares, this is not the character.
        return np.where(self.logs < 0, 0, 1 - 2 * (self.logs % 2))


def _powers(poly: tuple[int, ...], p: int, order: int) -> NDArray[np.int64] | None:
    """Return the digits of the powers of the root of `x**m + poly`, or None if there are fewer than `order`."""
    one = (1,) + (0,) * (len(poly) - 1)
    element, powers = one, []
    for _ in range(order):
        powers.append(element)
        # Multiplication by x shifts the coefficients, and x**m = -poly replaces the one that leaves at the top.
        *low, top = element
        element = tuple((a - top * c) % p for a, c in zip((0, *low), poly, strict=True))
        if element == one or not any(element):
            break
    return np.array(powers) if len(powers) == order and element == one else None


galois_field = lru_cache(GaloisField)
