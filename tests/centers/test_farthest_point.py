import numpy as np

from skhash.centers import distinct_columns, min_distance
from skhash.centers._annealed import golay_code
from skhash.centers._farthest_point import select_codewords
from skhash.centers._linear_code import all_words
from skhash.codes import pack_codes


def test_few_words_are_further_apart_than_all():
    centers = select_codewords(golay_code(), 4, np.random.RandomState(0))
    assert min_distance(centers) > 8
    # All centers are flipped in the same bits, so that their differences are codewords.
    differences = pack_codes(centers != centers[0])
    assert set(differences[:, 0].tolist()) <= set(all_words(golay_code())[:, 0].tolist())


def test_all_words_can_be_asked_for():
    centers = select_codewords(np.eye(5, dtype=np.uint8), 32, np.random.RandomState(0))
    assert len(np.unique(centers, axis=0)) == 32


def test_of_too_many_words_different_ones_are_drawn():
    centers = select_codewords(np.eye(40, dtype=np.uint8), 20_000, np.random.RandomState(0))
    assert centers.shape == (20_000, 40)
    assert min_distance(centers) >= 1
    assert distinct_columns(centers) >= 39


def test_seeds_choose_other_words():
    first, again, other = (select_codewords(golay_code(), 9, np.random.RandomState(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
