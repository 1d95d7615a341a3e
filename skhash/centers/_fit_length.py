"""Linear codes of any length, from codes of other lengths.

Shortening keeps the words that are 0 in a column and removes the column: half of the words, the same distance.
Puncturing removes a column from all words: the distance decreases by at most one. Lengthening adds a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skhash.centers._linear_code import all_words, min_weight, row_reduce, weights
from skhash.codes import unpack_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_BITS_HELD = 2**22  # of all words of a code, beyond which they are not enumerated
_MOST_TRIED = 6
_COLUMNS_TRIED = 64


class Code(NamedTuple):
    """Known facts about a linear code before its generator matrix is made."""

    bits: int
    dimension: int
    distance: int  # or a lower bound of it
    make: Callable[[], Any]  # returns the generator matrix, ndarray of uint8 of shape (dimension, bits)


def best_fit(codes: Iterable[Code], bits: int, dimension: int) -> NDArray[np.uint8] | None:
    """Shorten, puncture or lengthen codes to `bits` columns and at least 2 ** `dimension` words; choose the best.

    Parameters
    ----------
    codes : iterable of Code
        Codes to choose from.
    bits, dimension : int
        Required length and dimension.

    Returns
    -------
    generator : ndarray of uint8 of shape (k, bits)
        Generator matrix of the largest minimum distance among the six codes of the largest lower bounds. If a code has
        too many words to enumerate, its lower bound counts as its distance. None if no code has that many words.
    """
    candidates = []  # lower bound of the distance, number of columns to shorten by, code
    for code in codes:
        if code.dimension >= dimension:
            # Shortening loses no distance, so only the columns that it cannot remove are punctured.
            shortened = max(0, min(code.dimension - dimension, code.bits - bits))
            punctured = max(0, code.bits - bits - shortened)
            candidates.append((code.distance - punctured, shortened, code))
    candidates.sort(key=lambda candidate: -candidate[0])
    best, best_distance = None, -1
    for distance, shortened, code in candidates[:_MOST_TRIED]:
        known = 2 ** (code.dimension - shortened) * max(code.bits, bits) <= _MAX_BITS_HELD
        if known or distance > best_distance:
            generator = lengthen(puncture(shorten(code.make(), shortened), bits), bits)
            distance = min_weight(generator) if known else distance
            if distance > best_distance:
                best, best_distance = generator, distance
    return best


def shorten(generator: NDArray[np.uint8], n_columns: int) -> NDArray[np.uint8]:
    """Keep the words that are 0 in the last columns, and remove these columns."""
    n_kept = generator.shape[1] - n_columns
    # After the reduction, only the rows with pivots are not 0 in the last columns.
    reduced, pivots = row_reduce(generator, range(n_kept, generator.shape[1]))
    return reduced[len(pivots) :, :n_kept]


def puncture(generator: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Remove columns one by one, each time one in which the fewest of the lightest words have a 1.

    If a code has too many words to enumerate, remove the last columns.
    """
    if generator.shape[1] <= bits or 2 ** len(generator) * generator.shape[1] > _MAX_BITS_HELD:
        return generator[:, :bits]
    kept = np.arange(generator.shape[1])
    words = all_words(generator)
    columns, weight = unpack_codes(words, bits=len(kept))[1:], weights(words)[1:]
    while len(kept) > bits:
        lost = int(columns[weight == weight.min()][:, kept].sum(axis=0, dtype=np.int64).argmin())
        weight -= columns[:, kept[lost]]
        kept = np.delete(kept, lost)
    return generator[:, kept]


def lengthen(generator: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Add columns one by one, each time the one of 64 in which most of the lightest words have a 1.

    If a code has too many words to enumerate, repeat its first columns.
    """
    missing = bits - generator.shape[1]
    if missing <= 0:
        return generator
    if 2 ** len(generator) * bits > _MAX_BITS_HELD:
        return np.pad(generator, ((0, 0), (0, missing)), mode="wrap")
    random_state = np.random.RandomState(0)  # part of the code's definition, independent of the user's seed
    messages, weight, columns = np.arange(2 ** len(generator)), weights(all_words(generator)), []
    for _ in range(missing):
        # A column is a set of rows; a word has a 1 there if its message contains an odd number of these rows.
        lightest = 1 + np.flatnonzero(weight[1:] == weight[1:].min())
        tried = random_state.randint(len(messages), size=_COLUMNS_TRIED)
        columns.append(tried[_parities(tried[:, None] & lightest).sum(axis=1).argmax()])
        weight += _parities(columns[-1] & messages)
    return np.column_stack([generator, np.array(columns) >> np.arange(len(generator))[:, None] & 1]).astype(np.uint8)


def _parities(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return 1 for each number with an odd number of set bits, 0 for others."""
    return np.bitwise_count(numbers).astype(np.int64) & 1
