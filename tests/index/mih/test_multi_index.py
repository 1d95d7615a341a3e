"""Multi-index hashing gives what an explicit sort of all distances gives, however the tables come out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.index.engine._background import finish
from skhash.index.mih._kernels import search
from skhash.index.mih._multi_index import MultiIndex
from skhash.index.mih._probe import probe
from skhash.index.mih._tables import build_tables, cut_bits
from skhash.index.scan._candidates import SHIFT, sort_by_digits
from skhash.index.scan._distinct import DistinctCodes


def draw_codes(rng, n, bits, n_centers, flips):
    """Codes around a few centers, some of them equal, as packed words with zero padding."""
    centers = rng.random((n_centers, bits)) < 0.5
    dense = centers[rng.integers(0, n_centers, n)] ^ (rng.random((n, bits)) < flips)
    padded = np.zeros((n, -(-bits // 64) * 64), np.uint8)
    padded[:, :bits] = dense
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def make_index(codes, bits, **lists):
    return finish(MultiIndex.in_steps(codes, bits, **lists))


def all_distances(codes, queries):
    return np.bitwise_count(queries[:, None] ^ codes).sum(axis=2, dtype=np.int64)


def expected_nearest(codes, queries, k, allowed=None):
    distances = all_distances(codes, queries)
    if allowed is not None:
        distances[:, ~allowed] = 10**6
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


def expected_within(codes, queries, radius, allowed=None):
    counts, near, rows = [], [], []
    for distances in all_distances(codes, queries):
        inside = (distances <= radius) & (True if allowed is None else allowed)
        order = np.argsort(distances, kind="stable")
        order = order[inside[order]]
        counts.append(len(order))
        near.append(distances[order])
        rows.append(order)
    return np.array(counts), np.concatenate(near), np.concatenate(rows)


def assert_same(answer, expected):
    assert [part.tolist() for part in answer] == [part.tolist() for part in expected]


@st.composite
def collections(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    bits = draw(st.one_of(st.integers(1, 300), st.sampled_from([1, 8, 32, 63, 64, 65, 128, 256, 512, 700])))
    n = draw(st.one_of(st.integers(1, 30), st.integers(31, 2000)))
    codes = draw_codes(rng, n, bits, draw(st.sampled_from([1, 3, 40])), draw(st.sampled_from([0.0, 0.02, 0.1, 0.5])))
    queries = np.concatenate([codes[rng.integers(0, n, 4)], draw_codes(rng, 2, bits, 2, 0.5)])
    allowed = rng.random(n) < draw(st.sampled_from([0.05, 0.6])) if draw(st.booleans()) else None
    if allowed is not None:
        allowed[rng.integers(0, n)] = True
    return codes, bits, queries, allowed


@settings(max_examples=40, deadline=None)
@given(
    collections(), st.booleans(), st.sampled_from([2, 4, 40, 2000]), st.integers(1, 2500), st.integers(0, 40),
    st.booleans(),
)  # fmt: skip
def test_same_as_sorting_all_distances(collection, collapse, length_of, k, radius, shares):
    codes, bits, queries, allowed = collection
    with pytest.MonkeyPatch.context() as patch:  # from many short substrings to few long ones
        patch.setattr("skhash.index.mih._tables.cut_bits", lambda bits, n: cut_bits(bits, length_of))
        if shares:  # one copy of the codes for all tables
            patch.setattr("skhash.index.mih._tables._COPIED", 0)
            patch.setattr("skhash.index.mih._tables._MOST_COPIED", (0, 0))
        distinct = DistinctCodes(codes)
        lists = {"ends": distinct.ends, "rows": distinct.rows} if collapse else {}
        index = make_index(distinct.codes if collapse else codes, bits, **lists)
    k = min(k, len(codes) if allowed is None else allowed.sum())
    # Few steps of many tables or long substrings are cheap, all steps are not: only then is there a budget.
    distances, rows, bounds, _ = index.nearest(queries, k, allowed=allowed, budget=2e5)
    expected = expected_nearest(codes, queries, k, allowed)
    ended = bounds < 0
    assert_same((distances[ended], rows[ended]), (expected[0][ended], expected[1][ended]))
    assert (bounds[~ended] >= expected[0][~ended, -1]).all()

    counts, distances, rows, _ = index.within(queries, radius, allowed=allowed, budget=2e5)
    ended = counts >= 0
    if ended.any():
        assert_same((counts[ended], distances, rows), expected_within(codes, queries[ended], radius, allowed))


def test_without_a_budget_every_query_ends():
    rng = np.random.default_rng(0)
    codes = draw_codes(rng, 500, 20, 5, 0.2)
    queries = draw_codes(rng, 5, 20, 5, 0.5)
    index = make_index(codes, 20)
    for k in (1, 10, 500):
        *answer, bounds, spent = index.nearest(queries, k)
        assert (bounds == -1).all()
        assert (spent > 0).all()
        assert_same(answer, expected_nearest(codes, queries, k))
    for radius in (0, 3, 20):
        assert_same(index.within(queries, radius)[:3], expected_within(codes, queries, radius))


def test_a_small_budget_gives_up_with_a_bound():
    rng = np.random.default_rng(1)
    codes = draw_codes(rng, 2000, 64, 2000, 0.5)
    queries = draw_codes(rng, 10, 64, 10, 0.5)
    index = make_index(codes, 64)
    _, _, bounds, spent = index.nearest(queries, 5, budget=10_000)
    assert (bounds >= expected_nearest(codes, queries, 5)[0][:, -1]).all()
    assert (bounds < 64).any()
    assert (spent <= 20_000).all()
    counts, distances, rows, _ = index.within(queries, 30, budget=10_000)
    assert (counts == -1).all()
    assert len(distances) == len(rows) == 0


def test_threads_give_the_same_answer():
    rng = np.random.default_rng(2)
    codes = draw_codes(rng, 3000, 48, 10, 0.05)
    queries = draw_codes(rng, 600, 48, 10, 0.05)
    index = make_index(codes, 48)
    for n_jobs in (2, 3):
        assert_same(index.nearest(queries, 7, n_jobs)[:2], index.nearest(queries, 7)[:2])
        assert_same(index.within(queries, 4, n_jobs)[:3], index.within(queries, 4)[:3])


@pytest.mark.parametrize("collapse", [False, True])
def test_more_neighbors_than_there_is_room_for_at_first(collapse):
    rng = np.random.default_rng(4)
    codes = draw_codes(rng, 3000, 20, 300, 0.1)
    distinct = DistinctCodes(codes)
    lists = {"ends": distinct.ends, "rows": distinct.rows} if collapse else {}
    index = make_index(distinct.codes if collapse else codes, 20, **lists)
    queries = draw_codes(rng, 40, 20, 5, 0.5)
    for radius in (9, 20):  # at last 120,000 neighbors
        assert_same(index.within(queries, radius)[:3], expected_within(codes, queries, radius))
    tied = draw_codes(rng, 3000, 20, 1, 0.0)  # more candidates than are kept
    index = make_index(tied, 20)
    assert_same(index.nearest(queries, 3)[:2], expected_nearest(tied, queries, 3))


def test_kernels_are_compiled_once_for_all_lengths():
    rng = np.random.default_rng(5)
    for bits in (8, 64, 200, 700, 1500):
        codes = draw_codes(rng, 300, bits, 3, 0.01)
        index = make_index(codes, bits)
        index.nearest(codes[:3], 2)
        index.within(codes[:3], 1, 2, allowed=np.ones(300, bool), budget=1e6)
    assert len(search.signatures) == 1
    assert len(probe.signatures) <= 1  # none if it came with `search` from the cache


def test_no_queries():
    index = make_index(np.arange(10, dtype=np.uint64)[:, None], 8)
    none = np.empty((0, 1), np.uint64)
    assert index.nearest(none, 3)[0].shape == (0, 3)
    assert [len(part) for part in index.within(none, 3)] == [0, 0, 0, 0]


@given(st.integers(0, 2**32 - 1), st.integers(0, 5000), st.sampled_from([1, 200, 10**5, 2**32 - 1]))
@settings(max_examples=30, deadline=None)
def test_sort_by_digits(seed, size, n_rows):
    rng = np.random.default_rng(seed)
    keys = (rng.integers(0, 300, size) << SHIFT) + rng.integers(0, n_rows, size)
    expected = np.sort(keys)
    first = size // 3
    expected[:first], expected[first:] = keys[:first], np.sort(keys[first:])
    sort_by_digits(keys, first, size, np.empty_like(keys), n_rows)
    assert keys.tolist() == expected.tolist()


@pytest.mark.parametrize(("bits", "is_shared"), [(20, False), (100, False), (256, False), (300, True), (700, True)])
def test_tables_hold_each_code_in_the_bucket_of_its_substring(bits, is_shared):
    rng = np.random.default_rng(3)
    codes = draw_codes(rng, 200, bits, 200, 0.5)
    tables = finish(build_tables(codes, bits))
    assert len(tables.codes) == (1 if is_shared else len(tables.members))
    dense = np.unpackbits(codes.view(np.uint8), axis=1, bitorder="little")
    for t, (first, end) in enumerate(zip(tables.starts[:-1], tables.starts[1:], strict=True)):
        keys = dense[:, first:end] @ (1 << np.arange(end - first, dtype=np.int64))
        members = tables.rows[tables.members[t]] if is_shared else tables.members[t]
        assert (np.sort(members) == np.arange(200)).all()
        assert keys[members].tolist() == np.sort(keys).tolist()
        if is_shared:
            assert (tables.codes[0] == codes[tables.rows]).all()
        else:
            assert (tables.codes[t] == codes[members]).all()
        offsets = tables.offsets[tables.bases[t] :][: 2 ** (end - first) + 1]
        assert offsets.tolist() == np.searchsorted(np.sort(keys), np.arange(2 ** (end - first) + 1)).tolist()


@pytest.mark.parametrize("bits", [1, 7, 64, 65, 300, 1000, 2048, 32768])
@pytest.mark.parametrize("n", [1, 2, 1000, 10**7, 2**32])
def test_substrings_cover_the_bits_unless_there_are_too_many(bits, n):
    lengths = np.diff(cut_bits(bits, n))
    assert len(lengths) <= 64
    assert lengths.sum() == bits or (lengths.sum() < bits and len(lengths) == 64)
    assert lengths.min() >= 1
    assert lengths.max() <= 24
    assert np.ptp(lengths) <= 1


def test_few_tables_for_very_long_codes():
    rng = np.random.default_rng(6)
    codes = draw_codes(rng, 300, 2**15, 10, 0.01)
    queries = np.concatenate([codes[:3], draw_codes(rng, 2, 2**15, 10, 0.01), draw_codes(rng, 2, 2**15, 2, 0.5)])
    index = make_index(codes, 2**15)
    assert index.nbytes < 1.2 * codes.nbytes
    for k in (1, 5, 300):  # without a budget, so that tables of a few of the bits find all codes
        assert_same(index.nearest(queries, k)[:2], expected_nearest(codes, queries, k))
    for radius in (0, 500, 2**15):
        assert_same(index.within(queries, radius)[:3], expected_within(codes, queries, radius))
