"""`explain` forecasts what a search then does."""

import numpy as np
import pytest

from skhash import HammingIndex
from skhash.index import SearchPlan
from skhash.index.engine import _chooser


def clustered(rng, n, n_centers=1000, flips=0.02):
    """Codes of 64 bits around centers, packed."""
    centers = rng.random((n_centers, 64)) < 0.5
    bits = centers[rng.integers(0, n_centers, n)] ^ (rng.random((n, 64)) < flips)
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


@pytest.fixture
def eager(monkeypatch):
    """Tables are built as soon as they would save anything."""
    monkeypatch.setattr(_chooser, "_FORECAST", (0, 0))
    monkeypatch.setattr(_chooser, "_BUILD", 0)
    monkeypatch.setattr(_chooser, "_COMPILE", 0)


def check(index, queries, **options):
    """Compare a plan with the search; return the plan."""
    before = index.memory_usage()["tables"]
    plan = index.explain(queries, **options)
    assert index.memory_usage()["tables"] == before  # nothing is built
    search = index.radius_neighbors if options.get("radius") is not None else index.kneighbors
    search(queries, **options)
    assert index.last_search_["algorithm"] == plan.algorithm
    index._get_engine().wait()
    assert (index.memory_usage()["tables"] > 0) == (plan.tables != "not built")
    assert plan.n_queries == len(queries)
    return plan


def test_a_small_collection_is_scanned():
    codes = clustered(np.random.default_rng(0), 500)
    plan = check(HammingIndex().fit(codes), codes[:10])
    assert (plan.algorithm, plan.tables, plan.n_codes, plan.n_allowed) == ("brute", "not built", 500, 500)
    assert plan.scan_ns > 0
    assert plan.tables_ns > 0
    assert "a scan costs less" in plan.reason


@pytest.mark.parametrize("algorithm", ["brute", "mih"])
def test_the_parameter_decides(algorithm):
    codes = clustered(np.random.default_rng(1), 2000)
    index = HammingIndex(algorithm=algorithm).fit(codes)
    plan = check(index, codes[:10], n_neighbors=3)
    assert (plan.algorithm, plan.reason) == (algorithm, "the parameter algorithm")
    assert plan.tables == {"brute": "not built", "mih": "to be built"}[algorithm]
    if algorithm == "mih":
        assert check(index, codes[:10], radius=2).tables == "built"


def test_auto_builds_tables_where_codes_are_near(eager):
    rng = np.random.default_rng(4)
    codes = clustered(rng, 200_000)
    index = HammingIndex().fit(codes)
    plan = check(index, codes[:100], radius=1)
    assert (plan.algorithm, plan.tables) == ("brute", "to be built in the background")
    assert plan.tables_ns < plan.scan_ns
    plan = check(index, codes[:100], radius=1)
    assert (plan.algorithm, plan.tables) == ("mih", "built")
    assert check(index, codes[100:200], n_neighbors=1).algorithm == "mih"


def test_auto_scans_where_codes_are_far(eager):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 2**64, (50_000, 2), dtype=np.uint64)
    plan = check(HammingIndex(bits=128).fit(codes), codes[:100] ^ np.uint64(0x0F0F0F0F0F0F0F0F), n_neighbors=10)
    assert plan.algorithm == "brute"
    assert plan.tables_ns > plan.scan_ns
    assert plan.reason == "tables would not have paid for themselves yet"


def test_few_queries_do_not_pay_for_tables():
    codes = clustered(np.random.default_rng(6), 200_000)
    plan = check(HammingIndex().fit(codes), codes[:2], n_neighbors=1)
    assert "not scanned long enough" in plan.reason


def test_a_memory_map_is_scanned(tmp_path, eager):
    codes = clustered(np.random.default_rng(7), 100_000)
    HammingIndex().fit(codes).save(tmp_path)
    plan = check(HammingIndex.open(tmp_path), codes[:20], radius=1)
    assert (plan.algorithm, plan.tables_ns, plan.n_distinct) == ("brute", None, None)
    assert "memory map" in plan.reason


def test_removed_appended_distinct_and_allowed_codes_are_counted():
    rng = np.random.default_rng(8)
    codes = clustered(rng, 1000)[rng.integers(0, 1000, 4000)]
    index = HammingIndex(algorithm="mih").fit(codes)
    index.kneighbors(codes[:1])
    index.add(codes[:100]).remove([0, 4050])
    plan = check(index, codes[:5], n_neighbors=2, where=np.arange(len(index)) < 1000)
    assert (plan.n_codes, plan.n_removed, plan.n_allowed, plan.n_appended) == (4098, 2, 1000, 100)
    assert plan.n_distinct < 2000
    assert check(index, codes[:5]).n_allowed == 4098


def test_it_explains_itself_in_a_table():
    index = HammingIndex(n_neighbors=1).fit([[0, 0, 1], [1, 1, 1]]).remove([0]).add([[0, 0, 0]])
    text = str(index.explain([[0, 0, 0], [1, 1, 1]]))
    assert [line.split()[0] for line in text.splitlines()] == [
        "algorithm", "queries", "codes", "scan", "tables", "threads"
    ]  # fmt: skip
    assert "us per query" in text
    plan = SearchPlan("mih", "because", 2, 1000, 10, 0, None, 0, 1500.0, None, "built", 1)
    assert str(plan).splitlines()[2:5] == [
        "codes      1,000 (10 allowed)", "scan       1.5 us per query", "tables     built, cost not forecast"
    ]  # fmt: skip


def test_without_queries_and_errors():
    index = HammingIndex(n_neighbors=1).fit([[0, 0, 1], [1, 1, 1]])
    assert index.explain().n_queries == 2
    with pytest.raises(ValueError, match=r"Pass n_neighbors or radius, got n_neighbors=1 and radius=2\."):
        index.explain(None, 1, 2)
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit"):
        index.explain([[0, 0, 1]], 3)
