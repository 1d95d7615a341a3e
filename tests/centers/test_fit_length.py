from functools import partial

import numpy as np
import pytest

from skhash.centers._annealed import golay_code
from skhash.centers._fit_length import Code, best_fit, lengthen, puncture, shorten
from skhash.centers._linear_code import basis, min_weight

GOLAY = Code(24, 12, 8, golay_code)


@pytest.mark.parametrize("n_columns", [1, 3, 8])
def test_shortening_keeps_the_distance(n_columns):
    shortened = shorten(golay_code(), n_columns)
    assert shortened.shape == (12 - n_columns, 24 - n_columns)
    assert len(basis(shortened)) == 12 - n_columns
    assert min_weight(shortened) >= 8


def test_puncturing_loses_one_bit_of_distance_at_most():
    assert min_weight(puncture(golay_code(), 23)) == 7
    code = np.array([[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]], np.uint8)  # weights 4, 3, 3: the lightest share column 4
    assert min_weight(puncture(code, 4)) == 2
    code = np.array([[1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1, 1]], np.uint8)
    np.testing.assert_array_equal(puncture(code, 6)[1], [0, 0, 0, 0, 1, 1])  # a column without the lightest word


def test_lengthening_helps_the_lightest_words():
    code = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], np.uint8)
    assert min_weight(code) == 3
    assert min_weight(lengthen(code, 8)) == 5  # both have a 1 in both
    np.testing.assert_array_equal(lengthen(code, 8)[:, :6], code)


@pytest.mark.parametrize(("bits", "dimension", "distance"), [(24, 12, 8), (20, 8, 8), (23, 12, 7), (26, 12, 8)])
def test_one_code_fits_many_lengths(bits, dimension, distance):
    generator = best_fit([GOLAY], bits, dimension)
    assert generator.shape == (dimension, bits)
    assert min_weight(generator) >= distance


def test_the_best_code_is_taken():
    repetition = Code(24, 1, 24, partial(np.ones, (1, 24), np.uint8))
    assert min_weight(best_fit([GOLAY, repetition], 20, 1)) == 20
    assert min_weight(best_fit([GOLAY, repetition], 20, 2)) >= 8
    assert best_fit([GOLAY], 20, 13) is None


def test_large_codes_count_by_what_they_promise():
    identity = Code(60, 60, 1, partial(np.eye, 60, dtype=np.uint8))
    assert best_fit([identity], 50, 40).shape == (50, 50)
