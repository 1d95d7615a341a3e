"""The search functions against their numpy twin."""

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.index.scan import _scan as _search
from skhash.index.scan._few import are_few
from skhash.index.scan._filter import BLOCK, TILE
from skhash.index.scan._scan import _rank_in_sample, nearest, within


def always(n, queries, k):
    return True


def never(n, queries, k):
    return False


@pytest.fixture(params=[always, never])
def stores_all(request):
    """Find the nearest from all distances, which are stored, or by the filter."""
    with patch.object(_search, "are_few", request.param):
        yield


def twin(codes, queries, allowed=None):
    """Distances of all allowed codes and their rows, per query by (distance, row)."""
    rows = np.arange(len(codes)) if allowed is None else np.flatnonzero(allowed)
    distances = np.bitwise_count(codes[rows] ^ queries[:, None]).sum(axis=2, dtype=np.int32)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), rows[order]


@st.composite
def databases(draw):
    """Packed codes and queries, often with many equal ones, and sometimes a mask of those that count."""
    bits = draw(st.integers(1, 600))
    n = draw(st.one_of(st.integers(1, 20), st.integers(BLOCK - 2, 3 * BLOCK), st.integers(TILE - 1, TILE + 9)))
    n_queries = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = pack_codes(rng.integers(0, 2, (draw(st.sampled_from([1, 2, 5, n + n_queries])), bits), dtype=np.uint8))
    codes = distinct[rng.integers(0, len(distinct), n + n_queries)]
    allowed = None
    if draw(st.booleans()):
        allowed = rng.random(n) < draw(st.sampled_from([0.02, 0.5, 1]))
        allowed[rng.integers(n)] = True
    return codes[:n], codes[n:], allowed


@st.composite
def plans(draw):
    """Limits at which the search takes another way, so small that little data goes all the ways."""
    return {
        "_MAX_QUERIES": draw(st.sampled_from([1, 3, 256])),
        "_FEW_QUERIES": draw(st.sampled_from([0, 2, 8])),
        "_MIN_WORK": draw(st.sampled_from([1, 500])),
        "_MAX_CANDIDATES": draw(st.sampled_from([1, 2**10, 2**17])),
        "_PICK": draw(st.sampled_from([-1e9, 2.0, 1e9])),  # gathers allowed codes always, where it pays, or never
        "are_few": draw(st.sampled_from([are_few, always, never])),
        "_rank_in_sample": draw(st.sampled_from([_rank_in_sample, lambda expected: 1])),  # guesses that fail, too
    }


def check_nearest(codes, queries, k, n_jobs=None, **options):
    expected_distances, expected_rows = twin(codes, queries, options.get("allowed"))
    distances, rows = nearest(codes, queries, k, n_jobs, **options)
    assert distances.dtype == np.int32
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, expected_rows[:, :k])
    np.testing.assert_array_equal(distances, expected_distances[:, :k])


def check_within(codes, queries, radius, n_jobs=None, **options):
    expected_distances, expected_rows = twin(codes, queries, options.get("allowed"))
    counts, distances, rows = within(codes, queries, radius, n_jobs, **options)
    assert distances.dtype == np.int32
    assert rows.dtype == counts.dtype == np.int64
    inside = expected_distances <= radius
    np.testing.assert_array_equal(counts, inside.sum(axis=1))
    np.testing.assert_array_equal(rows, expected_rows[inside])
    np.testing.assert_array_equal(distances, expected_distances[inside])


@settings(deadline=None)
@given(databases(), plans(), st.data())
def test_nearest_equals_its_twin(database, plan, data):
    codes, queries, allowed = database
    k = data.draw(st.integers(1, len(codes) if allowed is None else allowed.sum()), label="k")
    bound = None
    if data.draw(st.booleans(), label="bounded"):
        bound = twin(codes, queries, allowed)[0][:, k - 1] + data.draw(st.integers(0, 9), label="slack")
    with patch.multiple(_search, **plan):
        n_jobs = data.draw(st.sampled_from([1, 2, 3]), label="n_jobs")
        check_nearest(codes, queries, k, n_jobs, allowed=allowed, bound=bound)


@settings(deadline=None)
@given(databases(), plans(), st.data())
def test_within_equals_its_twin(database, plan, data):
    codes, queries, allowed = database
    radius = data.draw(st.integers(0, 64 * codes.shape[1] + 1), label="radius")
    with patch.multiple(_search, **plan):
        check_within(codes, queries, radius, data.draw(st.sampled_from([1, 2, 3]), label="n_jobs"), allowed=allowed)


@pytest.mark.usefixtures("stores_all")
def test_candidates_are_cut_back_to_the_nearest():
    # The far half comes first, and within each half the distance falls: the limit drops again and again.
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, (20_000, 1), dtype=np.uint64)
    queries = rng.integers(0, 2**64, (3, 1), dtype=np.uint64)
    codes = codes[np.argsort(-np.bitwise_count(codes ^ queries[0]).sum(axis=1, dtype=np.int64), kind="stable")]
    for k in (1, 10, 700, 20_000):
        check_nearest(codes, queries, k)


@pytest.mark.usefixtures("stores_all")
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("n_queries", [1, 5, 600])
def test_queries_and_codes_are_shared_out(n_queries, n_jobs):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**8, (3_000, 2), dtype=np.uint64)
    queries = codes[rng.integers(0, 3_000, n_queries)]
    with patch.object(_search, "_MIN_WORK", 1000):
        check_nearest(codes, queries, 7, n_jobs)
        check_within(codes, queries, 1, n_jobs)


def test_codes_that_may_not_be_written_to():
    codes = np.arange(500, dtype=np.uint64)[:, None]
    codes.flags.writeable = False
    check_nearest(codes, codes[:3], 5, allowed=np.arange(500) % 3 == 0)


def test_nothing_within_and_no_queries():
    codes = np.zeros((70, 2), np.uint64)
    assert [len(array) for array in within(codes, codes[:1], 0, allowed=np.zeros(70, bool))] == [1, 0, 0]
    assert [len(array) for array in within(codes, codes[:0], 0)] == [0, 0, 0]
    assert nearest(codes, codes[:0], 3)[1].shape == (0, 3)
    assert within(codes[:0], codes[:2], 0)[0].tolist() == [0, 0]


def test_the_last_tile_does_not_see_codes_of_the_one_before():
    codes = np.zeros((TILE + 1, 1), np.uint64)
    codes[-1] = 2**64 - 1
    counts, _, rows = within(codes, np.zeros((1, 1), np.uint64), 0)
    assert counts.tolist() == [TILE]
    assert rows.max() == TILE - 1


@pytest.mark.usefixtures("stores_all")
def test_scans_that_use_the_same_memory_do_not_disturb_each_other():
    """Scans of few queries, of changing shapes and in threads, whose memory is kept for the next one."""
    rng = np.random.default_rng(0)
    jobs = []
    for n_words in (1, 2, 3):
        codes = rng.integers(0, 2**64, (700, n_words), np.uint64)
        for n_queries in (1, 2, 3, 7):
            queries = rng.integers(0, 2**64, (n_queries, n_words), np.uint64)
            exact = np.bitwise_count(queries[:, None] ^ codes).sum(axis=2, dtype=np.int32)
            order = np.argsort(exact, axis=1, kind="stable")
            jobs.append((codes, queries, np.take_along_axis(exact, order, axis=1), order))

    def search(number):
        codes, queries, distances, order = jobs[number % len(jobs)]
        k = 1 + number % 50
        for found, expected in zip(nearest(codes, queries, k), (distances, order), strict=True):
            np.testing.assert_array_equal(found, expected[:, :k])
        radius = int(distances[0, k])
        counts, found, rows = within(codes, queries, radius)
        assert counts.tolist() == (distances <= radius).sum(axis=1).tolist()
        np.testing.assert_array_equal(found, distances[distances <= radius])
        np.testing.assert_array_equal(rows, order[distances <= radius])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(search, np.random.default_rng(1).permutation(600).tolist()))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_queries", [1, 20])
def test_searches_whose_guessed_limit_was_too_low_are_repeated(n_queries, n_jobs):
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 2**64, (n, 1), dtype=np.uint64) for n in (3000, n_queries))
    with patch.multiple(_search, _rank_in_sample=lambda expected: 1, _MIN_WORK=1, are_few=never):
        check_nearest(codes, queries, 100, n_jobs)
        check_nearest(codes, queries, 100, n_jobs, bound=twin(codes, queries)[0][:, 99])
