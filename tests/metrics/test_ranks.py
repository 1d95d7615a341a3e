"""Ranks of relevant items against a sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics._ranks import count_listed, measure, rank_relevant, shift_to_starts, sum_precisions


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


@given(data=st.data(), seed=st.integers(0, 1000), bits=st.sampled_from([1, 3, 8, 70, 300]), n=st.integers(1, 40))
@settings(max_examples=80, deadline=None)
def test_ranks_and_counts_of_listed_items(data, seed, bits, n):
    rng = np.random.RandomState(seed)
    codes, queries = rng.randint(0, 2, (n, bits)), rng.randint(0, 2, (5, bits))
    lists = [np.flatnonzero(rng.rand(n) < share) for share in (0.0, 0.3, 1.0)]
    group, own = (
        np.array([2, 0, 1, 1, 2]),
        np.array(data.draw(st.lists(st.integers(-1, n - 1), min_size=5, max_size=5))),
    )
    offsets, rows = np.cumsum([0, *map(len, lists)]), np.concatenate(lists)
    lengths = np.array([len(lists[g]) for g in group])
    starts, totals, ranks = lengths.cumsum() - lengths, np.empty(5, np.int64), np.empty(lengths.sum(), np.int64)
    packed, packed_queries = pack_codes(codes), pack_codes(queries)
    scratch = np.empty(n, np.min_scalar_type(bits + 1)), np.empty(n, np.int32)
    rank_relevant(
        *(packed_queries, np.ascontiguousarray(packed.T), group, offsets, rows, own, bits),
        *(*scratch, starts, ranks, totals),
    )
    counts = np.zeros((5, bits + 1), np.int64)
    count_listed(packed_queries, packed, group, offsets, rows, counts)
    for q in range(5):
        distances = (codes != queries[q]).sum(axis=1)
        order = [row for row in np.argsort(distances, kind="stable") if row != own[q]]
        expected = [rank for rank, row in enumerate(order, start=1) if row in lists[group[q]]]
        assert totals[q] == len(expected)
        assert ranks[starts[q] : starts[q] + totals[q]].tolist() == expected
        assert counts[q].tolist() == np.bincount(distances[lists[group[q]]], minlength=bits + 1).tolist()


@pytest.mark.parametrize(
    ("R", "sums", "hits"), [(1, [1, 0, 0], [1, 0, 0]), (4, [1 + 2 / 4, 1 / 2 + 2 / 3, 0], [2, 2, 0])]
)
def test_sum_precisions(R, sums, hits):
    # Behind the ranks of the first query is a place that its own row left free.
    ranks, starts, totals = np.array([1, 4, 9, -1, 2, 3]), np.array([0, 4, 6]), np.array([3, 2, 0])
    got = sum_precisions(ranks, starts, totals, R)
    np.testing.assert_allclose(got[0], sums)
    assert got[1].tolist() == hits
