"""Search within a radius: a cap on the neighbors of a query, and the memory that it takes."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import HammingIndex, ShardedHammingIndex
from skhash.index import _shard_work
from skhash.index.engine import _nearest_within


def nearest_in_numpy(codes, ids, queries, radius, most, own=None):
    """Return (distance, id) of the nearest codes within the radius; of each query but itself if `own`."""
    found = []
    for q, query in enumerate(queries):
        distances = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int64)
        order = np.argsort(distances, kind="stable").tolist()
        rows = [row for row in order if distances[row] <= radius and (own is None or row != own[q])]
        found.append([(int(distances[row]), ids[row]) for row in rows[:most]])
    return found


def as_pairs(answer):
    return [list(zip(d.tolist(), i.tolist(), strict=True)) for d, i in zip(*answer, strict=True)]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_nearest_within_a_radius_equal_numpy(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, bits = data.draw(st.integers(1, 60)), data.draw(st.sampled_from([3, 6]))
    codes = rng.integers(0, 2**bits, (n, 1), dtype=np.uint64)
    algorithm = data.draw(st.sampled_from(["brute", "mih", "auto"]))
    index = HammingIndex(bits=bits, algorithm=algorithm).fit(codes)
    if data.draw(st.booleans()):
        index.kneighbors(codes[:1], 1)  # tables, beside which later codes are scanned
        codes = np.concatenate([codes, codes[: n // 20 + 1]])
        index.add(codes[n:])
    ids = np.arange(len(codes))
    if data.draw(st.booleans()) and len(codes) > 8:
        removed = rng.choice(len(codes), len(codes) // 8, replace=False)
        index.remove(removed)
        codes, ids = np.delete(codes, removed, axis=0), np.delete(ids, removed)
    where = rng.random(len(ids)) < 0.6 if data.draw(st.booleans()) else None
    allowed = np.ones(len(ids), bool) if where is None else where
    radius, most = data.draw(st.integers(0, bits)), data.draw(st.integers(1, 70))
    queries = rng.integers(0, 2**bits, (7, 1), dtype=np.uint64)
    usual, _nearest_within._AT_ONCE = _nearest_within._AT_ONCE, data.draw(st.sampled_from([1, 20, 2**20]))
    try:
        found = index.radius_neighbors(queries, radius, where=where, max_neighbors=most)
        among_themselves = index.radius_neighbors(None, radius, max_neighbors=most)
        graph = index.radius_neighbors_graph(queries, radius, "distance", max_neighbors=most)
    finally:
        _nearest_within._AT_ONCE = usual
    assert as_pairs(found) == nearest_in_numpy(codes[allowed], ids[allowed].tolist(), queries, radius, most)
    assert {d.dtype.name for d in found[0]} == {"int32"}
    assert {i.dtype.name for i in found[1]} == {"int64"}
    expected = nearest_in_numpy(codes, ids.tolist(), codes, radius, most, np.arange(len(codes)))
    assert as_pairs(among_themselves) == expected
    columns = nearest_in_numpy(codes, list(range(len(ids))), queries, radius, most)
    assert list(zip(graph.data.tolist(), graph.indices.tolist(), strict=True)) == [
        pair for some in columns for pair in some
    ]
    assert np.diff(graph.indptr).tolist() == [len(some) for some in columns]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 6), st.integers(1, 30) | st.none(), st.integers(1, 50))
def test_shards_find_the_same_as_one_index(seed, n_parts, radius, most, at_once):
    rng = np.random.default_rng(seed)
    parts = [rng.integers(0, 2**6, (rng.integers(1, 20), 1), dtype=np.uint64) for _ in range(n_parts)]
    queries = rng.integers(0, 2**6, (5, 1), dtype=np.uint64)
    codes = np.concatenate(parts)
    shards = ShardedHammingIndex([HammingIndex(bits=6).fit(part) for part in parts])
    usual, _shard_work._MERGED_AT_ONCE = _shard_work._MERGED_AT_ONCE, at_once
    try:
        found = shards.radius_neighbors(queries, radius, max_neighbors=most)
        k = min(most or 1, len(codes))
        nearest = shards.kneighbors(queries, k)
    finally:
        _shard_work._MERGED_AT_ONCE = usual
    ids = list(range(len(codes)))
    assert as_pairs(found) == nearest_in_numpy(codes, ids, queries, radius, most)
    assert as_pairs(nearest) == nearest_in_numpy(codes, ids, queries, 6, k)


@pytest.mark.parametrize("search", ["radius_neighbors", "radius_neighbors_graph", "shards"])
def test_a_wrong_cap_is_refused(search):
    index = HammingIndex().fit([[0, 1], [1, 1]])
    method = getattr(index, search, ShardedHammingIndex([index]).radius_neighbors)
    with pytest.raises(ValueError, match=re.escape("max_neighbors == 0, must be >= 1.")):
        method([[0, 0]], 1, max_neighbors=0)
    for wrong in (1.5, "2", [1]):
        with pytest.raises(TypeError, match="max_neighbors must be an instance of int"):
            method([[0, 0]], 1, max_neighbors=wrong)
    method([[0, 0]], 1, max_neighbors=np.int8(1))


def bytes_of(search):
    search()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    answer = search()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak, answer


@pytest.mark.parametrize(
    ("way", "most"),
    [("brute", 13), ("removed", 13), ("themselves", 14.5), ("tail", 13), ("shards", 27), ("graph", 17.5)],
)
def test_a_search_holds_little_more_than_its_result(way, most):
    rng = np.random.default_rng(0)
    codes, queries = rng.integers(0, 2**16, (2, 4000, 1), dtype=np.uint64)
    index = HammingIndex(bits=16, algorithm="mih" if way == "tail" else "brute").fit(codes)
    if way == "removed":
        index.remove(range(0, 800, 3))
    if way == "tail":
        index.kneighbors(queries[:1])
        index.add(codes[:100])
    if way == "shards":
        index = ShardedHammingIndex([HammingIndex(bits=16, algorithm="brute").fit(codes[i::3]) for i in range(3)])
    if way == "graph":
        peak, graph = bytes_of(lambda: index.radius_neighbors_graph(queries, 6))
        n_found = graph.nnz
    else:
        peak, found = bytes_of(lambda: index.radius_neighbors(None if way == "themselves" else queries, 6))
        n_found = sum(map(len, found[1]))
    assert n_found > 10**6
    assert peak < most * n_found


def test_a_cap_bounds_the_memory_whatever_is_found():
    codes = np.zeros((20_000, 1), np.uint64)
    index = HammingIndex(bits=64, algorithm="brute").fit(codes)
    peak, (distances, ids) = bytes_of(lambda: index.radius_neighbors(codes[:500], 3, max_neighbors=4))
    assert [some.tolist() for some in ids] == [[0, 1, 2, 3]] * 500
    assert [some.tolist() for some in distances] == [[0] * 4] * 500
    assert peak < 2**20  # 120 MB without a cap
