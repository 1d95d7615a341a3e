from itertools import combinations

import numpy as np
import pytest

from skhash.centers._autocorrelation import distance_in_span
from skhash.centers._linear_code import all_words


def draw_words(n, dimension, bits, seed):
    """Different words of a random code, all flipped in the same bits."""
    random_state = np.random.RandomState(seed)
    generator = random_state.randint(0, 2, size=(dimension, bits), dtype=np.uint8)
    return (all_words(generator) ^ np.uint64(5))[random_state.permutation(2**dimension)[:n]]


@pytest.mark.parametrize(("n", "dimension", "bits"), [(120, 7, 20), (128, 7, 70), (200, 8, 40), (300, 9, 130)])
def test_words_of_a_code(n, dimension, bits):
    for seed in range(3):
        words = draw_words(n, dimension, bits, seed)
        expected = min(int(np.bitwise_count(a ^ b).sum()) for a, b in combinations(words, 2))
        assert distance_in_span(words, bits) == expected


def test_words_that_come_late_enlarge_the_span():
    words = np.zeros((300, 1), np.uint64)
    words[:, 0] = np.arange(300)
    assert distance_in_span(words[:256], 10) == distance_in_span(words, 10) == 1


def test_equal_words():
    words = draw_words(100, 7, 40, 0)
    words[99] = words[3]
    assert distance_in_span(words, 40) == 0


def test_random_codes_are_left_to_others():
    words = np.random.RandomState(0).randint(0, 2**62, size=(200, 1)).astype(np.uint64)
    assert distance_in_span(words, 64) is None
