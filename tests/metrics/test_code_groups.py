import numpy as np

from skhash.metrics._code_groups import count_pairs, number_groups


def test_groups_of_equal_rows_are_numbered_in_order():
    rows = np.array([[2, 0], [1, 9], [2, 0], [1, 3], [1, 9]])
    np.testing.assert_array_equal(number_groups(rows), [2, 1, 2, 0, 1])
    rows = np.random.default_rng(0).integers(0, 3, (200, 3)).astype(np.uint64)
    np.testing.assert_array_equal(number_groups(rows), np.unique(rows, axis=0, return_inverse=True)[1].ravel())


def test_pairs():
    assert count_pairs([0, 1, 2, 5]) == 0 + 0 + 1 + 10
    assert count_pairs(10**9) == 10**9 * (10**9 - 1) // 2
