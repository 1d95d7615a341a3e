"""Words of a linear code that are further apart than the whole code."""

import numpy as np

from skhash.centers._draws import best_of
from skhash.centers._linear_code import all_words, encode, random_subcode, to_centers, weights

_MAX_WORK = 2**27  # distances, beyond which words are drawn instead
_RESTARTS = 100
_RESTARTS_WORK = 2**24  # distances, after which there are no more restarts


def select_codewords(generator, n_classes, random_state):
    """Select codewords by farthest-point search, and flip some bits in all of them.

    Beginning with one word, the search adds the word whose nearest selected one is farthest, one of such words at
    random, and begins anew up to 100 times. As the code is linear, two words are as far apart as their sum is heavy, so
    that a table of weights is all it needs.

    If a code has so many words that the search would take more than seconds, a random subcode of as few words as
    possible takes its place, and if that has still too many, its words are drawn.

    Parameters
    ----------
    generator : ndarray of uint8 of shape (dimension, bits)
        Of at least `n_classes` different words.
    n_classes : int
        Number of words.
    random_state : RandomState instance
        What to draw from.

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

    def draw():
        return to_centers(words[_farthest_points(weight, n_classes, random_state)], bits)

    restarts = min(_RESTARTS, max(1, _RESTARTS_WORK // (n_classes * n_words)))
    return _flip(best_of(draw, restarts, n_classes, bits), random_state)


def _farthest_points(weight, n_classes, random_state):
    """Select messages one by one; the first can be any, as all see the same distances."""
    everything = np.arange(len(weight))
    selected = [0]
    nearest = weight.copy()
    while len(selected) < n_classes:
        selected.append(random_state.choice(np.flatnonzero(nearest == nearest.max())))
        np.minimum(nearest, weight[everything ^ selected[-1]], out=nearest)
    return random_state.permutation(selected)


def _flip(centers, random_state):
    """Flip random bits, the same ones in all centers: the word of zeros need not be a center."""
    return centers * (2 * random_state.randint(0, 2, size=centers.shape[1], dtype=np.int8) - 1)
