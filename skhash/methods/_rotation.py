"""The rotation of iterative quantization, which brings projections close to their signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_ROWS = 1024  # their projections stay in a cache from one pass over them to the next


def learn_rotation(
    V: NDArray[np.float64], rotation: NDArray[np.float64], max_iter: int
) -> tuple[NDArray[np.float64], list[float]]:
    r"""Minimize :math:`\lVert B - V R \rVert_F^2` over signs B and R with orthonormal rows, in alternation.

    Parameters
    ----------
    V : ndarray of shape (n_samples, n_axes)
        Centered projections.
    rotation : ndarray of shape (n_axes, bits)
        Initial R, with at least as many columns as rows; a rotation if it is square.
    max_iter : int
        Largest number of rounds; they end early when B no longer changes.

    Returns
    -------
    rotation : ndarray of shape (n_axes, bits)
        The last R.
    errors : list of float
        Objective divided by the number of samples, before and after every round.
    """
    sums, total = V.sum(axis=0), float(np.vdot(V, V))
    bits = np.zeros((len(V), rotation.shape[1]), bool)
    cross, _ = _quantize(V, rotation, sums, bits)
    errors = [_error(len(V), total, cross, rotation)]
    for _ in range(max_iter):
        left, _, right = np.linalg.svd(cross, full_matrices=False)
        rotation = left @ right  # the R for which V R is nearest to B: Procrustes
        cross, changed = _quantize(V, rotation, sums, bits)
        errors.append(_error(len(V), total, cross, rotation))
        if not changed:
            break
    return rotation, errors


def _quantize(
    V: NDArray[np.float64], rotation: NDArray[np.float64], sums: NDArray[np.float64], bits: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], bool]:
    """Write B of one R to `bits`, without a copy of V; return V' B and whether a bit has changed."""
    positive = np.zeros(rotation.shape)
    changed = False
    for start in range(0, len(V), _BLOCK_ROWS):
        some = slice(start, start + _BLOCK_ROWS)
        new = V[some] @ rotation >= 0
        changed = changed or not np.array_equal(new, bits[some])
        bits[some] = new
        positive += V[some].T @ new.astype(np.float64)
    return 2 * positive - sums[:, None], changed  # of signs, from those of zeros and ones


def _error(n_samples: int, total: float, cross: NDArray[np.float64], rotation: NDArray[np.float64]) -> float:
    """Compute the mean of the squared distance of B to V R: as R has orthonormal rows, V R has the norm of V."""
    return (total - 2 * float(np.vdot(cross, rotation))) / n_samples + rotation.shape[1]
