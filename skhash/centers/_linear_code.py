"""Binary linear codes: all sums, modulo 2, of the rows of a generator matrix."""

import numpy as np

from skhash.codes import pack_codes, unpack_codes


def all_words(generator):
    """Give all codewords.

    Parameters
    ----------
    generator : ndarray of uint8 of shape (dimension, bits)
        Entries 0 or 1.

    Returns
    -------
    words : ndarray of uint64 of shape (2 ** dimension, n_words)
        Packed; word i is the sum of the rows whose bits are set in i.
    """
    words = np.zeros((1, -(-generator.shape[1] // 64)), np.uint64)
    for row in pack_codes(generator.astype(bool)):
        words = np.concatenate([words, words ^ row])
    return words


def encode(messages, generator):
    """Give some codewords, packed: those with the numbers that `all_words` counts by."""
    words = np.zeros((len(messages), -(-generator.shape[1] // 64)), np.uint64)
    for i, row in enumerate(pack_codes(generator.astype(bool))):
        words[messages >> i & 1 == 1] ^= row
    return words


def weights(words):
    """Count the set bits of packed words."""
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def min_weight(generator):
    """Give the minimum distance of a code: the smallest weight of all words but the first, which is 0."""
    return int(weights(all_words(generator))[1:].min())


def row_reduce(matrix, columns=None):
    """Bring a matrix over GF(2) to reduced echelon form.

    Parameters
    ----------
    matrix : ndarray of uint8 of shape (n_rows, n_columns)
        Entries 0 or 1.
    columns : sequence of int, default=None
        Where to look for pivots, in this order; None for all columns from the first on.

    Returns
    -------
    matrix : ndarray of uint8 of shape (n_rows, n_columns)
        Row i has the only 1 of column `pivots[i]`; further rows are 0 in `columns`.
    pivots : list of int
        As many as the rank of those columns.
    """
    matrix, pivots = matrix.copy(), []
    for column in range(matrix.shape[1]) if columns is None else columns:
        rank = len(pivots)
        ones = np.flatnonzero(matrix[:, column])
        if not len(ones) or ones[-1] < rank:
            continue
        pivot = ones[np.searchsorted(ones, rank)]
        matrix[[rank, pivot]] = matrix[[pivot, rank]]
        others = np.flatnonzero(matrix[:, column])
        matrix[others[others != rank]] ^= matrix[rank]
        pivots.append(column)
    return matrix, pivots


def basis(matrix):
    """Give independent rows that span what the rows of a matrix span."""
    matrix, pivots = row_reduce(matrix)
    return matrix[: len(pivots)]


def random_subcode(generator, dimension, random_state):
    """Draw a subcode of the given dimension, which is at least as far apart as the code."""
    while True:
        mixture = random_state.randint(0, 2, size=(dimension, len(generator)), dtype=np.uint8)
        if len(row_reduce(mixture)[1]) == dimension:
            return (mixture.astype(np.int64) @ generator % 2).astype(np.uint8)


def to_centers(words, bits):
    """Packed words as centers of entries -1 and +1."""
    return 2 * unpack_codes(words, bits=bits).astype(np.int8) - 1
