"""Whether every bit is 1 for half of the codes."""

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import bit_rows, read_codes


def bit_balance(codes, *, bits=None):
    r"""Measure how unbalanced the bits are: the mean over bits of :math:`|\operatorname{mean}_i b_{ik}|`, b -1 or +1.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.

    Returns
    -------
    score : Score
        From 0, where every bit is 1 for half of the codes, to 1, where every bit is constant; smaller is better.

    Raises
    ------
    ValueError
        If `codes` are no codes or have no rows.

    Examples
    --------
    >>> from skhash.metrics import bit_balance
    >>> bit_balance([[1, 1], [0, 1], [1, 1], [0, 0]])
    0.25
    """
    packed, bits = read_codes(codes, bits)
    means = 2 * count_ones(packed, bits) / len(packed) - 1
    return Score(np.abs(means).mean(), "mean over bits of |mean of the bit as -1/+1|")


def count_ones(packed, bits):
    """Count for each bit the codes that have it set."""
    return sum(block.sum(axis=0, dtype=np.int64) for block in bit_rows(packed, bits))
