from itertools import combinations

import pytest

from skhash.centers import plotkin_bound


def test_bounds_of_the_specification():
    assert [plotkin_bound(10, bits) for bits in (16, 32, 48, 64)] == [8, 17, 26, 35]
    assert [plotkin_bound(21, bits) for bits in (16, 32, 48, 64)] == [8, 16, 24, 33]
    assert [plotkin_bound(100, bits) for bits in (16, 32, 48, 64)] == [6, 15, 23, 32]


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_no_codes_surpass_the_bound(bits):
    """Against an exhaustive search for the largest minimum distance."""
    codes = range(2**bits)
    for n_classes in range(2, min(2**bits, 6) + 1):
        best = max(
            min((a ^ b).bit_count() for a, b in combinations(chosen, 2)) for chosen in combinations(codes, n_classes)
        )
        assert best <= plotkin_bound(n_classes, bits) <= best + 1


def test_ends():
    assert plotkin_bound(1, 12) == 12
    assert plotkin_bound(2, 12) == 12
    assert plotkin_bound(2**12, 12) == 1
    assert plotkin_bound(2**12 + 1, 12) == 0
    with pytest.raises(ValueError, match="'bits' parameter of plotkin_bound"):
        plotkin_bound(3, 0)
