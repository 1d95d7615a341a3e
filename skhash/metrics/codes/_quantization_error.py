"""Quantization error between continuous codes and their signs, for arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array

from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import CACHED
from skhash.utils import memory_batches, unwrap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def quantization_error(z: ArrayLike) -> Score:
    r"""Measure the angle between continuous codes and their signs.

    .. math:: \frac{1}{N} \sum_i (1 - \cos(z_i, \operatorname{sgn} z_i))

    Parameters
    ----------
    z : array-like of shape (n, bits)
        Continuous codes, as returned by `decision_function` of a hasher. Codes that are already binary have no error:
        -1 / +1 by the formula, integer or bool 0 / 1 by their meaning.

    Returns
    -------
    score : Score
        From 0, where all magnitudes within a code are equal, to 1; smaller is better. A code of zeros does not have a
        direction and counts 1, as in the loss.

    Raises
    ------
    ValueError
        If `z` is not two-dimensional, has no rows, or has NaN or infinite entries.
    TypeError
        If `z` is packed words.

    See Also
    --------
    skhash.losses.cosine_quantization_loss : The same for tensors, with gradients.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all: deep hashing with a single cosine similarity based learning objective".
       NeurIPS 2021.

    Examples
    --------
    >>> from skhash.metrics import quantization_error
    >>> quantization_error([[2.0, -2.0], [-0.1, 0.1]])
    0.0
    >>> round(quantization_error([[3.0, -4.0]]), 6)
    0.010051
    """
    array: Any = z
    values = check_array(unwrap(array, "z"), input_name="z")
    if values.dtype == np.uint64:
        raise TypeError("z must be continuous codes, got packed words (uint64), which do not have magnitudes.")
    binary = values.dtype.kind in "bui" and values.min() >= 0 and values.max() <= 1
    parts = memory_batches(len(values), 32 * values.shape[1], max_bytes=CACHED)
    total = 0.0 if binary else sum(_errors(values[rows]).sum() for rows in parts)
    return Score(total / len(values), "mean of 1 - cos(z, sign z)")


def _errors(z: NDArray[Any]) -> NDArray[np.float64]:
    """Compute 1 - cos(z, sign z) of each row."""
    magnitudes = np.abs(z.astype(np.float64))
    largest = magnitudes.max(axis=1, keepdims=True)
    # Relative to the largest, so that squares neither overflow nor underflow.
    magnitudes = np.divide(magnitudes, largest, out=magnitudes, where=largest > 0)
    norms = np.sqrt(z.shape[1] * np.square(magnitudes).sum(axis=1))
    cosines = np.divide(magnitudes.sum(axis=1), norms, out=np.zeros(len(z)), where=norms > 0)
    return np.maximum(1 - cosines, 0)
