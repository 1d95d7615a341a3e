"""What is particular to files of DuckDB: one process, full disks, processes that are killed."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

duckdb = pytest.importorskip("duckdb")

from skhash import HammingIndex  # noqa: E402
from skhash.codes import pack_codes  # noqa: E402
from skhash.stores import (  # noqa: E402
    DuckDBCodeStore,
    StoreConnectionError,
    StoreError,
    StoreFullError,
    _ducktable,
)


def make(n, bits=64):
    return np.random.default_rng(0).integers(0, 2, (n, bits), dtype=np.uint8)


def run(code, *arguments):
    """Run code in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_a_second_process_is_told_why(tmp_path):
    path = tmp_path / "codes.duckdb"
    open_it = """
        import sys
        from skhash.stores import DuckDBCodeStore
        store = DuckDBCodeStore(sys.argv[1], 64, read_only=len(sys.argv) > 2)
        print(store.count())
    """
    with DuckDBCodeStore(path, 64) as store:
        store.add(make(3))
        result = run(open_it, path)
        assert result.returncode == 1
        assert "StoreConnectionError: Cannot open table 'codes'" in result.stderr
        assert "another process has the file open. DuckDB lets one process use a file" in result.stderr
    with DuckDBCodeStore(path, read_only=True) as store:
        assert run(open_it, path, "read_only").stdout == "3\n"
        with pytest.raises(StoreError, match=r"(?s)Cannot add codes to table 'codes'.*read-only"):
            store.add(make(1))
        assert store.kneighbors(make(1), 1)[0].tolist() == [[0]]


def test_a_killed_process_leaves_nothing_half_written(tmp_path):
    path = tmp_path / "codes.duckdb"
    with DuckDBCodeStore(path, 64) as store:
        store.add(make(1000))
    killed = run(
        """
        import os, signal, sys
        import numpy as np
        from skhash.stores import DuckDBCodeStore
        store, n = DuckDBCodeStore(sys.argv[1]), 0
        DuckDBCodeStore.max_rows = 50_000
        insert = store._insert
        def insert_some(*arguments, **named):
            global n
            n += 1
            insert(*arguments, **named)
            if n == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        store._insert = insert_some
        store.add(np.random.default_rng(0).integers(0, 2**63, (400_000, 1)).astype(np.uint64))
        """,
        path,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with DuckDBCodeStore(path) as store:
        assert store.count() == 1000
        np.testing.assert_array_equal(store.add(make(5)), np.arange(1000, 1005))
        assert store.count() == 1005


def test_a_full_disk_is_named_and_changes_nothing(small_disk):
    with DuckDBCodeStore(small_disk / "codes.duckdb", 64) as store:
        store.add(make(1000))
        words = np.random.default_rng(1).integers(0, 2**63, (2_000_000, 1)).astype(np.uint64)
        with pytest.raises(StoreFullError, match=r"(?s)table 'codes' in .*full, and nothing was stored. Make room"):
            store.add(words)
        assert store.count() == 1000
        (small_disk / "filler").unlink()
        np.testing.assert_array_equal(store.get(np.arange(5))[0], store.get(store.add(make(1000))[:5])[0])
        assert store.count() == 2000


def test_other_files_and_tables_are_refused(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="Cannot open table 'codes' in"):
        DuckDBCodeStore(path, 8)
    with duckdb.connect(tmp_path / "own.duckdb") as session:
        session.execute("create table codes (name varchar)")
    with pytest.raises(StoreError, match=r"Table 'codes' in .* is not one of a store; choose another name"):
        DuckDBCodeStore(tmp_path / "own.duckdb", 8)
    duckdb.connect(tmp_path / "own.duckdb", read_only=True).close()  # refused while somebody may write
    with DuckDBCodeStore(tmp_path / "own.duckdb", 8, table="hashes") as store:
        assert store.count() == 0


def test_batches_are_limited_by_a_sample_and_exact(monkeypatch):
    """Radii of a sample make batches faster; the answers are those of the index, also where the sample is of no use."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 2, (20_000, 72), dtype=np.uint8)
    X[:5000] = X[0]  # more ties than may be fetched
    Q = np.concatenate([X[:10], X[6000:6020] ^ (rng.random((20, 72)) < 0.05), rng.integers(0, 2, (10, 72))])
    index = HammingIndex().fit(X)
    monkeypatch.setattr(_ducktable, "_SAMPLE", 1000)
    seen = []
    limit = _ducktable.limit_radii
    monkeypatch.setattr(_ducktable, "limit_radii", lambda *a, **k: seen.append(limit(*a, **k)) or seen[-1])
    with DuckDBCodeStore(bits=72, columns={"rare": bool}) as store:
        store.add(X, metadata={"rare": np.arange(20_000) % 1000 == 0})
        for most, queries, k, where, is_limited in [
            (5_000_000, Q, 10, None, True),
            (10_000, Q, 10, None, False),  # too many candidates
            (5_000_000, Q[10:], 5, {"rare": True}, False),  # too few in the sample
            (5_000_000, Q, 3, {"rare": False}, True),
        ]:
            monkeypatch.setattr(_ducktable, "_MOST_CANDIDATES", most)
            mask = None if where is None else (np.arange(20_000) % 1000 == 0) == where["rare"]
            expected = index.kneighbors(queries, k, where=mask)
            for got, wanted in zip(store.kneighbors(queries, k, where=where), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)
            assert (seen.pop() is not None) == is_limited
        store.kneighbors(Q[:3], 5)
        assert not seen  # few queries need no limit


def test_radii_of_a_sample_are_those_of_its_neighbors():
    X, Q = make(40, 72), make(3, 72)[::-1] ^ 1
    sample, words = pack_codes(X), pack_codes(Q)
    distances = np.sort((Q[:, None] != X).sum(axis=2), axis=1)
    for k in (1, 7, 40):
        radii = _ducktable.limit_radii(sample, words, k, 0.5, 10**6)
        np.testing.assert_array_equal(radii, distances[:, k - 1])
    n = int((distances <= distances[:, [6]]).sum())
    assert _ducktable.limit_radii(sample, words, 7, 0.5, 2 * n) is not None
    assert _ducktable.limit_radii(sample, words, 7, 0.5, 2 * n - 1) is None
    assert _ducktable.limit_radii(sample, words, 41, 0.5, 10**6) is None


class Careless(DuckDBCodeStore):
    """An engine that returns any of the codes at the distance of the last neighbor, here those with the largest ids."""

    ties_by_id = False

    def _nearest(self, words, k, where):
        hits = self._within(words, np.full(len(words), self.bits, np.int32), where)
        order = np.lexsort((-hits.id, hits.distance, hits.query))
        hits = type(hits)(*(values[order] for values in hits))
        counts = np.bincount(hits.query, minlength=len(words))
        rank = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
        return type(hits)(*(values[rank < k] for values in hits))


@pytest.mark.parametrize("k", [1, 7, 40, 300])
def test_ties_of_engines_without_order_are_completed(k):
    X = np.random.default_rng(4).integers(0, 2, (300, 10), dtype=np.uint8)
    expected = HammingIndex().fit(X).kneighbors(X[:20], k)
    with Careless(bits=10) as store:
        store.add(X)
        for got, wanted in zip(store.kneighbors(X[:20], k), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        for got, wanted in zip(
            store.kneighbors(X[:20], k, where={"id": ("<", 30)}, missing="pad"),
            HammingIndex().fit(X).kneighbors(X[:20], k, where=np.arange(300) < 30, missing="pad"),
            strict=True,
        ):
            np.testing.assert_array_equal(got, wanted)


def test_there_is_no_approximate_search():
    with DuckDBCodeStore(bits=8) as store:
        store.add(make(3, 8))
        with pytest.raises(ValueError, match="DuckDBCodeStore has only exact searches"):
            store.kneighbors(make(1, 8), 1, approximate=True)


def test_connections_that_fail_are_errors_of_connections():
    assert issubclass(StoreConnectionError, StoreError)
    assert issubclass(StoreError, RuntimeError)


def test_table_that_others_dropped_is_created_again(tmp_path):
    codes = np.eye(8, dtype=np.uint8)
    with DuckDBCodeStore(tmp_path / "codes.duckdb", 8) as store:
        store.add(codes)
    with duckdb.connect(str(tmp_path / "codes.duckdb")) as connection:
        connection.execute("drop table codes")
    with DuckDBCodeStore(tmp_path / "codes.duckdb", 8) as store:
        assert store.add(codes[:2]).tolist() == [8, 9]
        assert store.count() == 2


def test_other_table_with_the_name_of_the_counter_is_kept(tmp_path):
    with duckdb.connect(str(tmp_path / "codes.duckdb")) as connection:
        connection.execute("create table codes_counter as select 7 as visits")
    with pytest.raises(StoreError, match="next"):
        DuckDBCodeStore(tmp_path / "codes.duckdb", 8)
    with duckdb.connect(str(tmp_path / "codes.duckdb")) as connection:
        assert connection.sql("show tables").fetchall() == [("codes_counter",)]
        assert connection.sql("select visits from codes_counter").fetchall() == [(7,)]
