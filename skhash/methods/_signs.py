"""Signs of projections in single precision, which is twice as fast, with the same result as in double precision.

A single-precision product has a bound on its error. Where a projection is larger, its sign is certain; the others, less
than a hundredth as a rule, are computed again in double precision, one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SignProjection"]

_VALUES = 2**18  # of a block: 1 MB
_MIN_ROWS, _MAX_ROWS = 16, 4096
_SLICE = 256  # features
_MOST_UNCERTAIN = 0.05  # of the values of a block: beyond it all are computed in double precision
_UNIT = 2.0**-24  # rounding error of single precision
_TINY = 2.0**-120  # rounding errors of numbers below the normal ones


class SignProjection:
    """Bits of samples: 1 where the projection is not negative, or zero up to rounding, as by `project`.

    Parameters
    ----------
    mean : ndarray of float64 of shape (n_features,)
        Mean that is subtracted from the samples.
    components : ndarray of float64 of shape (n_components, n_features)
        Directions. Neither array may change afterwards: both are made read-only.
    """

    def __init__(self, mean: NDArray[np.float64], components: NDArray[np.float64]) -> None:
        mean.setflags(write=False)
        components.setflags(write=False)
        self.mean, self.components = mean, components
        n_features, lengths = len(mean), np.linalg.norm(components, axis=1)
        # Products are summed up over slices of the features, because the bound grows with their number.
        self._slices = [slice(start, start + _SLICE) for start in range(0, n_features, _SLICE)]
        directions = np.divide(components, lengths[:, None], out=np.zeros_like(components), where=lengths[:, None] > 0)
        self._directions = np.ascontiguousarray(directions.T, np.float32)
        self._mean32 = mean.astype(np.float32)
        # Bounds as multiples of |x - m| and of |m|, for directions of length 1. A sum of n rounded products has an
        # error of at most n u / (1 - n u) times the sum of their absolute values, in any order (Higham, "Accuracy and
        # stability of numerical algorithms", 2002, section 3.1), and that sum is at most the product of the lengths.
        # Samples, mean, difference and directions are rounded before, and sums of slices after.
        self._by_row = np.float32((min(_SLICE, n_features) + len(self._slices) + 8) * _UNIT * 1.02)
        self._by_few_rows = np.float32((n_features + 8) * _UNIT * 1.02)
        self._far = np.float32(4 * _UNIT * float(np.linalg.norm(mean)) * 1.02 + _TINY)
        self._noise = n_features * np.finfo(np.float64).eps * lengths  # per length, as in `project`

    def blocks(self, X: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
        """Yield the bits of samples, block by block.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Samples, of any type of numbers.

        Yields
        ------
        bits : ndarray of uint8 of shape (rows, n_components)
            The bits.
        """
        size = max(_MIN_ROWS, min(_MAX_ROWS, _VALUES // X.shape[1]))
        for start in range(0, len(X), size):
            yield self._bits(X[start : start + size])

    def _bits(self, block: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the bits of a block."""
        with np.errstate(over="ignore", invalid="ignore"):  # what leaves single precision is not certain
            rows = block - self._mean32 if block.dtype == np.float32 else block.astype(np.float32) - self._mean32
            by_row = self._by_row
            if len(rows) <= _MIN_ROWS:  # the calls take longer than the products
                z, by_row = rows @ self._directions, self._by_few_rows
            else:
                z = rows[:, self._slices[0]] @ self._directions[self._slices[0]]
                for part in self._slices[1:]:
                    z += rows[:, part] @ self._directions[part]
            error = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * by_row + self._far
            uncertain = np.flatnonzero(~(np.abs(z) > error[:, None]))  # NaN included
        bits = (z >= 0).view(np.uint8)
        if len(uncertain) > _MOST_UNCERTAIN * z.size:
            exact = block.astype(np.float64) - self.mean
            return self._are_positive(exact @ self.components.T, exact)
        if len(uncertain):
            i, k = np.divmod(uncertain, z.shape[1])
            exact = block[i].astype(np.float64) - self.mean
            products = np.einsum("ij,ij->i", exact, self.components[k])
            bits[i, k] = products >= -self._noise[k] * np.linalg.norm(exact, axis=1)
        return bits

    def _are_positive(self, z: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return 1 for projections that are not negative by more than rounding errors."""
        return (z >= -np.linalg.norm(rows, axis=1)[:, None] * self._noise).view(np.uint8)
