"""Number, mean and scatter of blocks of samples, added up in place.

Blocks are merged as in Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
variances", 1979: each is centered, so that a large mean does not cost digits of the scatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.linalg import get_blas_funcs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_PART = 256  # rows that stay in the cache
_multiply_by_itself = cast("Callable[..., Any]", get_blas_funcs("syrk", dtype=np.float32))
_multiply = cast("Callable[..., Any]", get_blas_funcs("gemm", dtype=np.float64))


@dataclass(eq=False)
class Sums:
    """Number, mean and scatter of samples.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    mean : ndarray of float64 of shape (n_features,)
        Mean; it is replaced, not changed.
    scatter : ndarray of float64 of shape (n_features, n_features)
        Sum of outer products of centered samples, in C order; it is changed in place. After `add_single`, only the
        upper triangle counts.
    """

    n_samples: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def empty(cls, n_features: int) -> Sums:
        """Return the sums of no samples."""
        return cls(0, np.zeros(n_features), np.zeros((n_features, n_features)))

    def add(self, block: NDArray[np.float64]) -> None:
        """Add samples in double precision; they are centered in place."""
        block_mean = center(block)
        self.scatter += block.T @ block
        self._merge(len(block), block_mean - self.mean)

    def add_single(self, block: NDArray[Any], limit: float) -> bool:
        """Add samples whose products are summed up in single precision.

        Parameters
        ----------
        block : ndarray of shape (n_rows, n_features)
            Samples that are exact in single precision.
        limit : float
            Largest mean square of the samples less the mean so far (of the block's own mean, before there is one).

        Returns
        -------
        added : bool
            Whether the block kept the limit. Otherwise, nothing was added.
        """
        # The difference of two numbers in single precision has one rounding error, however large they are.
        origin = self.mean if self.n_samples else block.mean(axis=0, dtype=np.float64)
        shift, n_features = origin.astype(np.float32), len(origin)
        near, ones, total = np.empty((_PART, n_features), np.float32), np.ones(_PART, np.float32), np.zeros(n_features)
        products = np.zeros((n_features, n_features), np.float32, order="F")
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(block), _PART):
                rows = block[start : start + _PART]
                part = np.subtract(rows, shift, out=near[: len(rows)], dtype=np.float32)
                total += ones[: len(rows)] @ part
                products = _multiply_by_itself(1.0, part.T, beta=1.0, c=products, lower=True, overwrite_c=True)
            square = float(np.trace(products, dtype=np.float64)) / len(block)
        if not square <= limit:  # not a number after overflow
            return False
        rest = total / len(block)
        self.scatter += products.T
        self._merge(len(block), shift + rest - self.mean, rest)
        return True

    def _merge(self, n_rows: int, shift: NDArray[np.float64], rest: NDArray[np.float64] | None = None) -> None:
        """Move the mean to that of `n_rows` more samples.

        Their mean differs by `shift` from the mean so far, and by `rest` from what was subtracted from them.
        """
        share = n_rows / (self.n_samples + n_rows)
        if rest is None:
            self.scatter += np.outer(self.n_samples * share * shift, shift)
        else:
            left, right = np.stack([self.n_samples * share * shift, -n_rows * rest]), np.stack([shift, rest])
            _multiply(1.0, left.T, right.T, trans_b=True, beta=1.0, c=self.scatter.T, overwrite_c=True)
        self.mean = self.mean + share * shift
        self.n_samples += n_rows


def center(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean in place and return it; twice, because the first mean has the rounding error of a long sum."""
    mean = block.mean(axis=0)
    block -= mean
    rest = block.mean(axis=0)
    block -= rest
    return mean + rest
