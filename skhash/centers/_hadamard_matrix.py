"""Rows of Hadamard matrices: square, with entries -1 and +1, where any two rows differ in half of the columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.centers._paley import has_paley_one, has_paley_two, paley_one_rows, paley_two_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cache
def has_hadamard(order: int) -> bool:
    """Return whether this module has a Hadamard matrix of this order: Sylvester's, Paley's, or a product of these."""
    return order in (1, 2) or has_paley_one(order) or has_paley_two(order) or _factor(order) is not None


def hadamard_rows(order: int, rows: NDArray[Any]) -> NDArray[np.int8]:
    """Return some rows of the Hadamard matrix of an order for which `has_hadamard` holds.

    Parameters
    ----------
    order : int
        Number of rows and columns of the whole matrix.
    rows : ndarray of int of shape (n,)
        Indices of the rows.

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
    assert factor is not None  # order is a power of two, or `has_hadamard` was False
    left, right = np.divmod(rows, order // factor)
    products = hadamard_rows(factor, left)[:, :, None] * hadamard_rows(order // factor, right)[:, None, :]
    return products.reshape(len(rows), order)


def _is_power_of_two(order: int) -> bool:
    return order & (order - 1) == 0


@cache
def _factor(order: int) -> int | None:
    """Return the smallest factor for which a Kronecker product of two known matrices has this order, or None."""
    factors = (2, *range(4, int(order**0.5) + 1, 4))
    return next((f for f in factors if order % (2 * f) == 0 and has_hadamard(f) and has_hadamard(order // f)), None)
