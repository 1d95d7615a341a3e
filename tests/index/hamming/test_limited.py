"""Searches with limited work: what they call certain is exact, and more work never makes less certain."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import HammingIndex
from skhash.index.engine._background import finish
from skhash.index.mih._kernels import FAR
from skhash.index.mih._multi_index import MultiIndex


def draw_codes(rng, n, bits, n_centers=5, flips=0.1):
    centers = rng.random((n_centers, bits)) < 0.5
    return (centers[rng.integers(0, n_centers, n)] ^ (rng.random((n, bits)) < flips)).astype(np.uint8)


def all_distances(queries, codes):
    return (queries[:, None] != codes).sum(axis=2)


def assert_certain_is_exact(index, codes, queries, k, allowed, limits):
    """Compare the answers within each limit with a sort of all distances; return how many were certain."""
    distances = all_distances(queries, codes)
    rows = np.arange(len(codes))
    found = []
    for limit in limits:
        near, ids, n_certain = index.kneighbors_limited(queries, k, max_probes=limit)
        assert near.shape == ids.shape == (len(queries), k)
        for q in range(len(queries)):
            order = sorted(rows[allowed], key=lambda row: (distances[q, row], row))[:k]
            m = n_certain[q]
            assert ids[q, :m].tolist() == order[:m]
            n_met = np.count_nonzero(near[q] >= 0)
            assert (near[q, n_met:] == -1).all()
            assert (ids[q, n_met:] == -1).all()
            met = list(zip(near[q, :n_met], ids[q, :n_met], strict=True))
            assert met == sorted(set(met))
            assert all(distances[q, row] == distance and allowed[row] for distance, row in met)
        found.append(n_certain)
    return np.array(found)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([3, 12, 40, 64, 100, 200]), st.integers(1, 400), st.integers(1, 30),
    st.sampled_from([0.0, 0.02, 0.1, 0.5]), st.sampled_from([0, 1, 30]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_certain_neighbors_are_exact(seed, bits, n, k, flips, n_added, removes, never_scans):
    rng = np.random.default_rng(seed)
    codes = draw_codes(rng, n + n_added, bits, flips=flips)
    queries = np.concatenate([codes[rng.integers(0, n, 3)], draw_codes(rng, 2, bits, flips=0.5)])
    index = HammingIndex(algorithm="mih").fit(codes[:n])
    index.kneighbors(queries, 1)
    if n_added:
        index.add(codes[n:])
    allowed = np.ones(len(codes), bool)
    if removes:
        removed = rng.random(len(codes)) < 0.2
        index.remove(np.flatnonzero(removed))
        allowed[removed] = False
    if never_scans and index._get_engine()._state[0].tables is not None:
        index._get_engine()._state[0].scan_ns = np.inf
    limits = [1, 2, 5, 30, 300, 10**12 if bits < 20 or not never_scans else 3000]
    n_certain = assert_certain_is_exact(index, codes, queries, k, allowed, limits)
    assert (np.diff(n_certain, axis=0) >= 0).all()
    if limits[-1] == 10**12:
        assert (n_certain[-1] == min(k, allowed.sum())).all()

    distances, ids, n_certain = index.kneighbors_limited(queries, k, max_probes=None)
    exact = index.kneighbors(queries, k, missing="pad")
    assert (distances.tolist(), ids.tolist()) == (exact[0].tolist(), exact[1].tolist())
    assert (n_certain == min(k, allowed.sum())).all()


def test_where_and_user_defined_ids():
    rng = np.random.default_rng(0)
    codes = draw_codes(rng, 3000, 64)
    names = np.array([f"code {i}" for i in range(3000)], object)
    index = HammingIndex(algorithm="auto").fit(codes, ids=names)
    allowed = rng.random(3000) < 0.3
    exact = index.kneighbors(codes[:50], 20, where=allowed)
    small = index.kneighbors_limited(codes[:50], 20, max_probes=40, where=allowed)
    assert (small[2] == 20).all()  # a scan costs less
    index._get_engine()._state[0].scan_ns = np.inf
    distances, ids, n_certain = index.kneighbors_limited(codes[:50], 20, max_probes=40, where=allowed)
    assert index.last_search_ == {"algorithm": "mih", "n_queries": 50, "n_probed": 50}
    assert 0 < n_certain.mean() < 20
    for q in range(50):
        assert ids[q, : n_certain[q]].tolist() == exact[1][q, : n_certain[q]].tolist()
        assert distances[q, : n_certain[q]].tolist() == exact[0][q, : n_certain[q]].tolist()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_buckets_of_one_table_are_looked_up_in_order(n_jobs):
    """An explicit loop over the buckets of a table of 10 bits: by distance, then as numbers."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1024, 300).astype(np.uint64)[:, None]
    queries = rng.integers(0, 1024, 20).astype(np.uint64)[:, None]
    index = finish(MultiIndex.in_steps(codes, 10))
    assert len(index._tables.bases) == 1
    masks = [sorted(sum(1 << i for i in on) for on in combinations(range(10), step)) for step in range(11)]
    k = 8
    for limit in [1, 2, 10, 11, 12, 40, 66, 67, 300, 1024, 5000]:
        distances, rows, reached, bounds = index.nearest_met(queries, k, n_jobs, max_probes=limit)
        assert (bounds == -1).all()
        for q, query in enumerate(queries[:, 0]):
            met, left = [], limit
            for step in range(11):
                for mask in masks[step][:left]:
                    met += [(step, row) for row in np.flatnonzero(codes[:, 0] == query ^ np.uint64(mask))]
                is_short, left = left < len(masks[step]), max(left - len(masks[step]), 0)
                ends = len(met) >= k and sorted(met)[k - 1][0] <= step - is_short
                if ends or is_short:
                    break
            expected = sorted(met)[:k]
            expected += [(FAR, -1)] * (k - len(expected))
            assert list(zip(distances[q], rows[q], strict=True)) == expected
            assert reached[q] == (FAR if ends else step - 1)


def test_more_neighbors_than_codes():
    index = HammingIndex().fit([[0, 0], [0, 1], [1, 1]])
    for limit in (1, 100, None):
        distances, ids, n_certain = index.kneighbors_limited([[0, 0]], 5, max_probes=limit)
        assert distances[:, 3:].tolist() == ids[:, 3:].tolist() == [[-1, -1]]
        assert ids[0, 0] == 0
        assert 1 <= n_certain[0] <= 3
    assert n_certain[0] == 3
    empty = index.remove([0, 1, 2])
    for limit in (3, None):
        distances, ids, n_certain = empty.kneighbors_limited([[0, 0]], 2, max_probes=limit)
        assert (distances.tolist(), ids.tolist(), n_certain.tolist()) == ([[-1, -1]], [[-1, -1]], [0])


def test_wrong_arguments():
    index = HammingIndex().fit([[0, 0], [0, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"max_probes == 0, must be >= 1"):
        index.kneighbors_limited([[0, 0]], 1, max_probes=0)
    with pytest.raises(TypeError, match="max_probes must be an instance of"):
        index.kneighbors_limited([[0, 0]], 1, max_probes=2.5)
    with pytest.raises(ValueError, match=r"needs queries, got X=None"):
        index.kneighbors_limited(None, 2)
    with pytest.raises(ValueError, match=r"needs tables, got algorithm='brute'"):
        index.set_params(algorithm="brute").kneighbors_limited([[0, 0]], 1)
    long = HammingIndex(bits=64 * 600).fit(np.ones((3, 600), np.uint64))
    with pytest.raises(ValueError, match="max_probes needs tables, which cannot hold"):
        long.kneighbors_limited(np.ones((1, 600), np.uint64), 1)


@pytest.mark.parametrize("bits", [12, 24, 64])
def test_ties_beyond_the_distance_reached_are_not_certain(bits):
    """Many codes are at each distance, so that those met are not the first ones by row."""
    rng = np.random.default_rng(2)
    codes = draw_codes(rng, 600, bits, n_centers=3, flips=0.08)
    queries = draw_codes(rng, 30, bits, n_centers=3, flips=0.08)
    queries[:20] = codes[:20]
    index = HammingIndex(algorithm="mih").fit(codes)
    index.kneighbors(queries, 1)
    index._get_engine()._state[0].scan_ns = np.inf
    n_certain = assert_certain_is_exact(index, codes, queries, 200, np.ones(600, bool), [1, 3, 7, 20, 50, 200, 1000])
    assert (np.diff(n_certain, axis=0) >= 0).all()
    assert n_certain[0].mean() < n_certain[-1].mean()
