"""Choice of mean, axes, bits and steps from training vectors, before the first vector is encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.embedding._layout import HALF_STEPS, MAX_LEVELS, RecordLayout
from skhash.index.embedding._quantizer import Quantizer, normalize
from skhash.summaries import RunningCovariance, Sample
from skhash.utils import random_rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Statistics", "learn_quantizer"]

_ROWS = 4096
_FEW_BYTES = 64  # of a record: short ones have fields of 8 bits, others of 16
_MAX_KEPT = 4096  # vectors from which the ranges of the fields follow
_SHRINKAGE = 0.1  # of the variances towards their mean, as a multiple of dimensions by vectors


@dataclass(frozen=True, eq=False)
class Statistics:
    """Moments of training vectors, and a uniform sample of them.

    Parameters
    ----------
    moments : RunningCovariance
        Number, mean and scatter.
    sample : Sample
        The sample.
    """

    moments: RunningCovariance
    sample: Sample

    @classmethod
    def empty(cls, n_features: int, random_state: np.random.RandomState) -> Statistics:
        """Return the statistics of no vectors."""
        return cls(RunningCovariance.empty(n_features), Sample.empty(_MAX_KEPT, random_state))

    def extended(self, X: NDArray[Any], metric: str, rows: NDArray[np.int64] | None = None) -> Statistics:
        """Return the statistics of the vectors so far and of `X`, or of some rows of it, in blocks."""
        moments, sample = self.moments, self.sample
        n = len(X) if rows is None else len(rows)
        for start in range(0, n, _ROWS):
            block = X[start : start + _ROWS] if rows is None else X[rows[start : start + _ROWS]]
            block = read_finite(block)
            block = normalize(block) if metric == "cosine" else block
            moments, sample = moments.extended(block), sample.extended(block)
        return Statistics(moments, sample)


def read_finite(X: NDArray[Any]) -> NDArray[np.float32]:
    """Return vectors in single precision and C order; raise ValueError for values that are not finite then."""
    with np.errstate(over="ignore"):
        block = np.ascontiguousarray(X, np.float32)
    if np.isfinite(block).all():
        return block
    what = "NaN" if np.isnan(block).any() else "infinity or values that are too large for float32"
    raise ValueError(f"Input X contains {what}; expected finite numbers.")


def learn_quantizer(
    statistics: Statistics, metric: str, bytes_per_vector: int | None, random_state: np.random.RandomState
) -> Quantizer:
    """Choose axes, bits and steps for the vectors of which some statistics are known.

    Parameters
    ----------
    statistics : Statistics
        Statistics of at least one vector.
    metric : {"cosine", "euclidean", "inner_product"}
        What queries will ask for.
    bytes_per_vector : int or None
        Bytes of a record, a multiple of 8; None for one bit per dimension.
    random_state : RandomState instance
        Draws rotations.

    Returns
    -------
    quantizer : Quantizer
        The quantizer, with the ranges of its fields.
    """
    moments = statistics.moments
    n_features = len(moments.mean)
    n_words = -(-n_features // 64) if bytes_per_vector is None else bytes_per_vector // 8
    field_bits = 8 if 8 * n_words <= _FEW_BYTES else 16
    if 64 * n_words - 2 * field_bits >= MAX_LEVELS * n_features + 64:
        most = -(-(MAX_LEVELS * n_features + 2 * field_bits) // 64) * 8
        raise ValueError(
            f"bytes_per_vector={bytes_per_vector} is more than {n_features} features take at {MAX_LEVELS} bits each: "
            f"use at most {most}, and rescore='float32' for exact distances."
        )
    variances, axes = _principal_axes(moments)
    scale = 1.0
    if metric != "cosine":
        size = float(np.sqrt(np.square(moments.mean).sum() + variances.sum()))
        scale = 2.0 ** -np.frexp(size)[1] if size else 1.0
    variances = variances * scale**2
    shrinkage = _SHRINKAGE * n_features / (moments.n_samples + _SHRINKAGE * n_features)
    variances = (1 - shrinkage) * variances + shrinkage * variances.mean()
    layout = RecordLayout.plan(variances, n_words, field_bits)
    kept = variances[: layout.n_dims]
    deviations = np.sqrt(np.maximum(kept, 1e-12 * max(variances[0], 1e-24)))
    components, half_steps = axes[: layout.n_dims], np.empty(layout.n_dims)
    for bits in np.unique(layout.bits):
        same = layout.bits == bits
        components[same] = random_rotation(int(same.sum()), random_state) @ components[same]
        half_steps[same] = HALF_STEPS[bits] * np.sqrt(np.mean(np.square(deviations[same])))
    quantizer = Quantizer(
        metric,
        *(array.astype(np.float32) for array in (scale * moments.mean, components, half_steps)),
        length=float(np.sqrt(np.square(deviations).sum())),
        layout=layout,
        scale=float(scale),
    )
    sample = statistics.sample.rows
    assert sample is not None
    return quantizer.with_ranges(sample)


def _principal_axes(moments: RunningCovariance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances along all principal axes, in descending order, and the axes, which are a complete basis."""
    scatter = moments.scatter
    if scatter is None:
        assert moments.rows is not None
        centered = moments.rows - moments.mean
        scatter = centered.T @ centered
    variances, vectors = np.linalg.eigh(scatter / moments.n_samples)
    return np.maximum(variances[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1].T)
