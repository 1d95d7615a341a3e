"""Continuous queries as planes of bits, for `nearest_by_score`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import N_CONSTANTS, BitRun, RecordForm, kernel
from skhash.index.scan._scores import MAX_DISTANCE, ScoreQueries, nearest_by_score
from skhash.utils import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["code_form", "code_queries", "nearest_codes", "pack_planes", "quantize"]

_SHARES = read_only(np.geomspace(0.15, 1.0, 24))  # of the largest element: which of them divide it best is tried
_LARGEST = read_only(np.ones(1))
_ELEMENTS = 2**18  # at once
_QUERIES = 2**12  # at once


@kernel
def _quantize_rows(Z, half, shares, levels, steps):
    """Round rows to odd multiples of a step: `shares` of the largest element are what the largest level may stand for.

    Sums run over the elements in order, so that a row gets the same numbers alone and among others.
    """
    unit = np.empty(Z.shape[1])
    for i in range(len(Z)):
        largest = 0.0
        for j in range(len(unit)):
            largest = max(largest, abs(Z[i, j]))
        steps[i], best, chosen = 0.0, -1.0, 1.0
        for j in range(len(unit)):
            levels[i, j], unit[j] = 1, 0.0
            if Z[i, j] < 0.0:
                unit[j] = min(Z[i, j] / largest, -1e-300)  # keeps its sign, however small
            elif largest > 0.0:
                unit[j] = Z[i, j] / largest
        if largest == 0.0:
            continue
        for share in shares:
            scale, products, squares = half / (2.0 * share), 0.0, 0.0
            for j in range(len(unit)):
                level = min(max(2.0 * np.floor(unit[j] * scale) + 1.0, -half), half)
                products += level * unit[j]
                squares += level * level
            # The step of least squares for these levels is products / squares, and this is by how much it helps.
            gain = products * products / squares
            if gain > best:
                best, chosen, steps[i] = gain, scale, products / squares * largest
        for j in range(len(unit)):
            levels[i, j] = np.int32(min(max(2.0 * np.floor(unit[j] * chosen) + 1.0, -half), half))


def quantize(Z: NDArray[np.floating], n_planes: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Round the rows of a matrix to odd multiples of a step each: the least squares among some steps.

    Parameters
    ----------
    Z : ndarray of float of shape (n, n_dims)
        Finite numbers.
    n_planes : int
        Bits per element, 1 to 8.

    Returns
    -------
    levels : ndarray of int32 of shape (n, n_dims)
        Odd integers from `1 - 2**n_planes` to `2**n_planes - 1`, with the signs of `Z`; positive for zeros.
    steps : ndarray of float64 of shape (n,)
        `steps[:, None] * levels` is nearly `Z`; 0 for rows of zeros.
    """
    levels, steps = np.empty(Z.shape, np.int32), np.zeros(len(Z))
    shares = _SHARES if n_planes > 1 else _LARGEST
    rows = max(1, _ELEMENTS // max(1, Z.shape[1]))
    for start in range(0, len(Z), rows):
        part = slice(start, start + rows)
        z = read_only(np.ascontiguousarray(Z[part], np.float64))
        _quantize_rows(z, 2.0**n_planes - 1.0, shares, levels[part], steps[part])
    return levels, steps


@kernel
def _pack_rows(levels, half, n_planes, element_of_bit, words):
    """Set the bits of the planes of each row, which are zeros at first."""
    for i in range(len(levels)):
        for position in range(len(element_of_bit)):
            element = element_of_bit[position]
            if element < 0:
                continue
            number, first = (levels[i, element] + half) >> 1, (position >> 6) * n_planes
            for p in range(n_planes):
                words[i, first + p] |= np.uint64((number >> p) & 1) << np.uint64(position & 63)


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
    _pack_rows(levels, 2**n_planes - 1, n_planes, element_of_bit, words)
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
    steps, least : ndarray of float64 of shape (n,)
        `steps * (distance - least)` is the sum of `abs(z)` over the elements whose sign is not that of the code, for
        the quantized `z`: a Hamming distance that counts each bit by how sure the query is of it. Rounded down for
        codes of more than `2**23 / (2**n_planes - 1)` bits.
    """
    levels, steps = quantize(Z, n_planes)
    bits, n_words, half = Z.shape[1], -(-Z.shape[1] // 64), 2**n_planes - 1
    words = pack_planes(levels, n_planes, np.arange(bits), n_words)
    # Distances are at most `bits * half`; the shift is 0 but for enormous codes, and drops all of it for queries of
    # zeros, from which all codes are equally far.
    shift = max(0, (bits * half).bit_length() - MAX_DISTANCE.bit_length() + 1)
    words[:, -1] = np.where(steps > 0, shift, 63)
    # The weighted distance counts each element (half - level * sign) / 2 times; of this no code can avoid the least.
    least = (half - np.abs(levels)).sum(axis=1) // 2
    return ScoreQueries(words, code_form(bits), n_planes), steps * 2.0**shift, least * 2.0**-shift


def nearest_codes(
    codes: NDArray[np.uint64],
    Z: NDArray[np.floating],
    n_planes: int,
    k: int,
    n_jobs: int | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the `k` hash codes from which continuous codes differ least, see `code_queries`.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes, C-contiguous; `n >= k`.
    Z : ndarray of float of shape (n_queries, bits)
        Continuous codes.
    n_planes : int
        Bits per element to which they are rounded.
    k : int
        Number of neighbors.
    n_jobs : int, default=None
        Number of threads.
    allowed : ndarray of bool of shape (n,), default=None
        Mask of the codes that may be found, at least `k`; None for all.

    Returns
    -------
    distances, rows : ndarray of float64 and of int64 of shape (n_queries, k)
        Ordered by (distance, row).
    """
    distances, rows = np.empty((len(Z), k)), np.empty((len(Z), k), np.int64)
    for start in range(0, len(Z), _QUERIES):
        part = slice(start, start + _QUERIES)
        queries, steps, least = code_queries(Z[part], n_planes)
        found, rows[part] = nearest_by_score(codes, queries, k, n_jobs, allowed=allowed)
        distances[part] = np.maximum(found - least[:, None], 0) * steps[:, None]
    return distances, rows
