"""Continuous queries as planes of bits, for `nearest_by_score`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from skhash.bitops import N_CONSTANTS, BitRun, RecordForm
from skhash.index.scan import _query_kernels
from skhash.index.scan._scores import MAX_DISTANCE, ScoreQueries
from skhash.utils import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["code_form", "code_queries", "pack_planes", "quantize"]

_SHARES = np.geomspace(0.15, 1.0, 24)  # of the largest element: which of them the largest level stands for is tried


def quantize(Z: NDArray[np.floating], n_planes: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Round the rows of a matrix to multiples of a step each: the least squares among some steps.

    Parameters
    ----------
    Z : ndarray of float of shape (n, n_dims)
        Finite numbers.
    n_planes : int
        Bits per element, 1 to 8.

    Returns
    -------
    levels : ndarray of int32 of shape (n, n_dims)
        Odd integers from `1 - 2**n_planes` to `2**n_planes - 1`.
    steps : ndarray of float64 of shape (n,)
        `steps[:, None] * levels` is nearly `Z`; 0 for rows of zeros.
    """
    levels, steps = np.empty(Z.shape, np.int32), np.empty(len(Z))
    call = cast("Callable[..., None]", _query_kernels.quantize_rows)
    rows = np.ascontiguousarray(Z, np.float64)
    call(read_only(rows), _SHARES if n_planes > 1 else _SHARES[-1:], 2**n_planes - 1, levels, steps)
    return levels, steps


def pack_planes(
    levels: NDArray[np.int32], n_planes: int, element_of_bit: NDArray[np.int64], n_words: int
) -> NDArray[np.uint64]:
    """Pack quantized queries as the planes that a form of record needs.

    Parameters
    ----------
    levels : ndarray of int32 of shape (n, n_dims)
        From `quantize`.
    n_planes : int
        Bits per element.
    element_of_bit : ndarray of int64 of shape (n_bits,)
        The element to which each bit of a record belongs; -1 for bits that are not of the code.
    n_words : int
        Words of a record.

    Returns
    -------
    words : ndarray of uint64 of shape (n, n_words * n_planes + N_CONSTANTS)
        For each word its planes; the constants are zero.
    """
    words = np.zeros((len(levels), n_words * n_planes + N_CONSTANTS), np.uint64)
    call = cast("Callable[..., None]", _query_kernels.pack_rows)
    call(levels, 2**n_planes - 1, n_planes, element_of_bit, words)
    return words


def code_form(bits: int) -> RecordForm:
    """Return the form of plain hash codes, of one bit per element."""
    n_words = -(-bits // 64)
    return RecordForm(n_words, (BitRun(0, 0, n_words, 2**64 - 1),))


def code_queries(
    Z: NDArray[np.floating], n_planes: int
) -> tuple[ScoreQueries, NDArray[np.float64], NDArray[np.float64]]:
    """Quantize continuous codes as queries for hash codes of the same length.

    Parameters
    ----------
    Z : ndarray of float of shape (n, bits)
        Continuous codes, whose signs are bits.
    n_planes : int
        Bits per element.

    Returns
    -------
    queries : ScoreQueries
        Queries whose distances are integers.
    steps, offsets : ndarray of float64 of shape (n,)
        `steps * distance + offsets` is the sum of `abs(z)` over the elements whose sign is not that of the code, for
        the quantized `z`: a Hamming distance that counts each bit by how sure the query is of it.
    """
    levels, steps = quantize(Z, n_planes)
    bits, n_words = Z.shape[1], -(-Z.shape[1] // 64)
    words = pack_planes(levels, n_planes, np.arange(bits), n_words)
    # Distances to any code are at most `bits * (2**n_planes - 1)`; the shift is 0 but for enormous codes.
    shift = max(0, (bits * (2**n_planes - 1)).bit_length() - MAX_DISTANCE.bit_length() + 1)
    words[:, -1] = shift
    # The part of the sum over bits of (half - level * sign) / 2 that no code can avoid goes.
    least = ((2**n_planes - 1) - np.abs(levels)).sum(axis=1) / 2
    return ScoreQueries(words, code_form(bits), n_planes), steps * 2.0**shift, -least * steps
