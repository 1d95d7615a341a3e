"""Grids of cells for codes of any length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells of a reduced image, each of which becomes a bit.

    Parameters
    ----------
    rows, columns : int
        Size of the grid.
    kept : ndarray of int64 of shape (bits,)
        Numbers of the cells that become bits, row by row; all of them if `rows * columns` is the number of bits.
    """

    rows: int
    columns: int
    kept: NDArray[np.int64]

    @property
    def is_full(self) -> bool:
        """Whether every cell becomes a bit."""
        return len(self.kept) == self.rows * self.columns

    def take(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the cells that become bits.

        Parameters
        ----------
        cells : ndarray of shape (rows, columns)
            A value for each cell.

        Returns
        -------
        values : ndarray of shape (bits,)
            The values.
        """
        return cells.ravel() if self.is_full else cells.ravel()[self.kept]


@lru_cache(maxsize=256)
def central_grid(bits: int) -> Grid:
    """Return the most nearly square grid that has as many cells as bits.

    Where it is more than twice as wide as high, the next larger square is taken without the cells that are farthest
    from its center.

    Parameters
    ----------
    bits : int
        Code length.

    Returns
    -------
    grid : Grid
        The grid; 8 x 8 for 64 bits, 8 rows of 16 for 128.
    """
    rows = max(rows for rows in range(1, isqrt(bits) + 1) if bits % rows == 0)
    columns = bits // rows
    if columns <= 2 * rows:
        return Grid(rows, columns, np.arange(bits))
    return _without_corners(_side_of_next_square(bits), bits)


@lru_cache(maxsize=256)
def binary_grid(bits: int) -> Grid:
    """Return a grid whose height and width are powers of two.

    Parameters
    ----------
    bits : int
        Code length. Where it is no power of two, the next power of four is taken without the cells that are farthest
        from the center.

    Returns
    -------
    grid : Grid
        The grid.
    """
    exponent = (bits - 1).bit_length()
    if bits == 1 << exponent:
        rows = 1 << exponent // 2
        return Grid(rows, bits // rows, np.arange(bits))
    return _without_corners(1 << (exponent + 1) // 2, bits)


@lru_cache(maxsize=256)
def frequency_grid(bits: int) -> Grid:
    """Return a square of frequencies.

    Parameters
    ----------
    bits : int
        Code length. Where it is no square number, the lowest frequencies of the next larger square are kept: those with
        the smallest sum of row and column, the smaller row first.

    Returns
    -------
    grid : Grid
        The grid.
    """
    side = _side_of_next_square(bits)
    row, column = np.divmod(np.arange(side * side), side)
    lowest = np.lexsort((row, row + column))[:bits]
    return Grid(side, side, np.sort(lowest))


def _side_of_next_square(bits: int) -> int:
    return isqrt(bits - 1) + 1


def _without_corners(side: int, bits: int) -> Grid:
    """Return a square grid without the cells farthest from its center; of equally far ones, the last are dropped."""
    row, column = np.divmod(np.arange(side * side), side)
    distance = (2 * row - side + 1) ** 2 + (2 * column - side + 1) ** 2
    return Grid(side, side, np.sort(np.argsort(distance, kind="stable")[:bits]))
