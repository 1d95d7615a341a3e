import numpy as np
import pytest
from scipy.linalg import hadamard

from skhash.centers._hadamard_matrix import hadamard_rows, has_hadamard

KNOWN = [order for order in (1, 2, *range(4, 257, 4)) if has_hadamard(order)]


def test_every_order_up_to_256_but_those_that_need_other_constructions():
    assert set(range(4, 257, 4)) - set(KNOWN) == {92, 116, 156, 172, 184, 188, 232, 236}
    assert not any(has_hadamard(order) for order in (3, 6, 10, 18, 50))


# Sylvester; Paley of primes, squares and a cube; products that are neither.
@pytest.mark.parametrize("order", [1, 2, 8, 12, 20, 36, 48, 52, 100, 28, 244, 40, 144, 1000])
def test_rows_are_orthogonal_and_normalised(order):
    matrix = hadamard_rows(order, np.arange(order)).astype(np.int64)
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))
    assert (matrix[0] == 1).all()
    assert (matrix[:, 0] == 1).all()


@pytest.mark.parametrize("order", [1, 2, 4, 12, 36, 40, 64])
def test_any_rows_in_any_order(order):
    rows = np.random.RandomState(0).permutation(order)[: order // 2 + 1]
    np.testing.assert_array_equal(hadamard_rows(order, rows), hadamard_rows(order, np.arange(order))[rows])


@pytest.mark.parametrize("order", [1, 2, 16, 64])
def test_powers_of_two_give_sylvesters_matrix(order):
    np.testing.assert_array_equal(hadamard_rows(order, np.arange(order)), hadamard(order))
