"""The engine gives the scan's answer whatever it chooses, and chooses by what searches cost."""

import copy
import doctest
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import HammingIndex
from skhash.index.engine import _chooser, _engine, _segment
from skhash.index.engine._engine import NearestRequest, RadiusRequest, SearchEngine
from skhash.index.scan import _scan as _search


def draw_codes(rng, n, bits, n_centers=10, flips=0.06):
    """Codes around a few centers, as packed words with zero padding."""
    centers = rng.random((n_centers, bits)) < 0.5
    padded = np.zeros((n, -(-bits // 64) * 64), np.uint8)
    padded[:, :bits] = centers[rng.integers(0, n_centers, n)] ^ (rng.random((n, bits)) < flips)
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def assert_same(answer, expected):
    assert [part.tolist() for part in answer] == [part.tolist() for part in expected]


def check(engine, queries, k, radius, allowed=None, n_jobs=None):
    n_allowed = len(engine.codes) if allowed is None else allowed.sum()
    if n_allowed:
        k = min(k, n_allowed)
        expected = _search.nearest(engine.codes, queries, k, allowed=allowed)
        assert_same(engine.search(queries, NearestRequest(k, n_jobs=n_jobs, allowed=allowed)), expected)
    expected = _search.within(engine.codes, queries, radius, allowed=allowed)
    assert_same(engine.search(queries, RadiusRequest(radius, n_jobs=n_jobs, allowed=allowed)), expected)


@pytest.fixture
def eager(monkeypatch):
    """Tables are built as soon as they would save anything."""
    monkeypatch.setattr(_chooser, "_FORECAST", (0, 0))
    monkeypatch.setattr(_chooser, "_BUILD", 0)
    monkeypatch.setattr(_chooser, "_COMPILE", 0)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([3, 32, 64, 100, 128]), st.integers(1, 2000), st.integers(0, 100),
    st.sampled_from(["auto", "brute", "mih"]), st.sampled_from([0.0, 0.05, 0.5]), st.sampled_from([0.0, 0.1, 1e6]),
    st.integers(1, 50), st.integers(0, 12), st.booleans(),
)  # fmt: skip
def test_same_as_the_scan(seed, bits, n, n_more, algorithm, flips, word, k, radius, masked):
    rng = np.random.default_rng(seed)
    codes = draw_codes(rng, n + n_more, bits, flips=flips)
    queries = np.concatenate([codes[rng.integers(0, n + n_more, 15)], draw_codes(rng, 5, bits)])
    allowed = rng.random(n + n_more) < 0.3 if masked else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_segment, "_WORD", word)  # no budget for the tables, the usual one, or any
        patch.setattr(_chooser, "_FORECAST", (0, 0))
        patch.setattr(_chooser, "_BUILD", 0)
        patch.setattr(_chooser, "_COMPILE", 0)
        engine = SearchEngine(codes[:n], bits, algorithm)
        check(engine, queries, k, radius, None if allowed is None else allowed[:n])
        engine = engine.extend(codes)
        for n_jobs in (None, 2):  # tables may appear at any time, and are there at last
            check(engine, queries, k, radius, allowed, n_jobs)
        engine.wait()
        for n_jobs in (None, 2):
            check(engine, queries, k, radius, allowed, n_jobs)


def test_brute_builds_nothing():
    codes = draw_codes(np.random.default_rng(0), 1000, 64)
    engine = SearchEngine(codes, 64, "brute")
    check(engine, codes[:20], 5, 3)
    assert engine.memory_usage() == {"codes": 8000, "distinct_codes": 0, "tables": 0}
    assert engine.last_search == {"algorithm": "brute", "n_queries": 20, "n_probed": 0}


def test_tables_are_built_at_first_use():
    codes = draw_codes(np.random.default_rng(1), 1000, 64)
    engine = SearchEngine(codes, 64, "mih")
    assert engine.memory_usage()["tables"] == 0
    engine.search(codes[:20], NearestRequest(5))
    usage = engine.memory_usage()
    assert usage["distinct_codes"] == 0
    assert usage["tables"] >= 6 * 12 * 1000  # a code and its number in each of 6 tables
    assert engine.last_search == {"algorithm": "mih", "n_queries": 20, "n_probed": 20}


def test_equal_codes_are_collapsed():
    rng = np.random.default_rng(2)
    codes = draw_codes(rng, 400, 64)[rng.integers(0, 400, 4000)]
    engine = SearchEngine(codes, 64, "mih")
    check(engine, codes[:20], 50, 3)
    check(engine, codes[:20], 50, 3, rng.random(4000) < 0.5)
    distinct = len(np.unique(codes))
    usage = engine.memory_usage()
    assert usage["codes"] == 32_000
    assert usage["distinct_codes"] == 8 * distinct + 8 * (distinct + 1) + 4 * 4000


def test_appended_codes_are_scanned_until_there_are_many():
    rng = np.random.default_rng(3)
    codes = draw_codes(rng, 1100, 64)
    engine = SearchEngine(codes[:1000], 64, "mih")
    engine.search(codes[:2], NearestRequest(1))
    tables = engine.memory_usage()["tables"]
    old, engine = engine, engine.extend(codes[:1050])
    assert old.codes.shape == (1000, 1)  # a search in it may go on
    assert engine.memory_usage() == {"codes": 8400, "distinct_codes": 0, "tables": tables}
    check(engine, codes[1040:1060], 5, 3)
    engine = engine.extend(codes)
    assert engine.memory_usage()["tables"] == 0
    check(engine, codes[1040:1060], 5, 3)
    assert engine.memory_usage()["tables"] > tables


def test_auto_takes_the_tables_where_codes_are_near(eager):
    rng = np.random.default_rng(4)
    codes = draw_codes(rng, 200_000, 64, 1000, 0.02)
    queries = draw_codes(rng, 100, 64, 1000, 0.02)
    queries[:90] = codes[:90]
    engine = SearchEngine(codes, 64)
    assert_same(engine.search(queries, NearestRequest(1)), _search.nearest(codes, queries, 1))
    assert engine.last_search == {"algorithm": "brute", "n_queries": 100, "n_probed": 0}  # no search waits for tables
    engine.wait()
    check(engine, queries, 1, 1)
    assert engine.last_search["n_probed"] == 100


def test_auto_scans_where_codes_are_far(eager):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 2**64, (50_000, 2), dtype=np.uint64)
    engine = SearchEngine(codes, 128)
    check(engine, codes[:100] ^ np.uint64(0x0F0F0F0F0F0F0F0F), 10, 40)
    assert engine.last_search["algorithm"] == "brute"
    assert engine.memory_usage()["tables"] == 0


def test_auto_leaves_tables_that_are_slower(eager):
    rng = np.random.default_rng(11)
    codes = draw_codes(rng, 200_000, 64, 1000, 0.02)
    engine = SearchEngine(codes, 64)
    engine.search(codes[:100], RadiusRequest(1))
    engine.wait()
    assert engine.memory_usage()["tables"] > 0
    far = rng.integers(0, 2**64, (100, 1), dtype=np.uint64)
    for _ in range(6):  # the first is probed, parts of three are scanned to compare
        assert_same(engine.search(far, NearestRequest(10)), _search.nearest(codes, far, 10))
    assert engine.last_search["algorithm"] == "brute"
    engine.search(codes[:100], RadiusRequest(1))
    assert engine.last_search["algorithm"] == "mih"


def test_auto_leaves_tables_where_many_codes_are_found(eager, monkeypatch):
    """A scan that follows a search in tables costs more the more codes are found, which is no slow call by chance."""
    codes = np.random.default_rng(12).integers(0, 2**64, (50_000, 1), dtype=np.uint64)
    engine = SearchEngine(codes, 64)
    engine._state[0].build()
    ns = {"scan": 1_000_000, "probe": 1_200_000}
    monkeypatch.setattr(_chooser, "_timed", lambda way, *args: (way(*args[:2]), ns[way.__name__] * len(args[1])))
    queries = codes[:40] ^ np.uint64(0x1111111111111111)
    for _ in range(5):
        assert engine.search(queries, RadiusRequest(30))[0].min() > 10_000
    assert engine.last_search["algorithm"] == "brute"


def test_auto_builds_no_tables_for_few_queries():
    rng = np.random.default_rng(6)
    codes = draw_codes(rng, 200_000, 64, 1000, 0.02)
    engine = SearchEngine(codes, 64)
    for query in codes[:3]:
        engine.search(query[None], NearestRequest(1))
    assert engine.memory_usage()["tables"] == 0


def test_auto_scans_a_memory_map(eager, tmp_path):
    codes = draw_codes(np.random.default_rng(7), 200_000, 64, 1000, 0.02)
    np.save(tmp_path / "codes.npy", codes)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    for array in (mapped, mapped.view(np.ndarray)[:]):
        engine = SearchEngine(array, 64)
        engine.search(codes[:100], RadiusRequest(1))
        assert engine.memory_usage()["tables"] == 0
    check(SearchEngine(mapped, 64, "mih"), codes[:3], 5, 2)


def test_threads_share_one_engine(eager):
    rng = np.random.default_rng(8)
    codes = draw_codes(rng, 30_000, 64, 1000, 0.02)
    expected = _search.nearest(codes, codes[:64], 3)
    for algorithm in ("auto", "mih"):
        engine = SearchEngine(codes, 64, algorithm)
        with ThreadPoolExecutor(8) as pool:
            for answer in pool.map(engine.search, [codes[:64]] * 16, [NearestRequest(3)] * 16):
                assert_same(answer, expected)


def test_copies_have_the_codes_and_no_tables():
    codes = draw_codes(np.random.default_rng(9), 500, 64)
    engine = SearchEngine(codes, 64, "mih")
    engine.search(codes[:2], NearestRequest(1))
    for twin in (copy.deepcopy(engine), pickle.loads(pickle.dumps(engine))):
        assert twin.algorithm == "mih"
        assert twin.memory_usage()["tables"] == 0
        check(twin, codes[:5], 3, 2)


def test_no_queries():
    codes = draw_codes(np.random.default_rng(10), 100, 64)
    for algorithm in ("auto", "brute", "mih"):
        engine = SearchEngine(codes, 64, algorithm)
        check(engine, codes[:0], 3, 2)


def test_unknown_algorithm():
    with pytest.raises(ValueError, match="algorithm must be 'auto', 'brute' or 'mih', got 'fast'"):
        SearchEngine(np.zeros((1, 1), np.uint64), 64, "fast")


def test_documented_example():
    assert doctest.testmod(_engine).failed == 0


def test_a_search_within_a_radius_that_no_table_answers_takes_no_more_memory_than_the_answer():
    codes = np.random.default_rng(0).integers(0, 2**64, (20_000, 1), np.uint64)
    engine = SearchEngine(codes, 64, "mih")
    engine.search(codes[:2], RadiusRequest(40))
    tracemalloc.start()
    counts, distances, rows = engine.search(codes[:20], RadiusRequest(40))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(distances, np.bitwise_count(codes[rows, 0] ^ np.repeat(codes[:20, 0], counts)))
    assert len(rows) > 300_000
    assert peak < 13 * len(rows)


def test_integer_ids_of_many_rows_take_no_further_memory():
    codes = np.random.default_rng(0).integers(0, 2**64, (20_000, 1), np.uint64)
    ids = np.random.default_rng(1).permutation(20_000) * 7
    index = HammingIndex(bits=64, algorithm="brute").fit(codes, ids=ids)
    index.radius_neighbors(codes[:2], 40)
    tracemalloc.start()
    distances, found = index.radius_neighbors(codes[:20], 40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 13.5 * sum(map(len, found))
    exact = np.bitwise_count(codes[:20] ^ codes[:, 0])
    for query in range(20):
        order = np.argsort(exact[query], kind="stable")[: len(found[query])]
        np.testing.assert_array_equal(found[query], ids[order])
        np.testing.assert_array_equal(distances[query], exact[query, order])
