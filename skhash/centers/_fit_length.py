"""Linear codes of any length, from others.

Shortening keeps the words that are 0 in a column and leaves the column out: half of the words, the same distance.
Puncturing leaves a column out of all words: the distance falls by one at most. Lengthening adds a column.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skhash.centers._linear_code import all_words, min_weight, row_reduce, weights
from skhash.codes import unpack_codes

_MAX_BITS_HELD = 2**22  # of all words of a code, beyond which they are not looked at
_MOST_TRIED = 6
_COLUMNS_TRIED = 64


class Code(NamedTuple):
    """What is known of a linear code before its generator matrix is made."""

    bits: int
    dimension: int
    distance: int  # or a lower bound of it
    make: Callable  # gives the generator matrix, ndarray of uint8 of shape (dimension, bits)


def best_fit(codes, bits, dimension):
    """Shorten, puncture or lengthen codes to `bits` columns and at least 2 ** `dimension` words; choose the best.

    Parameters
    ----------
    codes : iterable of Code
        What there is to choose from.
    bits, dimension : int
        What is needed.

    Returns
    -------
    generator : ndarray of uint8 of shape (k, bits)
        Of the largest minimum distance among the six that promise most; a code of too many words to find out counts
        by what it promises. None if no code has so many words.
    """
    promises = []
    for code in codes:
        if code.dimension >= dimension:
            shortened = max(0, min(code.dimension - dimension, code.bits - bits))
            punctured = max(0, code.bits - bits - shortened)
            promises.append((code.distance - punctured, shortened, code))
    promises.sort(key=lambda promise: -promise[0])
    best, best_distance = None, -1
    for distance, shortened, code in promises[:_MOST_TRIED]:
        known = 2 ** (code.dimension - shortened) * max(code.bits, bits) <= _MAX_BITS_HELD
        if known or distance > best_distance:
            generator = lengthen(puncture(shorten(code.make(), shortened), bits), bits)
            distance = min_weight(generator) if known else distance
            if distance > best_distance:
                best, best_distance = generator, distance
    return best


def shorten(generator, n_columns):
    """Keep the words that are 0 in the last columns, and leave these columns out."""
    n_kept = generator.shape[1] - n_columns
    reduced, pivots = row_reduce(generator, range(n_kept, generator.shape[1]))
    return reduced[len(pivots) :, :n_kept]


def puncture(generator, bits):
    """Leave columns out, one by one, each time one in which fewest of the lightest words have a 1.

    Of a code of too many words to look at, the last columns.
    """
    if generator.shape[1] <= bits or 2 ** len(generator) * generator.shape[1] > _MAX_BITS_HELD:
        return generator[:, :bits]
    kept = np.arange(generator.shape[1])
    words = all_words(generator)
    columns, weight = unpack_codes(words, bits=len(kept))[1:], weights(words)[1:]
    while len(kept) > bits:
        lost = columns[weight == weight.min()][:, kept].sum(axis=0, dtype=np.int64).argmin()
        weight -= columns[:, kept[lost]]
        kept = np.delete(kept, lost)
    return generator[:, kept]


def lengthen(generator, bits):
    """Add columns, one by one, each time the one of 64 in which most of the lightest words have a 1.

    To a code of too many words to look at, its first columns once more.
    """
    missing = bits - generator.shape[1]
    if missing <= 0:
        return generator
    if 2 ** len(generator) * bits > _MAX_BITS_HELD:
        return np.pad(generator, ((0, 0), (0, missing)), mode="wrap")
    random_state = np.random.RandomState(0)  # part of the code: no user's seed changes it
    messages, weight, columns = np.arange(2 ** len(generator)), weights(all_words(generator)), []
    for _ in range(missing):
        lightest = 1 + np.flatnonzero(weight[1:] == weight[1:].min())
        tried = random_state.randint(len(messages), size=_COLUMNS_TRIED)
        columns.append(tried[_parities(tried[:, None] & lightest).sum(axis=1).argmax()])
        weight += _parities(columns[-1] & messages)
    return np.column_stack([generator, np.array(columns) >> np.arange(len(generator))[:, None] & 1]).astype(np.uint8)


def _parities(numbers):
    """Whether the number of set bits is odd."""
    return np.bitwise_count(numbers).astype(np.int64) & 1
