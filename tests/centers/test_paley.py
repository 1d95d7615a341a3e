import numpy as np
import pytest

from skhash.centers._paley import has_paley_one, has_paley_two, paley_one_rows, paley_two_rows


def test_orders():
    orders = range(4, 101, 4)
    assert [n for n in orders if has_paley_one(n)] == [4, 8, 12, 20, 24, 28, 32, 44, 48, 60, 68, 72, 80, 84]
    assert [n for n in orders if has_paley_two(n)] == [12, 20, 28, 36, 52, 60, 76, 84, 100]


# Fields of primes, of 25 and of 27 elements.
@pytest.mark.parametrize(
    ("rows_of", "order"), [(paley_one_rows, 12), (paley_one_rows, 28), (paley_two_rows, 12), (paley_two_rows, 52)]
)
def test_rows_are_orthogonal_and_normalised(rows_of, order):
    matrix = rows_of(order, np.arange(order)).astype(int)
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))
    assert (matrix[0] == 1).all()
    assert (matrix[:, 0] == 1).all()
    np.testing.assert_array_equal(rows_of(order, np.array([5, 0, 1])), matrix[[5, 0, 1]])
