from itertools import combinations

import numpy as np
import pytest

from skhash.centers import make_hash_centers

METHODS = ["auto", "bch", "bernoulli", "hadamard", "levenshtein", "linear", "maxhd", "reed_solomon"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n_classes", "bits"), [(1, 8), (2, 16), (10, 32), (np.int64(30), np.int64(16))])
def test_every_method_gives_signs_of_the_right_shape_and_the_same_ones_again(method, n_classes, bits):
    centers = make_hash_centers(n_classes, bits, method=method, random_state=3)
    assert centers.shape == (n_classes, bits)
    assert centers.dtype == np.int8
    assert set(np.unique(centers)) <= {-1, 1}
    np.testing.assert_array_equal(centers, make_hash_centers(n_classes, bits, method=method, random_state=3))


@pytest.mark.parametrize("method", [method for method in METHODS if method != "hadamard"])
def test_another_seed_gives_other_centers(method):
    first, second = (make_hash_centers(10, 32, method=method, random_state=seed) for seed in (0, 1))
    assert (first != second).any()


@pytest.mark.parametrize("method", METHODS)
def test_the_global_state_is_left_alone(method):
    before = np.random.get_state()[1].copy()
    make_hash_centers(4, 8, method=method)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


# The table of the docstring, and of the specification, section 18.
@pytest.mark.parametrize(
    ("n_classes", "expected"), [(10, [8, 17, 26, 35]), (21, [8, 16, 24, 33]), (100, [6, 14, 22, 32])]
)
def test_minimum_distances_of_auto(n_classes, expected):
    for bits, distance in zip((16, 32, 48, 64), expected, strict=True):
        centers = make_hash_centers(n_classes, bits, random_state=0)
        assert min(int((a != b).sum()) for a, b in combinations(centers, 2)) >= distance


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_classes": 0, "bits": 8}, "'n_classes' parameter of make_hash_centers"),
        ({"n_classes": 3, "bits": 0}, "'bits' parameter of make_hash_centers"),
        ({"n_classes": 3, "bits": 8, "method": "golay"}, "'method' parameter .* Got 'golay'"),
        ({"n_classes": 3, "bits": 18, "method": "hadamard"}, "got bits=18"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_hash_centers(**arguments)
