"""Random rotations: a dense matrix, rows of several of them, and a rotation that costs less than a dense product.

The fast one alternates random signs and a fixed matrix, as in Andoni, Indyk, Laarhoven, Razenshteyn, Schmidt,
"Practical and optimal LSH for angular distance", NIPS 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isqrt
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.linalg import hadamard

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 3
_ROUNDS_OF_TWO_BLOCKS = 6
_CACHED_VALUES = 2**15
_SMALL_PRODUCTS = 2.0  # how much longer a multiplication takes in small matrix products than in a large one


def random_rotation(size: int, random_state: np.random.RandomState) -> NDArray[np.float64]:
    """Draw an orthogonal matrix from the uniform distribution over all of them.

    Parameters
    ----------
    size : int
        Number of rows and of columns.
    random_state : RandomState instance
        Draws `size ** 2` normal numbers.

    Returns
    -------
    rotation : ndarray of shape (size, size)
        The matrix.
    """
    return _orthonormal_columns(random_state.standard_normal((size, size)))


def random_orthonormal_rows(n_rows: int, n_features: int, random_state: np.random.RandomState) -> NDArray[np.float64]:
    """Draw directions that are orthogonal to one another, as far as there are that many.

    Parameters
    ----------
    n_rows : int
        Number of directions. Each `n_features` of them are an orthogonal matrix, independent of the others.
    n_features : int
        Dimension of the space.
    random_state : RandomState instance
        Draws `n_rows * n_features` normal numbers.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features)
        Unit vectors, each uniform over all directions.
    """
    rows = random_state.standard_normal((n_rows, n_features))
    for start in range(0, n_rows, n_features):
        basis = rows[start : start + n_features]
        basis[:] = _orthonormal_columns(basis.T).T
    return rows


def _orthonormal_columns(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    columns, upper = np.linalg.qr(normal)
    return columns * np.where(np.diag(upper) < 0, -1.0, 1.0)


@dataclass(frozen=True, eq=False)
class FastRotation:
    """A random rotation without a dense matrix, for many dimensions.

    Every round flips random signs and multiplies by a fixed orthogonal matrix, all of whose entries are about equally
    large: the Kronecker product of two small matrices, so that it takes two small products. These are Hadamard matrices
    where their order is a power of two and matrices of the Hartley transform elsewhere. Where a dimension is no product
    of two similar numbers, such as a prime, the rounds take turns at the first and at the last coordinates, as many as
    are such a product. So the rotation is orthogonal up to rounding for every dimension.

    Parameters
    ----------
    signs : ndarray of int8 of shape (n_rounds, size)
        The random signs, -1 and +1, which are all that has to be stored.

    Attributes
    ----------
    size : int
        Number of dimensions.
    shape : tuple of int
        Orders of the two small matrices.
    rounding : float
        Largest rounding error of a coordinate, as a multiple of the vector's length and the machine epsilon.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.utils import FastRotation
    >>> rotation = FastRotation.draw(768, np.random.RandomState(0))
    >>> X = np.random.default_rng(0).normal(size=(5, 768)).astype(np.float32)
    >>> rotated = rotation.apply(X)
    >>> rotated.shape, rotated.dtype, bool(np.allclose(rotated @ rotated.T, X @ X.T, rtol=1e-3, atol=1e-3))
    ((5, 768), dtype('float32'), True)
    """

    signs: NDArray[np.int8]

    @classmethod
    def draw(cls, size: int, random_state: np.random.RandomState) -> FastRotation:
        """Draw a rotation.

        Parameters
        ----------
        size : int
            Number of dimensions.
        random_state : RandomState instance
            Draws the signs.

        Returns
        -------
        rotation : FastRotation
            The rotation.
        """
        n_rounds = _ROUNDS if np.prod(_factors(size)) == size else _ROUNDS_OF_TWO_BLOCKS
        return cls((2 * random_state.randint(0, 2, (n_rounds, size)) - 1).astype(np.int8))

    @staticmethod
    def saves_time(size: int, n_rows: int) -> bool:
        """Return whether this takes less time than a product with a dense matrix.

        Parameters
        ----------
        size : int
            Number of dimensions.
        n_rows : int
            Number of rows of the dense matrix. Each `size` rows, or fewer at the end, need one rotation.

        Returns
        -------
        saves_time : bool
            An estimate, which counts multiplications.
        """
        factors = _factors(size)
        n_rounds = _ROUNDS if np.prod(factors) == size else _ROUNDS_OF_TWO_BLOCKS
        return -(-n_rows // size) * n_rounds * sum(factors) * _SMALL_PRODUCTS < n_rows

    @property
    def size(self) -> int:
        return self.signs.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return _factors(self.size)

    @property
    def rounding(self) -> float:
        # A product with an orthogonal matrix of order n, in any order of summation, is exact up to n ** 1.5 half units.
        return len(self.signs) * sum(order**1.5 for order in self.shape)

    def apply(self, X: NDArray[Any]) -> NDArray[Any]:
        """Rotate vectors.

        Parameters
        ----------
        X : ndarray of shape (n_samples, size)
            One vector a row.

        Returns
        -------
        rotated : ndarray of shape (n_samples, size)
            The rotated vectors: float32 for float32, float64 for all others. The last digits may depend on the number
            of rows, as with any matrix product.
        """
        if X.ndim != 2 or X.shape[1] != self.size:
            raise ValueError(f"X must be of shape (n_samples, {self.size}), got {X.shape}.")
        Y = np.array(X, dtype=np.float32 if X.dtype == np.float32 else np.float64, order="C")
        signs = self.signs.astype(Y.dtype)
        left, right = (_flat_orthogonal(order).astype(Y.dtype, copy=False) for order in self.shape)
        step = max(_CACHED_VALUES // self.size, 1)
        for start in range(0, len(Y), step):
            self._rotate(Y[start : start + step], signs, left, right)
        return Y

    def to_dense(self) -> NDArray[np.float64]:
        """Compute the matrix.

        Returns
        -------
        matrix : ndarray of shape (size, size)
            The matrix whose product with a vector is the rotated vector.
        """
        return np.ascontiguousarray(self.apply(np.eye(self.size)).T)

    def _rotate(self, Y: NDArray[Any], signs: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> None:
        """Rotate a few rows in place."""
        n_rows, length = len(Y), len(left) * len(right)
        for number, flips in enumerate(signs):
            Y *= flips
            block = Y[:, :length] if number % 2 == 0 else Y[:, self.size - length :]
            halfway = block.reshape(-1, len(right)) @ right  # symmetric, as `left` is
            block[:] = (left @ halfway.reshape(n_rows, len(left), len(right))).reshape(n_rows, length)


@cache
def _factors(size: int) -> tuple[int, int]:
    """Return a, b with the largest a * b <= size, where b is from a to 4 a and as small as possible."""
    for product in range(size, 0, -1):
        for a in range(isqrt(product), 0, -1):
            if product % a == 0 and product <= 4 * a * a:
                return a, product // a
    raise ValueError(f"size must be at least 1, got {size}.")


@cache
def _flat_orthogonal(order: int) -> NDArray[np.float64]:
    """Return a symmetric orthogonal matrix whose entries are at most sqrt(2 / order)."""
    if order & (order - 1) == 0:
        matrix = cast("NDArray[Any]", hadamard(order)).astype(np.float64)
    else:
        numbers = np.arange(order)
        angles = 2 * np.pi / order * (np.outer(numbers, numbers) % order)
        matrix = np.cos(angles) + np.sin(angles)
    matrix /= np.sqrt(order)
    matrix.flags.writeable = False
    return matrix
