from itertools import combinations

import numpy as np
import pytest

from skhash.centers._lexicode import lexicode
from skhash.centers._linear_code import all_words, min_weight


# The Hamming codes, of 7 and 8 bits, and others of Conway and Sloane's table.
@pytest.mark.parametrize(
    ("bits", "distance", "dimension"), [(7, 3, 4), (8, 4, 4), (9, 4, 4), (10, 4, 5), (15, 7, 5), (16, 8, 5), (16, 6, 7)]
)
def test_dimensions(bits, distance, dimension):
    generator = lexicode(bits, distance, bits)
    assert generator.shape == (dimension, bits)
    assert min_weight(generator) >= distance


def test_it_is_the_greedy_code():
    taken = []
    for word in range(2**7):
        if all((word ^ other).bit_count() >= 3 for other in taken):
            taken.append(word)
    assert sorted(all_words(lexicode(7, 3, 7))[:, 0].tolist()) == taken
    assert min((a ^ b).bit_count() for a, b in combinations(taken, 2)) == 3


def test_no_more_rows_than_asked_for():
    np.testing.assert_array_equal(lexicode(7, 3, 2), lexicode(7, 3, 7)[:2])
