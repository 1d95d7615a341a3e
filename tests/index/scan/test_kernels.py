"""Search kernels alone; that the others find the right codes is tested through the search functions."""

import numpy as np
import pytest

from skhash.index.scan import _kernels
from skhash.index.scan._candidates import ROW, SHIFT
from skhash.index.scan._filter import find_code, make_patterns

N_WORDS = (1, 2, 3, 4, 8, 9, 17)


def random_codes(n, n_words, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (n, n_words), dtype=np.uint64)


def all_distances(codes, queries):
    return np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)


@pytest.mark.parametrize("n_words", N_WORDS)
def test_limits_are_lowered_to_just_above_a_distance_of_the_sample(n_words):
    sample, queries, highest = random_codes(320, n_words), random_codes(5, n_words, seed=1), 64 * n_words + 1
    sample.flags.writeable = False
    in_order = np.sort(all_distances(sample, queries), axis=1)
    scratch = np.empty(128, np.int64), np.empty(highest + 1, np.int64)
    for rank in (1, 17, 320):
        limits = np.full(5, highest, np.uint64)
        limits[0] = 0
        _kernels._guess_limits(find_code(1, n_words), sample, rank, make_patterns(queries), limits, *scratch)
        assert limits.tolist() == [0, *(in_order[1:, rank - 1] + 1)]


@pytest.mark.parametrize("count", [0, 1, 10, 24, 25, 300])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_candidates_are_sorted_and_cut_to_the_k_nearest(count, k):
    rng = np.random.default_rng(count)
    near = rng.integers(0, 20, count)
    found = (near << SHIFT) | np.arange(count)
    distances, rows = np.full(k, -7, np.int32), np.full(k, -7, np.int64)
    _kernels.sort_near(found.copy(), count, np.uint64(20), 1000, distances, rows, np.empty(66, np.int64))
    order = np.argsort(near, kind="stable")[:k]
    assert distances[: len(order)].tolist() == near[order].tolist()
    assert rows[: len(order)].tolist() == (order + 1000).tolist()
    assert (distances[len(order) :] == -7).all()
    assert (rows[len(order) :] == -7).all()


@pytest.mark.parametrize("k", [1, 10, 99])
def test_candidates_are_cut_back_to_the_k_nearest_in_the_order_of_rows(k):
    near = np.random.default_rng(k).integers(0, 12, 100)
    found = (near << SHIFT) | np.arange(100)
    kth = _kernels._keep_nearest(found, 100, k, np.uint64(12), np.empty(66, np.int64))
    nearest = np.argsort(near, kind="stable")[:k]
    assert kth == near[nearest[-1]]
    assert (found[:k] & ROW).tolist() == sorted(nearest)
