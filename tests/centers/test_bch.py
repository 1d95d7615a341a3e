from itertools import combinations

import pytest

from skhash.centers import bch_centers, min_distance
from skhash.centers._bch import bch_codes
from skhash.centers._linear_code import basis, min_weight


def closest(centers):
    """The minimum distance, one pair at a time."""
    return min(int((a != b).sum()) for a, b in combinations(centers, 2))


# Specification 3.4.
@pytest.mark.parametrize(
    ("bits", "dimension", "distance"),
    [(16, 5, 8), (16, 7, 6), (32, 6, 16), (32, 11, 12), (64, 7, 32), (64, 10, 28)],
)
def test_extended_codes_of_the_specification(bits, dimension, distance):
    code = bch_codes((bits - 1).bit_length(), dimension, dimension)[0]
    assert (code.bits, code.dimension, code.distance) == (bits, dimension, distance)
    assert code.make().shape == (dimension, bits)
    assert min_weight(code.make()) == distance


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_all_codes_have_their_dimension_and_designed_distance(m):
    codes = bch_codes(m, 1, 2**m)
    assert [codes[0].dimension, codes[-1].dimension] == [1, 2**m]
    for code in codes:
        generator = code.make()
        assert len(basis(generator)) == len(generator) == code.dimension
        if code.dimension <= 16:
            assert min_weight(generator) >= code.distance


def test_codes_within_the_dimensions_asked_for():
    assert [code.dimension for code in bch_codes(4, 5, 11)] == [5, 7, 11]
    assert [code.dimension for code in bch_codes(4, 6, 7)] == [7]


# Specification 3.4: BCH of powers of two, and at least LBHash's table 5 at 48 bits.
@pytest.mark.parametrize(
    ("n_classes", "bits", "at_least"),
    [(100, 16, 6), (100, 32, 12), (100, 64, 32), (10, 16, 7), (10, 32, 16), (10, 48, 21), (21, 48, 19), (100, 48, 14)],
)
def test_published_distances(n_classes, bits, at_least):
    centers = bch_centers(n_classes, bits, random_state=0)
    assert min_distance(centers) == closest(centers) >= at_least


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 7, 9])
def test_all_codes_of_a_length_are_different(bits):
    assert closest(bch_centers(2**bits, bits, random_state=0)) == 1


def test_impossible_sizes():
    with pytest.raises(ValueError, match=r"n_classes must be <= 2 \*\* bits = 8, got 9"):
        bch_centers(9, 3)
    with pytest.raises(ValueError, match="bits must be <= 16384, got 16385"):
        bch_centers(9, 16385)
