"""Selection of words of a linear code that are further apart than the words of the whole code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._draws import best_of
from skhash.centers._linear_code import all_words, encode, random_subcode, to_centers, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_WORK = 2**27  # distances, beyond which words are drawn instead
_RESTARTS = 100
_RESTARTS_WORK = 2**24  # distances, after which there are no more restarts


def select_codewords(
    generator: NDArray[np.uint8], n_classes: int, random_state: np.random.RandomState
) -> NDArray[np.int8]:
    """Select codewords by farthest-point search, and flip some bits in all of them.

    The search starts with one word and repeatedly adds a random one of the words whose nearest selected word is
    farthest. It is restarted up to 100 times. Since the code is linear, the distance of two words is the weight of
    their sum, so the search only needs a table of weights.

    If a code has so many words that the search would take more than seconds, a random subcode with as few words as
    possible replaces it, and if even that has too many, its words are drawn.

    Parameters
    ----------
    generator : ndarray of uint8 of shape (dimension, bits)
        Generator matrix of at least `n_classes` different words.
    n_classes : int
        Number of words.
    random_state : RandomState instance
        Source of the draws.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.
    """
    bits = generator.shape[1]
    if n_classes << len(generator) > _MAX_WORK:
        generator = random_subcode(generator, (n_classes - 1).bit_length(), random_state)
    n_words = 2 ** len(generator)
    if n_classes * n_words > _MAX_WORK:
        messages = random_state.permutation(n_words)[:n_classes]
        return _flip(to_centers(encode(messages, generator), bits), random_state)
    words = all_words(generator)
    weight = weights(words)

    def draw() -> NDArray[np.int8]:
        return to_centers(words[_farthest_points(weight, n_classes, random_state)], bits)

    restarts = min(_RESTARTS, max(1, _RESTARTS_WORK // (n_classes * n_words)))
    return _flip(best_of(draw, restarts, n_classes, bits), random_state)


def _farthest_points(
    weight: NDArray[np.int64], n_classes: int, random_state: np.random.RandomState
) -> NDArray[np.int64]:
    """Select messages one by one; the first may be any, because all words have the same distances to the others."""
    everything = np.arange(len(weight))
    selected = [0]
    nearest = weight.copy()
    while len(selected) < n_classes:
        selected.append(random_state.choice(np.flatnonzero(nearest == nearest.max())))
        np.minimum(nearest, weight[everything ^ selected[-1]], out=nearest)
    return random_state.permutation(selected)


def _flip(centers: NDArray[np.int8], random_state: np.random.RandomState) -> NDArray[np.int8]:
    """Flip random bits, the same in all centers, so that the word of zeros is not always a center."""
    return centers * (2 * random_state.randint(0, 2, size=centers.shape[1], dtype=np.int8) - 1)
