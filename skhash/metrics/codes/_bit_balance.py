"""Balance of the bits: whether every bit is 1 for half of the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import bit_rows, read_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


def bit_balance(codes: CodesLike, *, bits: int | None = None, bitorder: BitOrder = "little") -> Score:
    r"""Measure how unbalanced the bits are: the mean over bits of :math:`|\operatorname{mean}_i b_{ik}|`, b -1 or +1.

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
        From 0, where every bit is 1 for half of the codes, to 1, where every bit is constant; smaller is better.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or have no rows.

    Examples
    --------
    >>> from skhash.metrics import bit_balance
    >>> bit_balance([[1, 1], [0, 1], [1, 1], [0, 0]])
    0.25
    """
    packed, bits = read_codes(codes, bits, bitorder)
    means = 2 * count_ones(packed, bits) / len(packed) - 1
    return Score(np.abs(means).mean(), "mean over bits of |mean of the bit as -1/+1|")


def count_ones(packed: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Count the codes in which each bit is 1."""
    counts = (block.sum(axis=0, dtype=np.int64) for block in bit_rows(packed, bits))
    return sum(counts, np.zeros(bits, np.int64))
