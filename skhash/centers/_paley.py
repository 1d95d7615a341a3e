"""Rows of Paley's Hadamard matrices, from the squares of a finite field.

R. E. A. C. Paley, "On orthogonal matrices", Journal of Mathematics and Physics 12, 1933. Both kinds are normalized: the
first row and the first column are +1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.centers._galois import galois_field, prime_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_VALUES = 2**20


def has_paley_one(order: int) -> bool:
    """Return whether `order - 1` is a prime power that is 3 modulo 4."""
    return order % 4 == 0 and prime_power(order - 1) is not None


def has_paley_two(order: int) -> bool:
    """Return whether `order / 2 - 1` is a prime power that is 1 modulo 4."""
    return order % 4 == 0 and order // 2 % 4 == 2 and prime_power(order // 2 - 1) is not None


def paley_one_rows(order: int, rows: NDArray[Any]) -> NDArray[np.int8]:
    """Return some rows of the first kind, [[1, 1], [1, -Q - I]]."""
    core = -_characters(order - 1, rows)
    core[np.arange(len(rows)), rows] = -1
    core[:, 0] = 1
    core[rows == 0] = 1
    return core


def paley_two_rows(order: int, rows: NDArray[Any]) -> NDArray[np.int8]:
    """Return rows of the second kind, S x [[1, 1], [1, -1]] + I x [[1, -1], [-1, -1]] with S = [[0, 1], [1, Q]]."""
    half, odd = np.divmod(rows, 2)
    symmetric = _characters(order // 2 - 1, half)
    symmetric[:, 0] = 1
    symmetric[half == 0] = 1
    diagonal = np.arange(len(rows)), half
    symmetric[diagonal] = 0
    pairs = np.stack([symmetric, symmetric * (1 - 2 * odd[:, None])], axis=2).astype(np.int8)
    pairs[diagonal] = np.where(odd[:, None], [-1, -1], [1, -1])
    matrix = pairs.reshape(len(rows), order)
    # Column 1 and row 1 begin with -1; their negation makes the first row and column +1.
    matrix[:, 1] *= -1
    matrix[rows == 1] *= -1
    return matrix


def _characters(q: int, rows: NDArray[Any]) -> NDArray[np.int8]:
    """Return a column of 0, then rows of Q, whose entry (i, j) is the character of element i minus element j."""
    field, matrix = galois_field(q), np.zeros((len(rows), q + 1), np.int8)
    characters, elements = field.quadratic_character().astype(np.int8), np.maximum(rows - 1, 0)
    block = max(_BLOCK_VALUES // q, 1)
    for start in range(0, len(rows), block):
        differences = field.subtract(elements[start : start + block, None], np.arange(q))
        matrix[start : start + block, 1:] = characters[differences]
    return matrix
