"""The rotation of iterative quantization, which brings projections close to their signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_ROWS = 4096


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
    bits, cross, error = _quantize(V, rotation)
    errors = [error]
    for _ in range(max_iter):
        left, _, right = np.linalg.svd(cross, full_matrices=False)
        rotation = left @ right  # the R for which V R is nearest to B: Procrustes
        previous = bits
        bits, cross, error = _quantize(V, rotation)
        errors.append(error)
        if np.array_equal(bits, previous):
            break
    return rotation, errors


def _quantize(
    V: NDArray[np.float64], rotation: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float]:
    """Compute B (as bool), V' B and the error for one R, without a copy of V."""
    bits = np.empty((len(V), rotation.shape[1]), bool)
    cross = np.zeros(rotation.shape)
    error = 0.0
    for start in range(0, len(V), _BLOCK_ROWS):
        some = slice(start, start + _BLOCK_ROWS)
        projected = V[some] @ rotation
        bits[some] = projected >= 0
        cross += V[some].T @ np.where(bits[some], 1.0, -1.0)
        error += float(np.sum((np.abs(projected) - 1) ** 2))
    return bits, cross, error / len(V)
