import numpy as np
import pytest

from skhash.centers import bernoulli_centers, class_centers, distinct_columns, hadamard_centers, orthogonality


def test_equal_opposite_and_constant_columns_are_not_counted():
    column, other = np.array([1, -1, 1]), np.array([1, 1, -1])
    assert distinct_columns(np.stack([column, column, -column, other], axis=1)) == 2
    assert distinct_columns(np.stack([column, np.ones(3), -np.ones(3)], axis=1)) == 1
    assert distinct_columns(np.ones((1, 5))) == 0


def test_the_first_rows_of_sylvesters_matrix_repeat_bits():
    # Ten rows have 16 different columns, one of them constant.
    assert distinct_columns(hadamard_centers(10, 64)) == 15
    assert distinct_columns(hadamard_centers(64, 64)) == 63


def test_class_centers_are_the_bitwise_majority_with_draws_to_plus_one():
    codes = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0]])
    multi_hot = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(class_centers(codes, multi_hot, 3), [[1, -1, 1], [1, 1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(class_centers(codes, np.array([2, 2, 0]), 3), [[1, 1, -1], [1, 1, 1], [1, -1, 1]])


def test_orthogonality():
    assert orthogonality(hadamard_centers(4, 8)) == 0
    centers = bernoulli_centers(7, 24, random_state=0).astype(float)
    assert orthogonality(centers) == pytest.approx(np.linalg.norm(centers @ centers.T / 24 - np.eye(7)))
    # Two equal centers: both off-diagonal entries are 1.
    assert orthogonality(np.ones((2, 8))) == pytest.approx(2**0.5)
