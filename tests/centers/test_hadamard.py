from itertools import combinations

import numpy as np
import pytest
from scipy.linalg import hadamard

from skhash.centers import distinct_columns, hadamard_centers, min_distance


def distances(centers):
    """All pairwise Hamming distances, one pair at a time."""
    return [int((a != b).sum()) for a, b in combinations(centers, 2)]


def test_first_rows_of_sylvesters_matrix():
    np.testing.assert_array_equal(hadamard_centers(10, 64), hadamard(64)[:10])
    assert set(distances(hadamard_centers(8, 8))) == {4}
    assert min_distance(hadamard_centers(100, 64)) == 32


@pytest.mark.parametrize("bits", [12, 20, 36, 48, 52])
def test_paleys_matrices_serve_other_lengths(bits):
    assert set(distances(hadamard_centers(bits, bits))) == {bits // 2}


def test_rows_and_negatives_differ_in_half_or_all():
    assert set(distances(hadamard_centers(16, 8))) == {4, 8}
    np.testing.assert_array_equal(hadamard_centers(16, 8)[8:], -hadamard(8))


def test_shuffling_changes_the_bits_but_no_distance():
    plain, shuffled = hadamard_centers(20, 16), hadamard_centers(20, 16, 3, shuffle=True)
    assert distances(plain) == distances(shuffled)
    assert distinct_columns(plain) == distinct_columns(shuffled)
    assert (shuffled[0] == -1).any()
    np.testing.assert_array_equal(shuffled, hadamard_centers(20, 16, 3, shuffle=True))


def test_more_classes_get_balanced_codes_and_the_best_draw():
    centers = hadamard_centers(40, 16, random_state=0)
    np.testing.assert_array_equal(centers[:32], hadamard_centers(32, 16))
    assert (centers[32:].sum(axis=1) == 0).all()
    assert min_distance(centers) == min(distances(centers)) >= 1


@pytest.mark.parametrize("seed", range(4))
def test_codes_are_redrawn_until_all_are_more_than_a_quarter_of_the_bits_apart(seed):
    random_state, best, best_distance, n_draws = np.random.RandomState(seed), None, -1, 0
    while n_draws < 20 and not best_distance > 8:
        order = random_state.random_sample((8, 32)).argsort(axis=1)
        centers = np.concatenate([hadamard_centers(64, 32), np.where(order < 16, -1, 1)])
        n_draws += 1
        if min(distances(centers)) > best_distance:
            best, best_distance = centers, min(distances(centers))
    assert n_draws > 1
    np.testing.assert_array_equal(hadamard_centers(72, 32, random_state=seed), best)


def test_very_many_classes_are_drawn_once():
    centers = hadamard_centers(9000, 64, random_state=0)
    assert centers.shape == (9000, 64)
    assert (centers[128:].sum(axis=1) == 0).all()


@pytest.mark.parametrize("bits", [3, 18, 92])
def test_lengths_without_a_matrix(bits):
    with pytest.raises(ValueError, match=f"order of a Sylvester or Paley matrix .* got bits={bits}; use 'auto'"):
        hadamard_centers(2, bits)


def test_one_bit_has_no_balanced_codes():
    np.testing.assert_array_equal(hadamard_centers(2, 1), [[1], [-1]])
    with pytest.raises(ValueError, match="n_classes must be <= 2 for bits=1, got 3"):
        hadamard_centers(3, 1)
