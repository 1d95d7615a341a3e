"""The search functions against their numpy twin."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.index._kernels import BLOCK
from skhash.index._search import nearest, within


def twin(codes, queries):
    """All distances, and all ids of each query by (distance, id)."""
    distances = np.bitwise_count(codes[None] ^ queries[:, None]).sum(axis=2, dtype=np.int32)
    return distances, np.argsort(distances, axis=1, kind="stable")


@st.composite
def databases(draw):
    """Packed codes and queries, often with many equal ones and sometimes with more than a block of codes."""
    bits = draw(st.integers(1, 200))
    n = draw(st.one_of(st.integers(1, 20), st.integers(BLOCK - 2, 3 * BLOCK)))
    n_queries = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = pack_codes(rng.integers(0, 2, (draw(st.sampled_from([1, 2, 5, n + n_queries])), bits), dtype=np.uint8))
    rows = distinct[rng.integers(0, len(distinct), n + n_queries)]
    return rows[:n], rows[n:]


def check_nearest(codes, queries, k, n_jobs=None):
    expected, order = twin(codes, queries)
    distances, ids = nearest(codes, queries, k, n_jobs)
    assert distances.dtype == np.int32
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, order[:, :k])
    np.testing.assert_array_equal(distances, np.take_along_axis(expected, order[:, :k], axis=1))


def check_within(codes, queries, radius, n_jobs=None):
    expected, order = twin(codes, queries)
    counts, distances, ids = within(codes, queries, radius, n_jobs)
    assert distances.dtype == np.int32
    assert ids.dtype == np.int64
    inside = np.take_along_axis(expected, order, axis=1) <= radius
    np.testing.assert_array_equal(counts, inside.sum(axis=1))
    np.testing.assert_array_equal(ids, order[inside])
    np.testing.assert_array_equal(distances, np.take_along_axis(expected, order, axis=1)[inside])


@settings(deadline=None)
@given(databases(), st.data())
def test_nearest_equals_its_twin(database, data):
    codes, queries = database
    k = data.draw(st.integers(1, len(codes)), label="k")
    check_nearest(codes, queries, k, n_jobs=data.draw(st.sampled_from([1, 2]), label="n_jobs"))


@settings(deadline=None)
@given(databases(), st.data())
def test_within_equals_its_twin(database, data):
    codes, queries = database
    radius = data.draw(st.integers(0, 64 * codes.shape[1] + 1), label="radius")
    check_within(codes, queries, radius, n_jobs=data.draw(st.sampled_from([1, 2]), label="n_jobs"))


def test_candidates_are_cut_back_to_the_nearest():
    # The far half comes first, and within each half the distance falls: the limit drops again and again.
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, (20_000, 1), dtype=np.uint64)
    queries = rng.integers(0, 2**64, (3, 1), dtype=np.uint64)
    codes = codes[np.argsort(-np.bitwise_count(codes ^ queries[0]).sum(axis=1, dtype=np.int64), kind="stable")]
    for k in (1, 10, 700, 20_000):
        check_nearest(codes, queries, k)


def test_more_queries_than_one_slice_holds():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**8, (3_000, 2), dtype=np.uint64)
    queries = codes[rng.integers(0, 3_000, 150)]
    for n_jobs in (1, 2, 3):
        check_nearest(codes, queries, 7, n_jobs)
        check_within(codes, queries, 1, n_jobs)


def test_a_full_tile_and_one_code():
    rng = np.random.default_rng(2)
    for n_words in (1, 2, 3):
        for n in (4096, 4097, 8 * BLOCK + 1):
            codes = rng.integers(0, 4, (n, n_words), dtype=np.uint64)
            check_nearest(codes, codes[-3:], 5)
            check_within(codes, codes[-3:], 1)


def test_the_last_block_does_not_see_codes_of_the_tile_before():
    codes = np.zeros((8 * BLOCK + 1, 1), np.uint64)
    codes[-1] = 2**64 - 1
    counts, _, ids = within(codes, np.zeros((1, 1), np.uint64), 0)
    assert counts.tolist() == [8 * BLOCK]
    assert ids.max() == 8 * BLOCK - 1
