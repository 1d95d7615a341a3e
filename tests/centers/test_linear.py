from itertools import combinations

import numpy as np
import pytest

from skhash.centers import linear_centers, min_distance


# Methods specification, section 18.
@pytest.mark.parametrize(("n_classes", "bits", "distance"), [(100, 16, 6), (100, 32, 14), (100, 48, 22), (256, 32, 13)])
def test_distances(n_classes, bits, distance):
    centers = linear_centers(n_classes, bits, random_state=0)
    assert centers.shape == (n_classes, bits)
    assert min_distance(centers) == min(int((a != b).sum()) for a, b in combinations(centers, 2)) == distance


def test_golays_code_and_what_is_cut_from_it():
    assert min_distance(linear_centers(4096, 24)) == 8
    assert min_distance(linear_centers(1024, 22)) == 8
    assert min_distance(linear_centers(4096, 23)) == 7


def test_seeds():
    first, again, other = (linear_centers(100, 32, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("n_classes", "bits"), [(300, 8), (5000, 24), (100, 53)])
def test_sizes_that_are_not_known(n_classes, bits):
    with pytest.raises(ValueError, match=f"no known code of bits={bits} bits has words for n_classes={n_classes}"):
        linear_centers(n_classes, bits)
