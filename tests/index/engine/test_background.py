"""Tables are built in one background thread: no search waits for them, nor does a fork, an exit or a dropped index."""

import gc
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from skhash.index.engine import _background, _chooser
from skhash.index.engine._engine import NearestRequest, RadiusRequest, SearchEngine
from skhash.index.engine._segment import Segment
from skhash.index.mih._multi_index import MultiIndex
from skhash.index.scan import _scan

SCRIPT = """
import gc, os, sys, threading, time
import numpy as np
from numba.core import event
from skhash import HammingIndex
from skhash.index.engine import _background, _chooser

class Compilers(event.Listener):
    names = set()
    def on_start(self, event):
        self.names.add(threading.current_thread().name)
    def on_end(self, event):
        pass

_chooser._FORECAST, _chooser._BUILD, _chooser._COMPILE = (0, 0), 0, 0
rng = np.random.default_rng(0)
centers = rng.integers(0, 2**64, (100, 1), dtype=np.uint64)
def draw(n):
    return centers[rng.integers(0, 100, n)] ^ (np.uint64(1) << rng.integers(0, 64, (n, 1)).astype(np.uint64))
if sys.argv[1] == "equal":
    codes = np.concatenate([draw(20_000)] * 2)
else:
    codes = draw(200_000) ^ rng.integers(0, 2**16, (200_000, 1), dtype=np.uint64)
HammingIndex(algorithm="brute").fit(codes).radius_neighbors(codes[:50], 2)
HammingIndex(algorithm="brute").fit(codes).kneighbors(codes[:50], 2)
index = HammingIndex().fit(codes)
"""


@pytest.fixture
def eager(monkeypatch):
    """Tables are built as soon as they would save anything."""
    monkeypatch.setattr(_chooser, "_FORECAST", (0, 0))
    monkeypatch.setattr(_chooser, "_BUILD", 0)
    monkeypatch.setattr(_chooser, "_COMPILE", 0)


def draw_codes(n, seed=0):
    """Codes of 64 bits around a thousand centers."""
    rng = np.random.default_rng(seed)
    centers = rng.integers(0, 2**64, 1000, dtype=np.uint64)
    bits = [rng.integers(0, 2**64, n, dtype=np.uint64) for _ in range(5)]
    return (centers[rng.integers(0, 1000, n)] ^ np.bitwise_and.reduce(bits))[:, None]


def assert_exact(engine, queries, k=3):
    expected = _scan.nearest(engine.codes, queries, k)
    assert [part.tolist() for part in engine.search(queries, NearestRequest(k))] == [part.tolist() for part in expected]


def run(body, *arguments, **environment):
    """Run the script with a body in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + body, *(arguments or ("near",))],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, **environment},
        timeout=300,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_searches_go_on_while_tables_are_built(eager):
    codes = draw_codes(101_000)
    engine = SearchEngine(codes[:100_000], 64)
    with _background._thread.step:  # the builder waits
        assert engine.explain(codes[:50], NearestRequest(3)).tables == "to be built in the background"
        assert_exact(engine, codes[:50])
        plan = engine.explain(codes[:50], NearestRequest(3))
        assert (plan.tables, plan.algorithm) == ("being built", "brute")
        assert_exact(engine, codes[:50])
        assert engine.last_search == {"algorithm": "brute", "n_queries": 50, "n_probed": 0}
        longer = engine.extend(codes)  # waits for the same tables
        assert longer.explain(codes[:50], NearestRequest(3)).n_appended == 1000
        assert_exact(longer, codes[-50:])
        twin = pickle.loads(pickle.dumps(longer))
        assert engine.memory_usage()["tables"] == 0
    engine.wait()
    assert engine.explain(codes[:50], NearestRequest(3)).tables == "built"
    assert_exact(engine, codes[-50:])
    assert engine.last_search == {"algorithm": "mih", "n_queries": 50, "n_probed": 50}
    assert longer.memory_usage()["tables"] > 0
    assert_exact(longer, codes[-50:])
    assert twin.memory_usage()["tables"] == 0


def test_a_dropped_index_is_not_built(eager, monkeypatch):
    steps = []
    monkeypatch.setattr(MultiIndex, "in_steps", lambda *args, **lists: steps.append(args))
    codes = draw_codes(100_000)
    engine = SearchEngine(codes, 64)
    with _background._thread.step:
        engine.search(codes[:50], NearestRequest(3))
        build, segment = engine._state[0]._build, weakref.ref(engine._state[0])
        assert build.is_running
        del engine
        gc.collect()
        assert segment() is None
    build.wait()
    assert steps == []


@pytest.mark.parametrize("error", [MemoryError("no room"), ZeroDivisionError("a fault")])
def test_a_build_that_fails_is_reported_once(eager, monkeypatch, error):
    def fail(*args, **kwargs):
        yield
        raise error

    monkeypatch.setattr(MultiIndex, "in_steps", fail)
    codes = draw_codes(100_000)
    engine = SearchEngine(codes[:-10], 64)

    def search():
        engine.search(codes[:50], NearestRequest(3))
        engine.wait()

    with pytest.warns(RuntimeWarning, match=f"Tables could not be built in the background.*{error}"):
        search()
    for one in (engine, engine.extend(codes)):
        assert_exact(one, codes[:50])
        assert one.explain(codes[:50], NearestRequest(3)).reason == "tables could not be built"
        assert not one._state[0].is_building


def test_what_was_learned_survives_added_codes(monkeypatch):
    monkeypatch.setattr(_chooser, "_FORECAST", (1e7, 0))  # a dozen calls
    monkeypatch.setattr(_chooser, "_COMPILE", 0)
    codes = draw_codes(101_000)
    engine = SearchEngine(codes[:100_000], 64)
    for n in range(100_001, 101_000):
        engine = engine.extend(codes[:n])
        engine.search(codes[:100], RadiusRequest(2))
        if engine._state[0].is_building:
            break
    engine.wait()
    assert engine.memory_usage()["tables"] > 0
    assert_exact(engine, codes[-50:])


def test_costs_are_carried_in_proportion():
    codes = draw_codes(200_000)
    engine = SearchEngine(codes[:100_000], 64)
    for _ in range(3):
        engine.search(codes[:100], NearestRequest(3))
    (kind, costs), *_ = engine._state[1]._costs.items()
    costs.probe, engine._state[1]._saved_ns = 100.0, 5.0
    chooser = engine.extend(codes)._state[1]
    assert chooser._costs[kind].scan == pytest.approx(2 * costs.scan)
    assert (chooser._costs[kind].probe, chooser._costs[kind].scanned, chooser._saved_ns) == (100.0, costs.scanned, 5.0)


def test_compilation_counts_in_the_decision(monkeypatch):
    monkeypatch.setattr(_chooser, "_FORECAST", (0, 0))
    monkeypatch.setattr(_chooser, "_BUILD", 0)
    monkeypatch.setattr(_chooser, "is_compiled", lambda kernel: False)
    codes = draw_codes(100_000)
    engine = SearchEngine(codes, 64)
    engine.search(codes[:100], NearestRequest(3))
    assert not engine._state[0].is_building  # seconds of the compiler are not saved yet
    monkeypatch.setattr(_chooser, "is_compiled", lambda kernel: True)
    engine.search(codes[:100], NearestRequest(3))
    engine.wait()
    assert engine.memory_usage()["tables"] > 0


def test_the_first_scan_is_not_taken_for_a_slow_one(monkeypatch):
    """It may include compilation: that of a large first call, from which the costs of scans are learned at once."""
    monkeypatch.setattr(_chooser, "_FORECAST", (0, 0))
    codes = np.random.default_rng(0).integers(0, 2**64, (50_000, 2), dtype=np.uint64)
    engine, calls = SearchEngine(codes, 128), []

    def scan(request, segment, queries, bound=None):
        answer = _scan.nearest(segment.codes, queries, request.k)
        calls.append(len(queries))
        return answer

    monkeypatch.setattr(_chooser, "_timed", lambda way, *args: (way(*args[:2]), 1 if len(calls) > 1 else 10**10))
    monkeypatch.setattr(NearestRequest, "scan", scan)
    engine.search(codes[:100], NearestRequest(10))
    assert calls == [16, 16, 84]
    assert not engine._state[0].is_building


@pytest.mark.parametrize("kind", ["near", "equal"])
def test_no_search_compiles(kind, tmp_path):
    body = """
listener = Compilers()
event.register("numba:compile", listener)
for _ in range(2):
    for queries in (codes[:50], codes[:1]):
        index.kneighbors(queries, 2)
        index.radius_neighbors(queries, 2)
        index.kneighbors(queries, 2, where=codes[:, 0] % 2 == 0)
    index._get_engine().wait()
print(*listener.names, index.memory_usage()["tables"] > 0)
"""
    assert run(body, kind, NUMBA_CACHE_DIR=str(tmp_path)) == ["skhash-tables", "True"]


def test_a_process_ends_while_tables_are_compiled(tmp_path):
    body = """
index.kneighbors(codes[:50], 2)
print(index._get_engine()._state[0].is_building)
"""
    assert run(body, NUMBA_CACHE_DIR=str(tmp_path)) == ["True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked")
def test_a_process_is_forked_while_tables_are_compiled(tmp_path):
    body = """
import warnings
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
index.kneighbors(codes[:50], 2)
time.sleep(0.5)
child = os.fork()
segment = index._get_engine()._state[0]
if child == 0:
    was_building = segment.is_building
    for _ in range(2):  # in the child, the build starts again
        found = index.kneighbors(codes[:50], 2)[0]
        index._get_engine().wait()
    right = (found == HammingIndex(algorithm="brute").fit(codes).kneighbors(codes[:50], 2)[0]).all()
    os._exit(0 if right and not was_building and index.memory_usage()["tables"] else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
index._get_engine().wait()
print(index.memory_usage()["tables"] > 0)
"""
    assert run(body, NUMBA_CACHE_DIR=str(tmp_path)) == ["0", "True"]


def test_without_threads_nothing_waits_for_tables(monkeypatch):
    class NoThread:
        def __init__(self, **_):
            pass

        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_background, "Thread", NoThread)
    segment = Segment(draw_codes(100), 64)
    segment.build_in_background()
    assert not segment.is_building
    segment.wait()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked")
def test_a_child_does_not_wait_for_the_build_of_another_thread():
    body = """
import warnings
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads
from skhash.index.engine._segment import Segment
segment = Segment(codes[:100], 64)
segment.build()
segment = Segment(codes[:1000], 64)
segment._lock.__enter__()  # as in the thread that builds
child = os.fork()
if child == 0:
    import signal
    signal.alarm(20)
    segment.build()
    os._exit(0 if segment.tables is not None else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(body) == ["0"]
