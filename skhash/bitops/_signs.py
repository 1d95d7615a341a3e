"""Signs of projections in single precision, which is twice as fast, with the same result as in double precision.

A single-precision product has a bound on its error. Where a projection is larger, its sign is certain; the others, less
than a hundredth as a rule, are computed again in double precision, one by one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["SignProjection"]

_VALUES = 2**20  # of a block: 4 MB
_MIN_ROWS, _MAX_ROWS = 16, 4096
_SLICE = 256  # features
_MOST_UNCERTAIN = 0.05  # of the values of a block: beyond it all are computed in double precision
_UNIT = 2.0**-24  # rounding error of single precision
_LARGEST_SQUARES = 1e37  # of a sample: products of its values with directions and mean stay finite
_TINY = 2.0**-120  # rounding errors of numbers below the normal ones


class SignProjection:
    """Bits of samples: 1 where `(x - mean) @ component + offset` is not negative, or zero up to rounding.

    A subclass may compute what single precision leaves open in another way, see `_find_bits` and `_find_values`.

    Parameters
    ----------
    mean : ndarray of float64 of shape (n_features,)
        Mean that is subtracted from the samples.
    components : ndarray of float64 of shape (n_components, n_features)
        Directions. Neither array may change afterwards: both are made read-only.
    offset : ndarray of float64 of shape (n_components,), default=None
        What is added to the projections; None adds nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.bitops import SignProjection
    >>> signs = SignProjection(np.array([1.0, 0.0]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> signs.bits(np.array([[0.5, 2.0], [1.0, -1.0]], np.float32))
    array([[0, 1],
           [1, 0]], dtype=uint8)
    """

    def __init__(
        self, mean: NDArray[np.float64], components: NDArray[np.float64], offset: NDArray[np.float64] | None = None
    ) -> None:
        mean.setflags(write=False)
        components.setflags(write=False)
        self.mean, self.components = mean, components
        self.offset = np.zeros(len(components)) if offset is None else offset
        n_features, lengths = len(mean), np.linalg.norm(components, axis=1)
        # Products are summed up over slices of the features, because the bound grows with their number.
        self._slices = [slice(start, start + _SLICE) for start in range(0, n_features, _SLICE)]
        directions = np.divide(components, lengths[:, None], out=np.zeros_like(components), where=lengths[:, None] > 0)
        self._directions = np.ascontiguousarray(directions.T, np.float32)
        self._mean32 = mean.astype(np.float32)
        added = np.divide(self.offset, lengths, out=self.offset.astype(np.float64), where=lengths > 0)
        self._added = added.astype(np.float32)
        self._shift = (directions @ mean - added).astype(np.float32)
        # Bounds as multiples of |x| or |x - m|, and of |m|, for directions of length 1. A sum of n rounded products has
        # an error of at most n u / (1 - n u) times the sum of their absolute values, in any order (Higham, "Accuracy
        # and stability of numerical algorithms", 2002, section 3.1), and that sum is at most the product of the
        # lengths. Samples, mean, difference and directions are rounded before, and sums of slices after; or the
        # projection of the mean, which is rounded once and subtracted last. So is the offset.
        self._by_row = (min(_SLICE, n_features) + len(self._slices) + 8) * _UNIT * 1.02
        self._by_few_rows = (n_features + 8) * _UNIT * 1.02
        farthest = float(np.linalg.norm(mean)) + float(np.abs(added).max(initial=0))
        self._far = 4 * _UNIT * farthest * 1.02 + _TINY
        self._noise = n_features * np.finfo(np.float64).eps * lengths  # per length, as in `project`

    def bits(self, X: NDArray[Any], check_finite: Callable[[NDArray[Any]], None] | None = None) -> NDArray[np.uint8]:
        """Compute the bits of samples.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Samples, of any type of numbers.
        check_finite : callable, default=None
            Raises an error for samples that are not finite. It is called for those that are too large for single
            precision, so that nobody has to look at the others. None if all are known to be finite.

        Returns
        -------
        bits : ndarray of uint8 of shape (n_samples, n_components)
            The bits.
        """
        n_samples, n_bits = len(X), len(self.components)
        if n_samples == 1 and (bits := self._certain_bits_of_one(X)) is not None:
            return bits
        bits = np.empty((n_samples, n_bits), np.uint8)
        size = min(n_samples, max(_MIN_ROWS, min(_MAX_ROWS, _VALUES // X.shape[1])))
        room = np.empty((3, size, n_bits), np.float32)  # fresh memory for each block would take longer than the sums
        centered = False
        with np.errstate(over="ignore", invalid="ignore"):  # what leaves single precision is not certain
            for start in range(0, n_samples, size):
                rows, out = X[start : start + size], bits[start : start + size]
                done = not centered and self._find_certain(rows, out, room, centered=False)
                # Far from the origin |x| is much larger than |x - m|, by which the signs are found then.
                centered = not done
                if not (done or self._find_certain(rows, out, room, centered=True)):
                    if check_finite is not None:
                        check_finite(rows)
                    out[:] = self._find_bits(rows)
        return bits

    def _find_certain(
        self, block: NDArray[Any], bits: NDArray[np.uint8], room: NDArray[np.float32], *, centered: bool
    ) -> bool:
        """Write the bits of a block by single precision, and return False if too many of them are not certain."""
        z, part, distances = room[:, : len(block)]
        rows = block.astype(np.float32, copy=False)
        if centered:
            rows = rows - self._mean32
        by_row = self._by_row
        if len(rows) <= _MIN_ROWS:  # the calls take longer than the products
            np.matmul(rows, self._directions, out=z)
            by_row = self._by_few_rows
        else:
            np.matmul(rows[:, self._slices[0]], self._directions[self._slices[0]], out=z)
            for columns in self._slices[1:]:
                z += np.matmul(rows[:, columns], self._directions[columns], out=part)
        z -= self._shift if not centered else -self._added
        error = np.sqrt(np.vecdot(rows, rows))
        error *= np.float32(by_row)
        error += np.float32(self._far)
        if not error.max() < np.inf:  # NaN included
            return False
        uncertain = np.flatnonzero(np.abs(z, out=distances) <= error[:, None])
        if len(uncertain) > _MOST_UNCERTAIN * z.size:
            return False
        np.greater_equal(z, 0, out=bits.view(bool))
        if len(uncertain):
            i, k = np.divmod(uncertain, z.shape[1])
            bits[i, k] = self._find_values(block, i, k)
        return True

    def _certain_bits_of_one(self, X: NDArray[Any]) -> NDArray[np.uint8] | None:
        """Return the bits of one sample by as few calls as possible, None if not all are certain."""
        row = X[0]
        if X.dtype != np.float32:
            with np.errstate(over="ignore"):
                row = row.astype(np.float32)
        squares = float(row @ row)
        if not squares < _LARGEST_SQUARES:  # NaN included
            return None
        z = row @ self._directions
        z -= self._shift
        if not float(np.abs(z).min()) > math.sqrt(squares) * self._by_few_rows + self._far:
            return None
        return (z >= 0).view(np.uint8)[None]

    def _find_bits(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Compute the bits of some samples in double precision."""
        exact = rows.astype(np.float64) - self.mean
        noise = np.linalg.norm(exact, axis=1)[:, None] * self._noise
        return (exact @ self.components.T + self.offset >= -noise).view(np.uint8)

    def _find_values(self, rows: NDArray[Any], i: NDArray[np.intp], k: NDArray[np.intp]) -> NDArray[Any]:
        """Compute bit `k` of sample `i` for each pair of them in double precision."""
        exact = rows[i].astype(np.float64) - self.mean
        products, lengths = np.vecdot(exact, self.components[k]), np.sqrt(np.vecdot(exact, exact))
        return products + self.offset[k] >= -self._noise[k] * lengths
