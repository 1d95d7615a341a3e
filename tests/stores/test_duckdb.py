"""What is particular to files of DuckDB: one process, full disks, processes that are killed."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

duckdb = pytest.importorskip("duckdb")

from skhash.stores import DuckDBCodeStore, StoreConnectionError, StoreError, StoreFullError  # noqa: E402


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
    with DuckDBCodeStore(tmp_path / "own.duckdb", 8, table="hashes") as store:
        assert store.count() == 0


def test_there_is_no_approximate_search():
    with DuckDBCodeStore(bits=8) as store:
        store.add(make(3, 8))
        with pytest.raises(ValueError, match="DuckDBCodeStore has only exact searches"):
            store.kneighbors(make(1, 8), 1, approximate=True)


def test_connections_that_fail_are_errors_of_connections():
    assert issubclass(StoreConnectionError, StoreError)
    assert issubclass(StoreError, RuntimeError)
