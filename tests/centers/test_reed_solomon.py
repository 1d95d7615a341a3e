from itertools import combinations

import numpy as np
import pytest

from skhash.centers import min_distance, reed_solomon_centers
from skhash.centers._linear_code import all_words, basis
from skhash.centers._reed_solomon import reed_solomon_code
from skhash.codes import unpack_codes


@pytest.mark.parametrize(("n", "k"), [(4, 2), (8, 2), (15, 3), (3, 3)])
def test_words_differ_in_n_minus_k_plus_1_symbols(n, k):
    generator = reed_solomon_code(4, n, k)
    assert len(basis(generator)) == 4 * k
    symbols = unpack_codes(all_words(generator), bits=4 * n).reshape(-1, n, 4).any(axis=2)
    assert symbols[1:].sum(axis=1).min() == n - k + 1


def test_the_first_messages_give_the_published_distances():
    """Specification 3.4: messages 0 to 99, two symbols of GF(16), reproduce a row of LBHash's table 5."""
    for bits, expected in ((16, 4), (32, 10), (48, 16)):
        generator = reed_solomon_code(4, bits // 4, 2)
        systematic = _systematic(generator, 8)
        words = unpack_codes(all_words(systematic)[:100], bits=bits)
        assert min(int((a != b).sum()) for a, b in combinations(words, 2)) == expected


def _systematic(generator, dimension):
    """Rows that are the identity in the last `dimension` columns, where the message is."""
    from skhash.centers._linear_code import row_reduce

    columns = generator.shape[1]
    return row_reduce(generator, range(columns - dimension, columns))[0]


# Specification 3.4 as corrected by 18: k >= 2.
@pytest.mark.parametrize(("n_classes", "expected"), [(10, [8, 16, 24]), (21, [6, 14, 22]), (100, [4, 12, 18])])
def test_distances_of_the_specification(n_classes, expected):
    reached = [min_distance(reed_solomon_centers(n_classes, bits, random_state=0)) for bits in (16, 32, 48)]
    assert all(r >= e for r, e in zip(reached, expected, strict=True))


def test_long_codes_have_symbols_of_8_bits():
    centers = reed_solomon_centers(10, 64, random_state=0)
    assert centers.shape == (10, 64)
    assert min_distance(centers) >= 28


def test_seeds():
    first, again, other = (reed_solomon_centers(10, 16, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("bits", [4, 18, 62, 68, 2048])
def test_lengths_that_are_no_whole_symbols(bits):
    with pytest.raises(ValueError, match=f"multiple of 4 from 8 to 60 .* got bits={bits}"):
        reed_solomon_centers(2, bits)


def test_too_many_classes():
    with pytest.raises(ValueError, match=r"n_classes must be <= 2 \*\* bits = 256, got 257"):
        reed_solomon_centers(257, 8)
    assert min_distance(reed_solomon_centers(256, 8)) == 1
