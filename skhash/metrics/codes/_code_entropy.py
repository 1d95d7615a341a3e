"""Entropy of whole codes and of single bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from skhash.metrics._score import Score
from skhash.metrics.codes._bit_balance import count_ones
from skhash.metrics.codes._code_reading import number_groups, read_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


def code_entropy(codes: CodesLike, *, bits: int | None = None, bitorder: BitOrder = "little") -> Score:
    r"""Compute the entropy of whole codes, in bits: :math:`-\sum_c p_c \log_2 p_c` over the distinct codes c.

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
        From 0, where all codes are equal, to `min(bits, log2(n))`, where all are distinct or all possible codes occur
        equally often. The shares :math:`p_c` are those of the sample, so few samples say little about many bits.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or have no rows.

    See Also
    --------
    bit_entropy : The same for single bits.
    collision_rate : How often two samples have the same code.

    Examples
    --------
    >>> from skhash.metrics import code_entropy
    >>> code_entropy([[0, 0], [0, 1], [1, 0], [1, 0]])
    1.5
    """
    packed, bits = read_codes(codes, bits, bitorder)
    shares = np.bincount(number_groups(packed)) / len(packed)
    return Score(_bits(shares).sum(), "entropy of whole codes, in bits")


def bit_entropy(codes: CodesLike, *, bits: int | None = None, bitorder: BitOrder = "little") -> Score:
    """Compute the mean entropy of the single bits.

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
        In bits: from 0, where every bit is constant, to 1, where every bit is 1 for half of the codes.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or have no rows.

    See Also
    --------
    code_entropy : The same for whole codes; at most `bits` times as large.
    bit_balance : Another measure of how often bits are 1.

    Examples
    --------
    >>> from skhash.metrics import bit_entropy
    >>> bit_entropy([[0, 1], [1, 1]])
    0.5
    """
    packed, bits = read_codes(codes, bits, bitorder)
    shares = count_ones(packed, bits) / len(packed)
    return Score((_bits(shares) + _bits(1 - shares)).mean(), "mean entropy of a bit, in bits")


def _bits(shares) -> NDArray[np.float64]:
    """Compute the term of each share in an entropy, in bits."""
    return entr(shares) / np.log(2)
