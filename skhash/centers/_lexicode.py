"""Lexicodes: the greedy code, which takes every word in turn that is far enough from all taken before.

J. H. Conway, N. J. A. Sloane, "Lexicographic codes: error-correcting codes from game theory", IEEE Transactions on
Information Theory 32, 1986: such a code is linear.
"""

import numpy as np

from skhash.centers._linear_code import weights


def lexicode(bits, distance, dimension):
    """Make a generator matrix of the lexicode.

    Parameters
    ----------
    bits : int
        Code length; 2 ** bits words are looked at.
    distance : int
        The minimum distance.
    dimension : int
        When to stop.

    Returns
    -------
    generator : ndarray of uint8 of shape (k, bits)
        k is `dimension`, or less if no more words are far enough.
    """
    everything = np.arange(2**bits, dtype=np.uint64)
    nearest, words = weights(everything[:, None]), []
    while len(words) < dimension:
        far = nearest >= distance
        if not far.any():
            break
        words.append(far.argmax())
        np.minimum(nearest, nearest[everything ^ np.uint64(words[-1])], out=nearest)
    return (np.array(words, np.int64)[:, None] >> np.arange(bits) & 1).astype(np.uint8)
