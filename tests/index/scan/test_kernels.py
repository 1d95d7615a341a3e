"""Search kernels alone; that the others find the right codes is tested through the search functions."""

import numpy as np
import pytest

from skhash.index.scan._kernels import lower_limits
from skhash.index.scan._scan import width_of

N_WORDS = (1, 2, 3, 4, 8, 9)


def random_codes(n, n_words, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (n, n_words), dtype=np.uint64)


def all_distances(codes, queries):
    return np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)


@pytest.mark.parametrize("n_words", N_WORDS)
def test_limits_are_lowered_to_just_above_the_kth_distance(n_words):
    sample, queries = random_codes(300, n_words), random_codes(5, n_words, seed=1)
    width, highest = width_of(n_words), 64 * n_words + 1
    kth = np.sort(all_distances(sample, queries), axis=1)
    for k in (1, 17, 300):
        limits = np.full(5, highest, np.uint64)
        limits[0] = 0
        lower_limits(sample, queries, k, limits, width)
        assert limits.tolist() == [0, *(kth[1:, k - 1] + 1)]
    limits = np.full(5, highest, np.uint64)
    lower_limits(sample, queries, 301, limits, width)
    assert limits.tolist() == [highest] * 5
