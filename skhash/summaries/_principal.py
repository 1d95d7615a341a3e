"""Covariance of many samples for their principal axes, in single precision where that is enough.

The sums take nearly all the time of a PCA, and take half as long in single precision. Three things keep the digits. The
mean so far is subtracted before anything is rounded. Only the sums within a block are in single precision. And so they
are only if the first samples say that every wanted axis has a variance far above rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.summaries._blocks import double_blocks, rows_per_block
from skhash.summaries._covariance import RunningCovariance
from skhash.summaries._sums import Sums, center

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURES = range(256, 2049)  # few have little to save, and blocks of many would be large
_SAMPLES_PER_AXIS, _MIN_SAMPLES = 4, 256
_MIN_RATIO = 1e-3  # of the variances along the last wanted axis and the first
_MAX_GROWTH = 16.0  # of the mean square of a block
_SAFE_SQUARES = (1e-20, 1e20)  # of a feature: far from underflow and overflow


@dataclass(frozen=True, eq=False)
class PrincipalCovariance:
    """Covariance of the samples so far, for a number of leading principal axes.

    In single precision, sums depend on how samples are cut into blocks, by more than signs bear. So blocks begin at
    fixed samples, however these come, and samples that do not fill a block wait for the next ones. Before the first
    block is full, and for input in double precision, this is a `RunningCovariance`.

    Parameters
    ----------
    n_axes : int
        Number of wanted axes.
    total : RunningCovariance
        Moments of all samples.
    whole : RunningCovariance, default=None
        Moments of the samples in whole blocks, of whose scatter the upper triangle counts; None before the first.
    waiting : ndarray of shape (n_waiting, n_features), default=None
        The other samples, in the precision of the input.
    limit : float, default=None
        Largest mean square of the samples of a block, less the mean so far, for single precision. Infinite before the
        first whole block; None for double precision throughout.
    """

    n_axes: int
    total: RunningCovariance
    whole: RunningCovariance | None = None
    waiting: NDArray[Any] | None = None
    limit: float | None = None

    @classmethod
    def empty(cls, n_features: int, n_axes: int) -> PrincipalCovariance:
        """Return the covariance of no samples."""
        single = n_features in _FEATURES and _n_samples_to_try(n_axes) <= _rows(n_features)
        return cls(n_axes, RunningCovariance.empty(n_features), limit=np.inf if single else None)

    @property
    def n_samples(self) -> int:
        """Number of samples so far."""
        return self.total.n_samples

    @property
    def mean(self) -> NDArray[np.float64]:
        """Their mean."""
        return self.total.mean

    def extended(self, X: NDArray[Any]) -> PrincipalCovariance:
        """Return the covariance of the samples so far and of `X`."""
        waiting = X[:0] if self.waiting is None else self.waiting
        n_rows = _rows(X.shape[1])
        if self.limit is None or (self.whole is None and not _is_single(X)):
            return self._extended_in_double(X)
        if self.whole is None and len(waiting) + len(X) < n_rows:
            return replace(self, total=self.total.extended(X), waiting=np.concatenate([waiting, X]))
        limit, start = self.limit, 0
        sums = Sums.empty(X.shape[1]) if self.whole is None else _sums_of(self.whole)
        while len(waiting) + len(X) - start >= n_rows:
            stop = start + n_rows - len(waiting)
            block = np.concatenate([waiting, X[start:stop]]) if len(waiting) else X[start:stop]
            if limit == np.inf:
                limit = _find_limit(block, self.n_axes)
                if limit is None:
                    return self._extended_in_double(X)
            _add(sums, block, limit)
            waiting, start = X[:0], stop
        whole = RunningCovariance(sums.n_samples, sums.mean, scatter=sums.scatter)
        waiting = np.concatenate([waiting, X[start:]])
        total = _sums_of(whole)
        if len(waiting):
            _add(total, waiting, limit)
        upper = np.triu(total.scatter)
        total = RunningCovariance(total.n_samples, total.mean, scatter=upper + np.triu(upper, 1).T)
        return replace(self, total=total, whole=whole, waiting=waiting, limit=limit)

    def _extended_in_double(self, X: NDArray[Any]) -> PrincipalCovariance:
        return PrincipalCovariance(self.n_axes, self.total.extended(X))

    def principal_axes(self, n_axes: int) -> NDArray[np.float64]:
        """Compute the directions of largest variance, see `RunningCovariance.principal_axes`."""
        return self.total.principal_axes(n_axes)


def _rows(n_features: int) -> int:
    """Return the number of rows of a block: more than features, so that a scatter needs no more memory."""
    return max(2 * rows_per_block(n_features), n_features + 1)


def _is_single(X: NDArray[Any]) -> bool:
    return np.can_cast(X.dtype, np.float32, "safe")


def _sums_of(moments: RunningCovariance) -> Sums:
    assert moments.scatter is not None  # a block has more samples than features
    return Sums(moments.n_samples, moments.mean, moments.scatter.copy())


def _add(sums: Sums, block: NDArray[Any], limit: float) -> None:
    """Add a block, in double precision if single precision could cost axes of the others."""
    if not (_is_single(block) and sums.add_single(block, limit)):
        for part in double_blocks(block):
            sums.add(part)


def _n_samples_to_try(n_axes: int) -> int:
    return max(_SAMPLES_PER_AXIS * n_axes, _MIN_SAMPLES)


def _find_limit(block: NDArray[Any], n_axes: int) -> float | None:
    """Return the limit of `Sums.add_single` by the first block, None if axes need double precision."""
    # A sample spreads variances wider than they are, so this errs on the side of double precision.
    sample = block[:: len(block) // _n_samples_to_try(n_axes)].astype(np.float64)
    center(sample)
    variances = np.linalg.eigvalsh(sample @ sample.T / len(sample))
    square = float(variances.sum())
    lowest, highest = _SAFE_SQUARES
    if variances[-n_axes] < _MIN_RATIO * variances[-1] or not lowest < square / block.shape[1] < highest:
        return None
    return _MAX_GROWTH * square
