"""Binary linear codes: all sums, modulo 2, of the rows of a generator matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.codes import pack_codes, unpack_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def all_words(generator: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Compute all codewords.

    Parameters
    ----------
    generator : ndarray of uint8 of shape (dimension, bits)
        Entries 0 or 1.

    Returns
    -------
    words : ndarray of uint64 of shape (2 ** dimension, n_words)
        Packed words; word i is the sum of the rows whose bits are set in i.
    """
    words = np.zeros((1, -(-generator.shape[1] // 64)), np.uint64)
    for row in pack_codes(generator.astype(bool)):
        words = np.concatenate([words, words ^ row])
    return words


def encode(messages: NDArray[np.int64], generator: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Compute the packed codewords of given messages, which are row numbers of `all_words`."""
    words = np.zeros((len(messages), -(-generator.shape[1] // 64)), np.uint64)
    for i, row in enumerate(pack_codes(generator.astype(bool))):
        words[messages >> i & 1 == 1] ^= row
    return words


def weights(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count the set bits of packed words."""
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def min_weight(generator: NDArray[np.uint8]) -> int:
    """Compute the minimum distance of a code: the smallest weight of all words except the first, which is 0."""
    return int(weights(all_words(generator))[1:].min())


def row_reduce(matrix: NDArray[np.uint8], columns: Sequence[int] | None = None) -> tuple[NDArray[np.uint8], list[int]]:
    """Transform a matrix over GF(2) to reduced echelon form.

    Parameters
    ----------
    matrix : ndarray of uint8 of shape (n_rows, n_columns)
        Entries 0 or 1.
    columns : sequence of int, default=None
        Columns in which to search pivots, in this order; None means all columns from the first on.

    Returns
    -------
    matrix : ndarray of uint8 of shape (n_rows, n_columns)
        Row i has the only 1 of column `pivots[i]`; the rows after the last pivot are 0 in `columns`.
    pivots : list of int
        Pivot columns; their number is the rank of `columns`.
    """
    matrix, pivots = matrix.copy(), []
    for column in range(matrix.shape[1]) if columns is None else columns:
        rank = len(pivots)
        ones = np.flatnonzero(matrix[:, column])
        if not len(ones) or ones[-1] < rank:
            continue
        pivot = ones[np.searchsorted(ones, rank)]  # the first 1 at or below row `rank`
        matrix[[rank, pivot]] = matrix[[pivot, rank]]
        others = np.flatnonzero(matrix[:, column])
        matrix[others[others != rank]] ^= matrix[rank]
        pivots.append(column)
    return matrix, pivots


def basis(matrix: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return independent rows with the same span as the rows of a matrix."""
    matrix, pivots = row_reduce(matrix)
    return matrix[: len(pivots)]


def random_subcode(
    generator: NDArray[np.uint8], dimension: int, random_state: np.random.RandomState
) -> NDArray[np.uint8]:
    """Draw a subcode of the given dimension, whose minimum distance is at least that of the code."""
    while True:
        mixture = random_state.randint(0, 2, size=(dimension, len(generator)), dtype=np.uint8)
        if len(row_reduce(mixture)[1]) == dimension:
            return (mixture.astype(np.int64) @ generator % 2).astype(np.uint8)


def to_centers(words: NDArray[np.uint64], bits: int) -> NDArray[np.int8]:
    """Convert packed words to centers with entries -1 and +1."""
    return 2 * unpack_codes(words, bits=bits).astype(np.int8) - 1
