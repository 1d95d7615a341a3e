"""Vectors that are kept beside the codes, one row for each code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VECTOR_DTYPES", "read_more_vectors", "read_vectors"]

VECTOR_DTYPES = np.dtype(np.int8), np.dtype(np.float16), np.dtype(np.float32)


def read_vectors(vectors: NDArray[Any] | None, n: int) -> NDArray[Any] | None:
    """Check vectors.

    Parameters
    ----------
    vectors : ndarray of int8, float16 or float32 of shape (n, n_columns), or None
        Vectors, or a memory map of them.
    n : int
        Number of codes.

    Returns
    -------
    vectors : ndarray of shape (n, n_columns), or None
        A view of the same memory.

    Raises
    ------
    TypeError, ValueError
        If it is no such array.
    """
    if vectors is None:
        return None
    if not isinstance(vectors, np.ndarray) or vectors.dtype not in VECTOR_DTYPES:
        got = f"an array of {vectors.dtype}" if isinstance(vectors, np.ndarray) else type(vectors).__name__
        raise TypeError(f"vectors must be an array of int8, float16 or float32, got {got}.")
    if vectors.ndim != 2 or len(vectors) != n or not vectors.shape[1]:
        raise ValueError(
            f"vectors must have shape (n_codes, n_columns) with one row per code and n_codes = {n}, got "
            f"{vectors.shape}."
        )
    return vectors.view(np.ndarray)


def read_more_vectors(known: NDArray[Any] | None, vectors: NDArray[Any] | None, n: int) -> NDArray[Any] | None:
    """Check the vectors of new codes against those that are known, as `read_vectors` does.

    Parameters
    ----------
    known : ndarray of shape (n_known, n_columns), or None
        The vectors before; only dtype and columns count.
    vectors : ndarray of shape (n, n_columns), or None
        The new vectors: of the same dtype and columns, and None if and only if `known` is None.
    n : int
        Number of new codes.

    Returns
    -------
    vectors : ndarray of shape (n, n_columns), or None
        A view of the same memory.
    """
    if known is None and vectors is None:
        return None
    if known is None:
        raise ValueError("vectors must not be passed: the codes before came without vectors.")
    if vectors is None:
        raise ValueError("vectors must be passed with all codes: those before came with vectors.")
    new = read_vectors(vectors, n)
    assert new is not None
    if new.dtype != known.dtype or new.shape[1] != known.shape[1]:
        raise ValueError(
            f"vectors must be like those before, {known.dtype} of {known.shape[1]} columns, got {new.dtype} of "
            f"{new.shape[1]} columns."
        )
    return new
