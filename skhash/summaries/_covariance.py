"""Mean and covariance of samples that come in chunks, exact up to rounding for any number of samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh

from skhash.summaries._blocks import double_blocks
from skhash.summaries._sums import Sums, center

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RunningMean:
    """Number and mean of the samples so far.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    mean : ndarray of float64 of shape (n_features,)
        Mean.
    """

    n_samples: int
    mean: NDArray[np.float64]

    @classmethod
    def empty(cls, n_features: int) -> RunningMean:
        """Return the mean of no samples."""
        return cls(0, np.zeros(n_features))

    def extended(self, X: NDArray[Any]) -> RunningMean:
        """Return the mean of the samples so far and of `X`."""
        n_samples, mean = self.n_samples, self.mean
        for block in double_blocks(X):
            n_samples += len(block)
            mean = mean + (block.mean(axis=0) - mean) * (len(block) / n_samples)
        return RunningMean(n_samples, mean)


@dataclass(frozen=True, eq=False)
class RunningCovariance:
    """Number, mean and scatter of the samples so far.

    While there are not more samples than features, the samples themselves are kept (`rows`). They need less memory than
    their scatter, the sum of outer products of centered samples.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    mean : ndarray of float64 of shape (n_features,)
        Mean.
    rows : ndarray of float64 of shape (n_samples, n_features), default=None
        The samples, as long as there are few.
    scatter : ndarray of float64 of shape (n_features, n_features), default=None
        Scatter, once there are more samples than features.
    """

    n_samples: int
    mean: NDArray[np.float64]
    rows: NDArray[np.float64] | None = None
    scatter: NDArray[np.float64] | None = None

    @classmethod
    def empty(cls, n_features: int) -> RunningCovariance:
        """Return the covariance of no samples."""
        return cls(0, np.zeros(n_features), rows=np.zeros((0, n_features)))

    def extended(self, X: NDArray[Any]) -> RunningCovariance:
        """Return the covariance of the samples so far and of `X`."""
        n_features = len(self.mean)
        if self.n_samples + len(X) <= n_features:
            rows = np.concatenate([self._kept_rows(), X], dtype=np.float64)
            return RunningCovariance(len(rows), rows.mean(axis=0), rows=rows)
        if self.scatter is None:
            sums, blocks = Sums.empty(n_features), chain(double_blocks(self._kept_rows()), double_blocks(X))
        else:
            sums, blocks = Sums(self.n_samples, self.mean, self.scatter.copy()), double_blocks(X)
        for block in blocks:
            sums.add(block)
        return RunningCovariance(sums.n_samples, sums.mean, scatter=sums.scatter)

    def _kept_rows(self) -> NDArray[np.float64]:
        assert self.rows is not None  # without `scatter`
        return self.rows

    def principal_axes(self, n_axes: int) -> NDArray[np.float64]:
        """Compute the directions of largest variance.

        Parameters
        ----------
        n_axes : int
            Number of directions, at most the number of features.

        Returns
        -------
        axes : ndarray of shape (n_axes, n_features)
            Orthonormal rows by decreasing variance, the largest entry of each positive. A row is zero if the variance
            of the samples along it is not larger than rounding errors: its direction would be random.
        """
        n_features = len(self.mean)
        axes = np.zeros((n_axes, n_features))
        matrix, centered = self.scatter, None
        if matrix is None:
            centered = self._kept_rows().copy()
            center(centered)
            matrix = centered @ centered.T
        size = len(matrix)
        found = min(n_axes, size)
        variances, vectors = eigh(matrix, subset_by_index=[size - found, size - 1])
        variances, vectors = variances[::-1], vectors[:, ::-1]
        if centered is not None:
            vectors, _ = np.linalg.qr(centered.T @ vectors)
        eps = np.finfo(np.float64).eps
        of_sums = max(n_features, 100) * eps * variances[0]
        of_the_mean = self.n_samples * (8 * eps * np.linalg.norm(self.mean)) ** 2
        axes[:found] = vectors.T * (variances > max(of_sums, of_the_mean))[:, None]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        return np.where(largest < 0, -axes, axes)
