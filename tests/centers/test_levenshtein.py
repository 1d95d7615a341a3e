from itertools import combinations

import numpy as np
import pytest

from skhash.centers import distinct_columns, levenshtein_centers, min_distance, plotkin_bound


def closest(centers):
    """The minimum distance, one pair at a time."""
    return min(int((a != b).sum()) for a, b in combinations(centers, 2))


@pytest.mark.parametrize(
    ("n_classes", "expected"), [(10, [8, 17, 26, 35]), (21, [8, 16, 24, 33]), (2, [16, 32, 48, 64])]
)
def test_distances_of_the_specification(n_classes, expected):
    centers = [levenshtein_centers(n_classes, bits, random_state=0) for bits in (16, 32, 48, 64)]
    assert [closest(c) for c in centers] == expected


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5, 6, 7, 8, 12, 16, 20])
def test_plotkins_bound_is_met_wherever_there_are_few_classes(n_classes):
    for bits in range(1, 50):
        if n_classes <= bits:
            centers = levenshtein_centers(n_classes, bits, random_state=bits)
            assert centers.shape == (n_classes, bits)
            assert min_distance(centers) == plotkin_bound(n_classes, bits)


def test_bits_hardly_repeat():
    for seed in range(3):
        assert distinct_columns(levenshtein_centers(10, 64, random_state=seed)) >= 58
        assert distinct_columns(levenshtein_centers(21, 64, random_state=seed)) == 64


def test_a_length_between_two_orders():
    # 90 classes need Hadamard matrices of order 48 or 52; 49 bits are those of 48 and a random one.
    assert closest(levenshtein_centers(90, 49, random_state=0)) >= 24
    assert closest(levenshtein_centers(90, 47, random_state=0)) == 23


def test_seeds():
    first, again, other = (levenshtein_centers(10, 32, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("n_classes", "bits"), [(100, 32), (9, 1)])
def test_too_many_classes(n_classes, bits):
    with pytest.raises(ValueError, match=f"n_classes={n_classes} is too large for bits={bits}"):
        levenshtein_centers(n_classes, bits)
