import numpy as np

from skhash.centers import bernoulli_centers, hadamard_centers
from skhash.centers._draws import best_of, best_quality, quality


def test_the_largest_distance_wins_and_then_the_most_columns():
    few_columns, near = hadamard_centers(10, 64), bernoulli_centers(10, 64, 0)
    far = hadamard_centers(64, 64)[np.random.RandomState(0).permutation(64)[:10]]
    assert quality(far) > quality(few_columns) > quality(near)
    draws = iter([near, far, few_columns])
    np.testing.assert_array_equal(best_of(lambda: next(draws), 3, 10, 64), far)


def test_no_more_draws_than_can_help():
    draws = iter([hadamard_centers(3, 4)[:, 1:]])
    assert quality(best_of(lambda: next(draws), 9, 3, 3)) == best_quality(3, 3) == (2, 3)


def test_large_centers_are_drawn_once():
    draws = iter([bernoulli_centers(1100, 1000, 0)])
    assert best_of(lambda: next(draws), 9, 1100, 1000).shape == (1100, 1000)
