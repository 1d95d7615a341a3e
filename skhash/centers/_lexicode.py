"""Lexicodes: greedy codes, which take each word in order that is far enough from all words taken before.

J. H. Conway, N. J. A. Sloane, "Lexicographic codes: error-correcting codes from game theory", IEEE Transactions on
Information Theory 32, 1986: such a code is linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._linear_code import weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


def lexicode(bits: int, distance: int, dimension: int) -> NDArray[np.uint8]:
    """Build a generator matrix of the lexicode.

    Parameters
    ----------
    bits : int
        Code length; all 2 ** bits words are examined.
    distance : int
        Minimum distance.
    dimension : int
        Dimension at which to stop.

    Returns
    -------
    generator : ndarray of uint8 of shape (k, bits)
        The dimension k is `dimension`, or less if no more words are far enough.
    """
    everything = np.arange(2**bits, dtype=np.uint64)
    # Distance of each word from the code so far. A new word w adds the sums of w and all words of the code, whose
    # distance from a word x is the distance of x ^ w from the code.
    nearest, words = weights(everything[:, None]), []
    while len(words) < dimension:
        far = nearest >= distance
        if not far.any():
            break
        words.append(far.argmax())
        np.minimum(nearest, nearest[everything ^ np.uint64(words[-1])], out=nearest)
    return (np.array(words, np.int64)[:, None] >> np.arange(bits) & 1).astype(np.uint8)
