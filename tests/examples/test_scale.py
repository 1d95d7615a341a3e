"""The formulas of examples/scale: memory, machines, time and cost of a collection."""

import argparse
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from skhash import HammingIndex, ShardedHammingIndex
from skhash.index.mih._tables import cut_bits

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def capacity():
    sys.path.insert(0, str(ROOT / "examples"))
    yield importlib.import_module("scale.capacity")
    sys.path.remove(str(ROOT / "examples"))
    for name in ("scale", "scale.capacity"):
        sys.modules.pop(name, None)


@pytest.fixture
def rate(capacity):
    """Return 0.2 ns a code for one query, and 0.11 ns a code and query for 100."""
    return capacity.ScanRate(single=0.2e-9, batch=11e-9)


def random_codes(n, bits):
    return np.random.default_rng(0).integers(0, 2**64, (n, bits // 64), dtype=np.uint64)


@pytest.mark.parametrize("bits", [16, 64, 65, 128, 256])
def test_bytes_of_codes(capacity, bits):
    index = HammingIndex().fit(np.random.default_rng(0).integers(0, 2, (50, bits)))
    assert index.memory_usage()["codes"] == 50 * capacity.code_bytes(bits)


@pytest.mark.parametrize(("n", "bits"), [(3000, 64), (20_000, 64), (70_000, 64), (5000, 128)])
def test_bytes_of_tables(capacity, n, bits):
    index = HammingIndex(algorithm="mih").fit(random_codes(n, bits))
    index.kneighbors(index.codes_[:1], 1)
    usage = index.memory_usage()
    assert usage["tables"] == capacity.table_bytes(n, bits)
    assert sum(usage.values()) == capacity.index_bytes(n, bits, has_tables=True)


@pytest.mark.parametrize("n", [10**6, 10**7, 10**8, 4 * 10**9])
@pytest.mark.parametrize("bits", [32, 64, 100, 128])
def test_bytes_of_large_tables(capacity, n, bits):
    """Too large to be built here: the substrings are those that the library would cut."""
    lengths = np.diff(cut_bits(bits, n)).astype(object)
    expected = sum(n * (4 + 8 * -(-bits // 64)) + 4 * (2**length + 1) for length in lengths)
    assert capacity.table_bytes(n, bits) == expected


def test_bytes_of_ids_and_labels(capacity):
    codes = random_codes(1000, 64)
    index = HammingIndex().fit(codes, np.arange(1000) % 7, ids=np.arange(1000)[::-1])
    usage = index.memory_usage()
    expected = capacity.index_bytes(1000, 64, has_ids=True, label_bytes=index.labels_.codes.itemsize)
    assert usage["codes"] + index.ids_.nbytes + index.labels_.codes.nbytes == expected == 1000 * (8 + 8 + 8)


def test_the_line_through_both_rates(capacity, rate):
    assert rate.seconds(10**9, 1) == pytest.approx(0.2)
    assert rate.seconds(10**9, 100) == pytest.approx(11)
    assert rate.compare == pytest.approx(0.10909e-9, rel=1e-3)
    assert rate.read == pytest.approx(0.2e-9 - rate.compare)
    steep = capacity.ScanRate(
        single=0.05e-9, batch=11e-9
    )  # a batch slower than single queries: reading is not negative
    assert steep.compare == pytest.approx(0.11e-9)
    flat = capacity.ScanRate(single=5e-9, batch=4e-9)
    assert (flat.compare, flat.read) == (0, 5e-9)


def test_machines(capacity, rate):
    machine = capacity.Machine(memory=1000, cores=4)
    assert [capacity.machines_for_memory(n, machine) for n in (1, 1000, 1001, 5000)] == [1, 1, 2, 5]
    assert [capacity.machines_for_memory(n, machine, 3) for n in (1, 1000, 1001)] == [3, 3, 4]
    # 1e9 codes keep a core busy for 0.2 s: 100 calls a second are 20 cores, 40 at half their load, 10 machines.
    assert capacity.machines_for_load(rate, 10**9, 100, machine) == 10
    assert capacity.machines_for_load(rate, 10**9, 100, machine, utilization=1.0) == 5
    assert capacity.machines_for_load(rate, 10**9, 0.1, machine) == 1


def test_bytes_on_the_network(capacity):
    network = capacity.Network(round_trip=1.0, bandwidth=2.0, merge=0.5)
    # 3 machines, 5 queries of 2 words, 7 neighbors of 12 bytes each, and 105 neighbors to merge
    assert capacity.network_seconds(3, network, 128, 5, 7) == 1 + 3 * 5 * (16 + 7 * 12) / 2 + 0.5 * 105


def test_neighbors_have_the_size_that_the_network_is_asked_for(capacity):
    distances, ids = HammingIndex().fit(random_codes(20, 64)).kneighbors(random_codes(3, 64), 4)
    assert distances.nbytes + ids.nbytes == 3 * 4 * (capacity.DISTANCE + capacity.ID)


@pytest.mark.parametrize("n_queries", [1, 100])
@pytest.mark.parametrize("n", [10**6, 10**8, 10**10])
def test_the_best_number_of_machines(capacity, rate, n, n_queries):
    machine, network = capacity.Machine(), capacity.Network()

    def seconds(m):
        return capacity.query_seconds(rate, n, 64, machine, n_queries=n_queries, n_machines=m, network=network)

    best = capacity.best_machines(rate, n, 64, machine, network, n_queries)
    assert best == min(range(1, 5000), key=seconds)


def test_a_mapped_folder_is_read_and_scanned(capacity, rate):
    assert capacity.mapped_seconds(rate, 10**9, 64, 1e9) == pytest.approx(8 + 0.2)
    assert capacity.mapped_seconds(rate, 10**9, 64, 1e9, n_queries=100) == pytest.approx(8 + 11)


def test_machine_hours(capacity):
    assert capacity.machine_hours(0.5, 10, 7200) == 10  # an hour of calls on ten machines


@pytest.mark.parametrize(
    ("n", "options", "engine", "n_machines"),
    [
        (10**6, {}, "index in memory", 1),
        (10**9, {}, "shards on one machine", 1),  # .2 s on one core, .05 s on four
        (10**10, {}, "shards on workers", 6),  # 80 GB in memory of 16 GB, and .1 s
        (3 * 10**9, {"seconds": 60}, "memory-mapped folder", 1),
        (10**6, {"transactions": True}, "database", 1),
        (10**9, {"has_tables": True}, "shards on workers", 3),  # 8 GB of codes, 12 of each of 3 tables
    ],
)
def test_which_engine(capacity, rate, n, options, engine, n_machines):
    found = capacity.plan(n, 64, rate, capacity.Machine(), capacity.Network(), **{"seconds": 0.1, **options})
    assert (found.engine, found.n_machines) == (engine, n_machines)
    assert found.engine in capacity.ENGINES
    if engine == "database":
        assert np.isnan(found.seconds)
        assert found.n_bytes == 16 * n
    else:
        assert found.is_fast_enough
        assert found.seconds <= options.get("seconds", 0.1)
        assert found.n_bytes <= found.n_machines * capacity.Machine().memory or engine == "memory-mapped folder"


@pytest.mark.parametrize("seconds", [1e-6, 0.005, 0.02, 0.05, 0.2])
def test_workers_are_as_few_as_are_fast_enough(capacity, rate, seconds):
    n, machine, network = 10**10, capacity.Machine(), capacity.Network()

    def call(m):
        return capacity.query_seconds(rate, n, 64, machine, n_machines=m, network=network)

    found = capacity.plan(n, 64, rate, machine, network, seconds=seconds)
    fitting = range(capacity.machines_for_memory(8 * n, machine), 3000)
    enough = [m for m in fitting if call(m) <= seconds]
    assert found.is_fast_enough == bool(enough)
    assert found.n_machines == (enough[0] if enough else min(fitting, key=call))
    assert found.seconds == call(found.n_machines)


def test_measured_rates(capacity):
    """The rates are those of the searches that they are taken from; a bound of any machine, not of this one."""
    scan = capacity.measure_scan(n_codes=200_000, n_rounds=2)
    assert 1e-12 < scan.compare <= scan.batch / scan.batch_size < 1e-7
    assert scan.single < 1e-7
    assert 1e-10 <= capacity.measure_merge(n_shards=20, n_queries=20, n_rounds=2) < 1e-4


def test_measured_scan_forecasts_another_size(capacity):
    scan = capacity.measure_scan(n_codes=1_000_000, batch_size=64)
    index = HammingIndex(algorithm="brute").fit(random_codes(3_000_000, 64))
    queries = random_codes(64, 64)
    index.kneighbors(queries, 10)
    measured = min(capacity._time(index.kneighbors, queries, 10) for _ in range(5))
    assert 1 / 8 < scan.seconds(3_000_000, 64) / measured < 8  # other programs run beside the tests


def test_shards_send_a_list_each(capacity):
    """The merge that is measured is that of as many neighbors as the model counts."""
    codes = random_codes(60, 64)
    shards = ShardedHammingIndex([codes[:20], codes[20:40], codes[40:]])
    whole = HammingIndex().fit(codes)
    np.testing.assert_array_equal(shards.kneighbors(codes, 5)[1], whole.kneighbors(codes, 5)[1])


def test_the_table_of_memory_of_the_page(capacity):
    page = (ROOT / "doc" / "user_guide" / "scale.rst").read_text()
    rows = re.findall(r"^(1[0,]+) +(\d+) +([\d.]+) +(\d+) +([\d.]+)$", page, re.MULTILINE)
    assert len(rows) == 4
    for cells in rows:
        n, *stated = (float(cell.replace(",", "")) for cell in cells)
        expected = [
            capacity.index_bytes(int(n), bits, has_tables=has_tables) / n
            for bits in (64, 128)
            for has_tables in (False, True)
        ]
        assert [round(value, 1) for value in expected] == stated


@pytest.mark.skipif(sys.platform != "linux", reason="the cache of files is dropped by a call of Linux")
def test_the_benchmark_verifies_its_answers(capacity, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "benchmarks"))
    bench = importlib.import_module("bench_scale")
    monkeypatch.setattr(bench, "BLOCK", 2000)
    answers = str(tmp_path / "answers.npz")
    options = argparse.Namespace(
        n=9001, bits=128, folder=str(tmp_path / "codes"), answers=answers, checked=7, cold=True
    )
    bench.build(options)
    index = HammingIndex.open(options.folder)
    codes = np.concatenate([bench.draw_block(number, 2) for number in range(5)])[:9001]
    np.testing.assert_array_equal(index.codes_, codes)
    times = bench.search(options)
    assert min(*times["first"], *times["batch"]) > 0
    assert bench.verify(options) == {"queries": 7}
    assert bench.change(options)["batch_after_add"] > 0
    assert bench.read_mapped(options.folder, cold=True) > 0
    with np.load(answers) as found:
        wrong = found["ids"].copy()
        wrong[-1, -1] += 1
        np.savez(answers, distances=found["distances"], ids=wrong)
    with pytest.raises(AssertionError, match="not equal"):
        bench.verify(options)
