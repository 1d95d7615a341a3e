"""The nearest of few codes against numpy, for every way of selecting them."""

import numpy as np
import pytest

from skhash.index.scan._few import are_few, nearest_of_few


def random_codes(n, n_words, distinct=2**64, seed=0):
    return np.random.default_rng(seed).integers(0, distinct, (n, n_words), dtype=np.uint64)


@pytest.mark.parametrize("n_words", [1, 3, 4, 7, 12, 17, 33])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 500])
@pytest.mark.parametrize("distinct", [1, 3, 2**64])
def test_rows_are_those_of_a_stable_sort(n, n_words, distinct):
    codes, queries = random_codes(n, n_words, distinct), random_codes(5, n_words, distinct, seed=1)
    queries[3] = ~codes[0]  # as far as can be
    exact = np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)
    order = np.argsort(exact, axis=1, kind="stable")
    for k in {1, min(n, 10), -(-n // 2), n}:
        distances, rows = np.empty((5, k), np.int32), np.empty((5, k), np.int64)
        nearest_of_few(codes, 7_000, queries, distances, rows)
        np.testing.assert_array_equal(rows, order[:, :k] + 7_000)
        np.testing.assert_array_equal(distances, np.take_along_axis(exact, order[:, :k], axis=1))


def test_codes_are_few_where_most_blocks_have_a_hit():
    one, many = random_codes(1, 4), random_codes(100, 4)
    assert are_few(1_000, one, 1)
    assert are_few(1_000, many, 10)
    assert are_few(100_000, many, 1_000)
    assert not are_few(100_000, many, 10)
    assert not are_few(10**6, one, 10**6)
    assert not are_few(10, random_codes(1, 1024), 1)  # distances would not fit in 16 bits


def test_fewer_codes_than_neighbors_fill_the_first_places():
    """As in a slice of the codes for a thread: the rest is untouched, and no memory beyond the histogram is used."""
    n_queries, n, k = 4_000, 70, 100
    codes, queries = np.zeros((n, 1), np.uint64), np.zeros((n_queries, 1), np.uint64)
    distances, rows = np.full((n_queries, k), 7, np.int32), np.full((n_queries, k), 7, np.int64)
    nearest_of_few(codes, 0, queries, distances, rows)
    assert (distances[:, :n] == 0).all()
    assert (rows[:, :n] == np.arange(n)).all()
    assert (distances[:, n:] == 7).all()
    assert (rows[:, n:] == 7).all()
