"""Rows of Hadamard matrices: square, entries -1 and +1, any two rows differ in half of the places."""

from functools import cache

import numpy as np

from skhash.centers._paley import has_paley_one, has_paley_two, paley_one_rows, paley_two_rows


@cache
def has_hadamard(order):
    """Tell if a Hadamard matrix of this order is known here: Sylvester's, Paley's, or a product of such."""
    return order in (1, 2) or has_paley_one(order) or has_paley_two(order) or _factor(order) is not None


def hadamard_rows(order, rows):
    """Give some rows of the Hadamard matrix of an order that `has_hadamard`.

    Parameters
    ----------
    order : int
        Number of columns, and of rows in all.
    rows : ndarray of int of shape (n,)
        Which ones.

    Returns
    -------
    matrix : ndarray of int8 of shape (n, order)
        Entries -1 or +1; row 0 and column 0 are +1. For powers of two, Sylvester's matrix.
    """
    if order <= 2:
        return np.where(np.outer(rows, np.arange(order)), -1, 1).astype(np.int8)
    factor = _factor(order)
    if not _is_power_of_two(order):
        if has_paley_one(order):
            return paley_one_rows(order, rows)
        if has_paley_two(order):
            return paley_two_rows(order, rows)
    left, right = np.divmod(rows, order // factor)
    products = hadamard_rows(factor, left)[:, :, None] * hadamard_rows(order // factor, right)[:, None, :]
    return products.reshape(len(rows), order)


def _is_power_of_two(order):
    return order & (order - 1) == 0


@cache
def _factor(order):
    """The smallest factor for which a Kronecker product of two known matrices has this order, or None."""
    factors = (2, *range(4, int(order**0.5) + 1, 4))
    return next((f for f in factors if order % (2 * f) == 0 and has_hadamard(f) and has_hadamard(order // f)), None)
