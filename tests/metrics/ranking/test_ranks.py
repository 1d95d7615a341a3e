"""The kernels of rankings against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision
from skhash.metrics.ranking._ranks import (
    _STRETCH,
    count_listed,
    measure,
    merge_ends,
    rank_relevant,
    shift_to_starts,
    sum_precisions,
)
from skhash.metrics.ranking._sliced_ranks import SlicedDatabase


def draw_codes(n, bits, kinds, rng):
    """Draw codes of which only `kinds` differ, and those in some of the bits only, so that many distances are equal."""
    n_words = -(-bits // 64)
    base = rng.integers(0, 2, bits, dtype=np.uint8)
    kinds = base ^ (rng.random((kinds, bits)) < rng.choice([0.02, 0.3, 0.5]))
    padded = np.zeros((len(kinds), 64 * n_words), np.uint8)
    padded[:, :bits] = kinds
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)[rng.integers(0, len(kinds), n)]


def draw_lists(n, n_lists, rng):
    """Draw ascending lists of rows, from empty to full ones: `offsets` and `rows`."""
    lists = [np.flatnonzero(rng.random(n) < rng.choice([0, 0.01, 0.2, 1])) for _ in range(n_lists)]
    return np.cumsum([0, *map(len, lists)]), np.concatenate(lists)


def rank(queries, database, group, offsets, rows, own, bits, rank_type=np.int32):
    """Call `rank_relevant` and split its result by query."""
    lengths = np.diff(offsets)[group]
    starts, totals = lengths.cumsum() - lengths, np.full(len(queries), -1)
    ranks = np.full(lengths.sum(), -1, rank_type)
    distance = np.full(-(-len(database) // 64) * 64, 77, np.min_scalar_type(bits + 1))
    columns = np.ascontiguousarray(database.T)
    rank_relevant(queries, columns, group, offsets, rows, own, bits, distance, starts, ranks, totals)
    return [ranks[start : start + total].tolist() for start, total in zip(starts, totals, strict=True)]


def rank_by_sorting(queries, database, group, offsets, rows, own):
    """Compute the same by sorting (distance, row)."""
    answer = []
    for query, g, me in zip(queries, group, own, strict=True):
        distances = np.bitwise_count(database ^ query).sum(axis=1, dtype=int)
        order = sorted((d, row) for row, d in enumerate(distances.tolist()) if row != me)
        listed = set(rows[offsets[g] : offsets[g + 1]].tolist())
        answer.append([i + 1 for i, (_, row) in enumerate(order) if row in listed])
    return answer


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.integers(1, 200), st.sampled_from([511, 512, 513, _STRETCH - 1, _STRETCH, _STRETCH + 65])),
    st.one_of(st.integers(1, 384), st.sampled_from([63, 64, 65, 126, 127, 128, 253, 254, 255, 256, 257])),
    st.booleans(),
    st.sampled_from([np.int32, np.int64]),
    st.integers(0, 2**32 - 1),
)
def test_against_sorting(n, bits, exclude_self, rank_type, seed):
    rng = np.random.default_rng(seed)
    database = draw_codes(n, bits, rng.integers(1, 30), rng)
    own = rng.integers(0, n, 6) if exclude_self else np.full(6, -1)
    queries = database[rng.integers(0, n, 6)] if rng.random() < 0.5 else draw_codes(6, bits, 6, rng)
    group = rng.integers(0, 3, 6)
    offsets, rows = draw_lists(n, 3, rng)
    found = rank(queries, database, group, offsets, rows, own, bits, rank_type)
    assert found == rank_by_sorting(queries, database, group, offsets, rows, own)


@pytest.mark.parametrize("bits", [1, 64, 254, 255, 256, 384])
@pytest.mark.parametrize("flipped", [False, True])
def test_extreme_distances(bits, flipped):
    """All at distance 0 or `bits`: in database order, without the query itself, listed or not."""
    code = draw_codes(1, bits, 1, np.random.default_rng(bits))
    every = np.packbits(np.arange(64 * code.shape[1]) < bits, bitorder="little").view(np.uint64)
    database = np.repeat(code ^ every if flipped else code, 70, axis=0)
    offsets, rows = np.array([0, 3, 5, 5, 6]), np.array([0, 65, 69, 1, 66, 65])
    group, own = np.array([0, 0, 1, 2, 3]), np.array([-1, 65, 65, -1, 65])
    found = rank(np.repeat(code, 5, axis=0), database, group, offsets, rows, own, bits)
    assert found == [[1, 66, 70], [1, 69], [2, 66], [], []]


@pytest.mark.parametrize("bits", [5, 64, 130, 300])
def test_measure(bits):
    rng = np.random.RandomState(0)
    codes, query = rng.randint(0, 2, (50, bits)), rng.randint(0, 2, bits)
    distance = np.full(50, 7, np.uint16)
    measure(pack_codes(query[None])[0], np.ascontiguousarray(pack_codes(codes).T), distance)
    assert distance.tolist() == [int((code != query).sum()) for code in codes]


@pytest.mark.parametrize(("sizes", "starts"), [([2, 0, 3, 1], [0, 2, 2, 5]), ([4], [0])])
def test_shift_to_starts(sizes, starts):
    sizes = np.array(sizes)
    shift_to_starts(sizes)
    assert sizes.tolist() == starts


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 50), st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16]))
def test_merge_ends(first, width, seed, dtype):
    distance = np.random.default_rng(seed).integers(0, 256, 100).astype(dtype)
    expected = np.clip(distance.astype(int), first, first + width) - first
    merge_ends(distance, first, first + width)
    np.testing.assert_array_equal(distance, expected)


@pytest.mark.parametrize("n_words", range(1, 7))
def test_count_listed(n_words):
    rng = np.random.default_rng(n_words)
    database, queries = draw_codes(90, 64 * n_words, 20, rng), draw_codes(5, 64 * n_words, 5, rng)
    group = rng.integers(0, 3, 5)
    offsets, rows = draw_lists(90, 3, rng)
    counts = np.ones((5, 64 * n_words + 1), np.int64)
    count_listed(queries, database, group, offsets, rows, counts)
    for q in range(5):
        mine = database[rows[offsets[group[q]] : offsets[group[q] + 1]]]
        distances = np.bitwise_count(mine ^ queries[q]).sum(axis=1, dtype=int)
        np.testing.assert_array_equal(counts[q], 1 + np.bincount(distances, minlength=64 * n_words + 1))


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.integers(1, 1200), st.integers(0, 2**32 - 1))
def test_sum_precisions(lengths, R, seed):
    rng = np.random.default_rng(seed)
    lists = [np.sort(rng.permutation(1000)[:length]) + 1 for length in lengths]
    starts = np.cumsum([0, *lengths[:-1]])
    sums, hits = sum_precisions(np.concatenate(lists).astype(np.int32), starts, np.array(lengths), R)
    for mine, total, n_hits in zip(lists, sums, hits, strict=True):
        precisions = [(i + 1) / rank for i, rank in enumerate(mine.tolist()) if rank <= R]
        assert n_hits == len(precisions)
        assert total == pytest.approx(sum(precisions), rel=1e-13)


def rank_in_slices(database, queries, group, offsets, rows, own, rank_type):
    """Call `SlicedDatabase.rank` and split its result by query."""
    lengths = np.diff(offsets)[group]
    starts, totals = lengths.cumsum() - lengths, np.full(len(queries), -1)
    ranks = np.full(lengths.sum(), -1, rank_type)
    database.rank(queries, group, offsets, rows, own, starts, ranks, totals)
    return [ranks[start : start + total].tolist() for start, total in zip(starts, totals, strict=True)]


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.integers(1, 200), st.sampled_from([511, 512, 513, 1024, 2100, 5000])),
    st.sampled_from([1, 7, 63, 64, 65, 127, 128]),
    st.integers(1, 19),
    st.sampled_from([np.int32, np.int64]),
    st.integers(0, 2**32 - 1),
)
def test_ranks_in_slices_against_sorting(n, bits, n_queries, rank_type, seed):
    rng = np.random.default_rng(seed)
    codes = draw_codes(n + n_queries, bits, int(rng.integers(1, 40)), rng)
    database, sliced = codes[:n], SlicedDatabase(codes[:n])
    for _ in range(2):  # what is kept from one call to the next must not show
        offsets, rows = draw_lists(n, 3, rng)
        own = rng.integers(-1, n, n_queries)
        own = own if rng.random() < 0.5 else np.full(n_queries, -1)
        queries = np.where(own[:, None] >= 0, database[own], codes[n:])
        group = rng.integers(0, 3, n_queries)
        group = np.sort(group) if rng.random() < 0.5 else group
        found = rank_in_slices(sliced, queries, group, offsets, rows, own, rank_type)
        assert found == rank_by_sorting(queries, database, group, offsets, rows, own)


@pytest.mark.parametrize(
    ("n", "n_words", "n_queries", "memory", "pays"),
    [
        (2**14, 2, 50, 80 * 2**14, True),
        (2**14, 2, 50, 80 * 2**14 - 1, False),
        (2**14 - 1, 1, 50, 2**40, False),
        (2**19, 1, 50, 2**40, True),
        (2**19 + 1, 1, 50, 2**40, False),
        (2**15, 3, 50, 2**40, False),
        (2**15, 1, 49, 2**40, False),
    ],
)
def test_when_slices_pay(n, n_words, n_queries, memory, pays):
    assert SlicedDatabase.pays(n, n_words, np.arange(n_queries) % 5, memory) is pays


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("exclude_self", [True, False])
def test_scores_are_equal_bit_by_bit_with_slices_and_without(monkeypatch, n_jobs, exclude_self):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 1500)
    codes = (rng.integers(0, 2, (5, 64))[labels] ^ (rng.random((1500, 64)) < 0.2)).astype(np.uint8)
    n_queries = 1500 if exclude_self else 700
    sides = codes[:n_queries], codes, labels[:n_queries], labels
    calls = []
    monkeypatch.setattr(SlicedDatabase, "pays", staticmethod(lambda *_: True))
    original = SlicedDatabase.rank
    monkeypatch.setattr(SlicedDatabase, "rank", lambda *args: calls.append(0) or original(*args))
    sliced = mean_average_precision(*sides, exclude_self=exclude_self, n_jobs=n_jobs)
    assert len(calls) > 2
    monkeypatch.setattr(SlicedDatabase, "pays", staticmethod(lambda *_: False))
    plain = mean_average_precision(*sides, exclude_self=exclude_self, n_jobs=n_jobs)
    np.testing.assert_array_equal(sliced.per_query, plain.per_query)
