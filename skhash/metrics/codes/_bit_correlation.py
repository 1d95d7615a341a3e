"""Correlation of the bits: whether they repeat each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import bit_rows, read_codes

if TYPE_CHECKING:
    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


def bit_correlation(codes: CodesLike, *, bits: int | None = None, bitorder: BitOrder = "little") -> Score:
    """Measure how much bits repeat each other: the mean absolute correlation of two different bits.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    score : Score
        From 0, where no two bits are correlated, to 1, where all bits are copies or complements of one; smaller is
        better. 0 for codes of one bit.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or have no rows.

    Notes
    -----
    The correlation of a constant bit is not defined. Like a copy, such a bit adds nothing to the others, so it counts
    as one: its correlation with every other bit is taken to be 1. A bit that becomes constant makes the score worse.

    Examples
    --------
    >>> from skhash.metrics import bit_correlation
    >>> bit_correlation([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]])
    0.3333333333333333
    """
    packed, bits = read_codes(codes, bits, bitorder)
    n = len(packed)
    both = np.zeros((bits, bits))
    for block in bit_rows(packed, bits, bytes_per_bit=4):
        ones = block.astype(np.float32)  # exact for counts up to 2**24, and a block has fewer rows
        both += ones.T @ ones
    ones = np.diag(both)
    spread = np.sqrt(ones * (n - ones))
    products = np.outer(spread, spread)
    correlation = np.ones((bits, bits))
    np.divide(np.abs(n * both - np.outer(ones, ones)), products, out=correlation, where=products > 0)
    pairs = bits * (bits - 1)
    value = (correlation.sum() - np.trace(correlation)) / pairs if pairs else 0.0
    return Score(value, "mean |correlation| of two different bits, 1 where one of them is constant")
