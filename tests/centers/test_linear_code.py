import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.centers._linear_code import (
    all_words,
    basis,
    encode,
    min_weight,
    random_subcode,
    row_reduce,
    to_centers,
    weights,
)
from skhash.codes import unpack_codes


def draw_matrix(seed, n_rows, n_columns):
    return np.random.RandomState(seed).randint(0, 2, size=(n_rows, n_columns), dtype=np.uint8)


@pytest.mark.parametrize("bits", [5, 64, 70])
def test_words_are_the_sums_of_rows(bits):
    generator = draw_matrix(0, 4, bits)
    words = all_words(generator)
    for message in range(16):
        expected = sum((generator[i].astype(int) for i in range(4) if message >> i & 1), np.zeros(bits, int)) % 2
        np.testing.assert_array_equal(unpack_codes(words[[message]], bits=bits)[0], expected)
        assert weights(words)[message] == expected.sum()
        np.testing.assert_array_equal(to_centers(words[[message]], bits)[0], 2 * expected - 1)
    np.testing.assert_array_equal(encode(np.array([3, 0, 15]), generator), words[[3, 0, 15]])


def test_the_minimum_weight_of_the_hamming_code():
    generator = np.array([[1, 0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1]])
    assert min_weight(generator.astype(np.uint8)) == 3


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 9))
def test_reduction_keeps_the_span(seed, n_rows, n_columns):
    matrix = draw_matrix(seed, n_rows, n_columns)
    reduced, pivots = row_reduce(matrix)
    np.testing.assert_array_equal(reduced[:, pivots], np.eye(n_rows, len(pivots)))
    assert not reduced[len(pivots) :].any()
    words = set(all_words(matrix)[:, 0].tolist())
    assert words == set(all_words(basis(matrix))[:, 0].tolist())
    assert len(words) == 2 ** len(pivots)


def test_pivots_are_looked_for_where_told():
    reduced, pivots = row_reduce(np.array([[1, 1, 0], [1, 0, 1]], np.uint8), [2, 1])
    assert pivots == [2, 1]
    np.testing.assert_array_equal(reduced, [[1, 0, 1], [1, 1, 0]])


def test_subcodes_have_the_dimension_and_some_of_the_words():
    generator = basis(draw_matrix(0, 6, 12))
    subcode = random_subcode(generator, 3, np.random.RandomState(0))
    assert len(basis(subcode)) == 3
    assert set(all_words(subcode)[:, 0].tolist()) <= set(all_words(generator)[:, 0].tolist())
