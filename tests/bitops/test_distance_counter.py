"""Counts of distances against numpy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import DistanceCounter


def make_codes(n, n_words, seed=0):
    """Codes from all zeros to all ones in a random order, so that all distances occur."""
    rng = np.random.RandomState(seed)
    bits = rng.rand(n, 64 * n_words) < rng.permutation(np.linspace(0, 1, n))[:, None]
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def by_numpy(codes, queries, starts=None, stops=None):
    counts = np.zeros((len(queries), 64 * codes.shape[1] + 1), np.int64)
    for q, query in enumerate(queries):
        part = codes if starts is None else codes[starts[q] : stops[q]]
        distances = np.bitwise_count(part ^ query).sum(axis=1, dtype=np.int64)
        counts[q] = np.bincount(distances, minlength=counts.shape[1])
    return counts


@pytest.mark.parametrize("n_words", [1, 2, 3, 4, 5, 6])
def test_all_codes(n_words):
    queries = make_codes(9, n_words, seed=1)
    for n in [0, 1, 63, 64, 65, 511, 512, 513, 1023, 1025, 2047, 2048, 2049, 2560, 4097]:
        codes = make_codes(n, n_words)
        got = DistanceCounter(codes).count(queries)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, by_numpy(codes, queries))


@pytest.mark.parametrize("n_words", [1, 2, 3, 4, 5, 6])
def test_smallest_and_largest_distance(n_words):
    zeros, ones = np.zeros((700, n_words), np.uint64), np.full((3, n_words), 2**64 - 1, np.uint64)
    counts = DistanceCounter(np.vstack([zeros, ones])).count(np.vstack([zeros[:1], ones[:1]]))
    assert counts[:, [0, -1]].tolist() == [[700, 3], [3, 700]]
    assert (counts.sum(axis=1) == 703).all()


@pytest.mark.parametrize("n_words", [1, 3, 4, 5])
@pytest.mark.parametrize("n_queries", [1, 63, 64, 65, 129, 200])
def test_adjacent_queries_of_one_range(n_words, n_queries):
    codes, queries = make_codes(1500, n_words), make_codes(n_queries, n_words, seed=1)
    counter = DistanceCounter(codes)
    np.testing.assert_array_equal(counter.count(queries), by_numpy(codes, queries))
    ranges = np.full(n_queries, 70), np.full(n_queries, 1100)
    np.testing.assert_array_equal(counter.count(queries, *ranges), by_numpy(codes, queries, *ranges))


@given(
    n_words=st.integers(1, 6),
    n=st.integers(1, 3000),
    runs=st.lists(st.tuples(st.integers(1, 70), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_ranges(n_words, n, runs, seed):
    codes, repeats = make_codes(n, n_words, seed), [run[0] for run in runs]
    ends = np.sort([[round(n * end) for end in run[1:]] for run in runs], axis=1)
    starts, stops = np.repeat(ends, repeats, axis=0).T.copy()
    queries = make_codes(len(starts), n_words, seed + 1)
    got = DistanceCounter(codes).count(queries, starts, stops)
    np.testing.assert_array_equal(got, by_numpy(codes, queries, starts, stops))


@pytest.mark.parametrize("n_words", [1, 4, 5])
@pytest.mark.parametrize("end", [0, 1, 64, 511, 512, 513, 1000])
def test_empty_ranges(n_words, end):
    codes, queries = make_codes(1000, n_words), make_codes(3, n_words, seed=1)
    ends = np.full(3, end)
    assert not DistanceCounter(codes).count(queries, ends, ends).any()


@pytest.mark.parametrize("n_words", [2, 5])
def test_what_is_counted_is_left_alone_and_may_be_strided(n_words):
    wide, queries = make_codes(300, 2 * n_words), make_codes(4, 2 * n_words, seed=1)
    codes, copies = wide[:, ::2], (wide.copy(), queries.copy())
    counter = DistanceCounter(codes)
    for _ in range(2):  # scratch is not left over either
        np.testing.assert_array_equal(counter.count(queries[:, ::2]), by_numpy(codes, queries[:, ::2]))
    np.testing.assert_array_equal(wide, copies[0])
    np.testing.assert_array_equal(queries, copies[1])


@pytest.mark.parametrize("n_words", [2, 5])
def test_no_queries(n_words):
    counts = DistanceCounter(make_codes(10, n_words)).count(np.empty((0, n_words), np.uint64))
    assert counts.shape == (0, 64 * n_words + 1)


@pytest.mark.parametrize("n_words", [2, 5])
@pytest.mark.parametrize(
    ("queries", "ranges", "message"),
    [
        (
            lambda codes: codes[:, :1],
            (),
            r"queries must be uint64 of shape \(n_queries, {n_words}\).* got uint64 .* 1\)",
        ),
        (lambda codes: codes.astype(np.int64), (), r"queries must be uint64 .*got int64"),
        (lambda codes: codes[0], (), r"queries must be uint64 .*got uint64 of shape \({n_words},\)"),
        (lambda codes: codes, ([0, -1, 0], [1, 1, 1]), "starts and stops must be .* from 0 to 3"),
        (lambda codes: codes, ([0, 0, 0], [1, 4, 1]), "starts and stops must be .* from 0 to 3"),
        (lambda codes: codes, ([0, 0], [1, 1]), "starts and stops must be integers of shape"),
    ],
)
def test_errors(n_words, queries, ranges, message):
    codes = make_codes(3, n_words)
    with pytest.raises(ValueError, match=message.format(n_words=n_words)):
        DistanceCounter(codes).count(queries(codes), *(np.array(ends) for ends in ranges))


@pytest.mark.parametrize("codes", [np.zeros((3, 1), np.int64), np.zeros(3, np.uint64), np.zeros((3, 0), np.uint64)])
def test_what_is_no_packed_codes(codes):
    with pytest.raises(ValueError, match=r"codes must be uint64 of shape \(n, n_words\)"):
        DistanceCounter(codes)


@pytest.mark.parametrize("n_words", [1, 5, 16])
def test_ranges_across_stretches_of_long_codes(n_words):
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 2**63, (n, n_words)).astype(np.uint64) for n in (2500, 4))
    starts, stops = np.array([0, 1000, 1024, 2400]), np.array([2500, 1030, 2048, 2400])
    counts = DistanceCounter(codes).count(queries, starts, stops)
    for query, start, stop, got in zip(queries, starts, stops, counts, strict=True):
        distances = np.bitwise_count(codes[start:stop] ^ query).sum(axis=1, dtype=np.int64)
        assert got.tolist() == np.bincount(distances, minlength=64 * n_words + 1).tolist()
