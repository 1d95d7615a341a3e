"""Shards in the workers of a cluster. One cluster for all tests, because processes take seconds to start."""

import errno
import gc
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import dask.array as da
import numpy as np
import pytest

from skhash import HammingIndex, LSHHasher, ShardedHammingIndex
from skhash.codes import pack_codes
from skhash.distributed import DistributedHammingIndex, build_index, saved_parts
from skhash.distributed._build import header_crc32
from skhash.distributed._placement import LostWorker, Replica, finish, is_of_lost_worker
from skhash.distributed._shard import Added, Part, Removed, Request, Shard

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.filterwarnings(
        r"ignore:\s*Creating scratch directories:UserWarning",
        r"ignore:\s*Port \d+ is already in use:UserWarning",
        # Of Dask's connections to workers that a test killed.
        "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning",
        "ignore:unclosed:ResourceWarning",
    )
]


class Workers:
    """Workers in processes of their own, without nannies, which would take a while to start others for killed ones."""

    def __init__(self, address):
        self.address, self.processes = address, []

    def start(self, n=1):
        command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny"]
        command += ["--no-dashboard", "--death-timeout", "60", "--local-directory", tempfile.gettempdir()]
        for _ in range(n):
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            self.processes.append(process)

    def stop(self, pid):
        process = next(process for process in self.processes if process.pid == pid)
        self.processes.remove(process)
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def workers():
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it reports every worker that a test kills
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL) as cluster:
        workers = Workers(cluster.scheduler_address)
        workers.start(2)
        yield workers
        for process in list(workers.processes):
            workers.stop(process.pid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # such connections, or a later test would see their warnings


@pytest.fixture(scope="module")
def client(workers):
    with distributed.Client(workers.address) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def random_codes(n, bits=70, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def make_ids(kind, n):
    order = np.random.default_rng(2).permutation(n)
    return {None: None, "int": order - 7, "text": np.array([f"id {i}" for i in order])}[kind]


def assert_equal(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        if theirs.dtype == object and len(theirs) and isinstance(theirs[0], np.ndarray):
            assert_equal(ours, theirs)
        else:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


def assert_same_answers(distributed_index, index, queries, where=None):
    n_allowed = len(index)
    if where is not None:
        n_allowed = np.count_nonzero(where) if np.asarray(where).dtype == bool else len(where)
    z = np.random.default_rng(3).standard_normal((len(queries), index.bits_))
    for k in (min(20, n_allowed),):
        assert_equal(distributed_index.kneighbors(queries, k, where=where), index.kneighbors(queries, k, where=where))
        assert_equal(
            distributed_index.kneighbors_asymmetric(z, k, where=where),
            index.kneighbors_asymmetric(z, k, where=where),
        )
    for radius, k in ((28, None), (40, 6)):
        assert_equal(
            distributed_index.radius_neighbors(queries, radius, where=where, max_neighbors=k),
            index.radius_neighbors(queries, radius, where=where, max_neighbors=k),
        )
    assert_equal(
        distributed_index.kneighbors(queries, n_allowed + 3, where=where, missing="pad"),
        index.kneighbors(queries, n_allowed + 3, where=where, missing="pad"),
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory, client):
    """Folders of one sharded index for each kind of ids, built by the workers."""
    folders = {}
    for kind in (None, "int", "text"):
        folders[kind] = tmp_path_factory.mktemp(f"ids-{kind}")
        lazy = da.from_array(random_codes(400), chunks=(110, -1))
        with client.as_current():
            build_index(folders[kind], lazy, ids=make_ids(kind, 400))
    return folders


@pytest.mark.parametrize("kind", [None, "int", "text"])
def test_answers_changes_and_filters_equal_one_index(client, saved, kind, tmp_path):
    codes, ids = random_codes(400), make_ids(kind, 400)
    index = HammingIndex().fit(codes, ids=ids)
    queries = random_codes(9, seed=1)
    ours = DistributedHammingIndex(saved[kind], client=client, replicas=2)
    assert (len(ours), ours.bits_) == (400, 70)
    assert_same_answers(ours, index, queries)

    def filters():
        rng = np.random.default_rng(4)
        yield rng.integers(0, 2, len(index)).astype(bool)
        yield index.ids_[rng.permutation(len(index))[:50]]

    for where in filters():
        assert_same_answers(ours, index, queries, where)
    rng = np.random.default_rng(5)
    for step in range(3):  # the first ones go to the last shard, and others to those before it
        more = np.concatenate([codes[:20], random_codes(50 + step, seed=10 + step)])  # with ties
        new = {None: None, "int": 1000 * (step + 1) + rng.permutation(len(more)), "text": None}[kind]
        if kind == "text":
            new = [f"new {step} {i}" for i in range(len(more))]
        index.add(more, ids=new)
        ours.add(more, ids=new)
        assert len(set(ours._holders.tolist())) >= min(2, step)
        gone = index.ids_[rng.permutation(len(index))[: 20 + step]]  # of parts, and of added codes
        index.remove(gone)
        ours.remove(gone)
        assert len(ours) == len(index)
        assert_same_answers(ours, index, queries)
    for where in filters():
        assert_same_answers(ours, index, queries, where)
    parts = ours.save(tmp_path / "saved")
    assert saved_parts(tmp_path / "saved") == parts
    again = DistributedHammingIndex(tmp_path / "saved", client=client)
    assert_same_answers(again, index, queries)
    assert_equal(ShardedHammingIndex(parts).kneighbors(queries, 9), index.kneighbors(queries, 9))
    new = {None: None, "int": np.arange(9000, 9050), "text": [f"last {i}" for i in range(50)]}[kind]
    for one in (index, again):
        one.add(random_codes(50, seed=20), ids=new)
    assert_same_answers(again, index, queries, [index.ids_[-1], index.ids_[5]])
    again.close()
    with pytest.raises(ValueError, match="has the parts that are open; save to another folder"):
        ours.save(saved[kind])
    (tmp_path / "link").symlink_to(saved[kind], target_is_directory=True)
    for other in (tmp_path / "link", saved[kind] / ".." / saved[kind].name):
        with pytest.raises(ValueError, match="has the parts that are open; save to another folder"):
            ours.save(other)
    index.remove(index.ids_[-50:])
    assert_equal(ours.kneighbors(pack_codes(queries), 5), index.kneighbors(queries, 5))
    ours.close()


def test_a_removed_id_may_be_added_again(client, saved):
    index = HammingIndex().fit(random_codes(400), ids=make_ids("text", 400))
    ours = DistributedHammingIndex(saved["text"], client=client)
    for one in (index, ours):
        one.add(random_codes(2, seed=8), ids=["x", "y"]).remove(["x", "id 5"]).add(
            random_codes(2, seed=9), ids=["id 5", "x"]
        )
    assert_same_answers(ours, index, random_codes(5, seed=1))
    ours.close()


def test_searches_during_changes(client, saved):
    index = HammingIndex().fit(random_codes(400))
    ours = DistributedHammingIndex(saved[None], client=client, replicas=2)
    queries, done, failed = random_codes(3, seed=1), threading.Event(), []

    def search():
        try:
            while not done.is_set():
                distances, ids = ours.kneighbors(queries, 380, missing="pad")  # nearly all
                assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in ids)
                assert (np.diff(np.where(distances < 0, 99, distances), axis=1) >= 0).all()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=search)
    thread.start()
    for step in range(10):
        gone = np.arange(5 * step, 5 * step + 5)
        for one in (index, ours):
            one.remove(gone).add(random_codes(3, seed=30 + step))
    done.set()
    thread.join()
    assert failed == []
    assert_same_answers(ours, index, queries)
    ours.close()


def test_many_queries_are_divided_among_replicas(client, saved):
    index = HammingIndex().fit(random_codes(400))
    ours = DistributedHammingIndex(saved[None], client=client, replicas=2)
    queries = random_codes(5000, seed=2)
    assert_equal(ours.kneighbors(queries, 3), index.kneighbors(queries, 3))
    assert_equal(ours.radius_neighbors(queries, 22), index.radius_neighbors(queries, 22))
    ours.close()


def test_a_client_that_is_not_the_current_one(client, saved):
    with distributed.Client(processes=False, n_workers=1, dashboard_address=None) as other:
        assert distributed.get_client() is other
        ours = DistributedHammingIndex(saved[None], client=client)
        index = HammingIndex().fit(random_codes(400))
        assert_equal(ours.kneighbors(random_codes(3), 4), index.kneighbors(random_codes(3), 4))
        ours.close()


def test_replicas_are_on_different_workers_and_divided_evenly(client, saved):
    one = DistributedHammingIndex(saved[None], client=client)
    assert sorted(len(shards) for shards in one.placement_.values()) == [2, 2]
    assert sorted(shard for shards in one.placement_.values() for shard in shards) == [0, 1, 2, 3]
    two = DistributedHammingIndex(saved[None], client=client, replicas=5)
    assert [sorted(shards) for shards in two.placement_.values()] == [[0, 1, 2, 3]] * 2
    one.close()
    two.close()


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_killed_worker_loses_no_answer_and_no_change(workers, client, saved, replicas):
    index = HammingIndex().fit(random_codes(400))
    ours = DistributedHammingIndex(saved[None], client=client, replicas=replicas)
    more = random_codes(50, seed=7)
    for one in (index, ours):
        one.add(more).remove([3, 410, 399])
    queries, seconds = random_codes(120, seed=1), []
    expected = index.kneighbors(queries, 10)
    victim = next(worker for worker, shards in ours.placement_.items() if shards)
    pid, n_held = client.run(os.getpid, workers=[victim])[victim], len(ours.placement_[victim])
    killer = threading.Timer(0.005, workers.stop, (pid,))  # while queries are under way
    for row in range(len(queries)):
        if row == 30:
            killer.start()
        if row == 110:
            killer.join()
        start = time.monotonic()
        found = ours.kneighbors(queries[row : row + 1], 10)
        seconds.append(time.monotonic() - start)
        assert_equal(found, (expected[0][row : row + 1], expected[1][row : row + 1]))
    assert max(seconds) < 20  # Dask waits 30 s for a connection
    deadline = time.monotonic() + 30
    while ours.n_lost_ < n_held and time.monotonic() < deadline:
        ours.kneighbors(queries[:1], 10)
    assert ours.n_lost_ == n_held
    workers.start()
    client.wait_for_workers(2, timeout=60)
    ours.rebalance()
    assert sorted(len(shards) for shards in ours.placement_.values()) == [2 * replicas] * 2
    assert_same_answers(ours, index, queries[:20])
    ours.close()


def test_a_silent_worker_is_not_waited_for(client, saved):
    index = HammingIndex().fit(random_codes(400))
    ours = DistributedHammingIndex(saved[None], client=client, replicas=2, hedge=0.3)
    queries = random_codes(20, seed=1)
    expected = index.kneighbors(queries, 5)
    silent = sorted(ours.placement_)[0]
    pid = client.run(os.getpid, workers=[silent])[silent]
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        for row in range(20):
            found = ours.kneighbors(queries[row : row + 1], 5)
            assert_equal(found, (expected[0][row : row + 1], expected[1][row : row + 1]))
        # Some of 80 requests would wait for it without end; all that would ask it, for 0.3 s each.
        assert time.monotonic() - start < 10
        slow = [replica for shard in range(4) for replica in ours._placement.replicas(shard) if replica.slow_until]
        assert {replica.worker for replica in slow} == {silent}
    finally:
        os.kill(pid, signal.SIGCONT)
    ours.close()


def test_an_added_worker_takes_its_share(workers, client, saved):
    ours = DistributedHammingIndex(saved[None], client=client)
    index = HammingIndex().fit(random_codes(400))
    for one in (index, ours):
        one.add(random_codes(9, seed=7)).remove([0, 402])
    workers.start()
    client.wait_for_workers(3, timeout=60)
    queries, deadline = random_codes(20, seed=1), time.monotonic() + 40
    while sorted(len(shards) for shards in ours.placement_.values()) != [1, 1, 2]:
        assert_equal(ours.kneighbors(queries, 5), index.kneighbors(queries, 5))  # which is what moves shards
        assert time.monotonic() < deadline
    assert_same_answers(ours, index, queries)
    workers.stop(workers.processes[-1].pid)
    assert_same_answers(ours, index, queries)
    ours.close()


def test_errors(client, saved, tmp_path):
    ours = DistributedHammingIndex(saved[None], client=client, n_neighbors=3)
    queries = random_codes(2, seed=1)
    assert ours.kneighbors(queries)[0].shape == (2, 3)
    for call, error, message in [
        (lambda: ours.kneighbors(queries, 401), ValueError, "n_neighbors = 401, n_samples_fit = 400, n_samples = 2"),
        (lambda: ours.kneighbors(queries, 3, where=[1, 2]), ValueError, "n_samples_fit = 400, of which where passes 2"),
        (lambda: ours.kneighbors(queries, where=[1, 400]), ValueError, "where must be ids of indexed codes, but 400"),
        (lambda: ours.kneighbors(queries, where=[1, 1]), ValueError, "where must be unique"),
        (lambda: ours.kneighbors(queries, where=[True]), ValueError, "where must be a mask of shape (n_samples_fit_,)"),
        (lambda: ours.kneighbors(queries[:, :10]), ValueError, "70"),
        (lambda: ours.kneighbors(queries, missing="no"), ValueError, "missing must be"),
        (lambda: ours.kneighbors_asymmetric(queries), ValueError, "Pass what decision_function"),
        (lambda: ours.add(queries, ids=[1, 2]), ValueError, "ids must not be passed: the index counts them"),
        (lambda: ours.remove([5, 400]), ValueError, "ids must be ids of indexed codes, but 400 is not in the index"),
        (lambda: ours.remove([5, -1, 4000]), ValueError, "-1 and 1 others are not in the index"),
        (lambda: ours.remove([5, 5]), ValueError, "ids must be unique"),
        (
            lambda: ours.remove(["a"]),
            ValueError,
            "ids must be integers of 64 bits, as the ids of the index are, got 'a'",
        ),
        (lambda: ours.remove([2**63]), ValueError, "got 9223372036854775808"),
        (lambda: ours.remove(7), TypeError, "ids must be a list or an array of ids, got int: 7"),
        (lambda: ours.kneighbors(queries, where="7"), TypeError, "where must be a list or an array of ids, got str"),
        (lambda: ours.remove(np.array(5)), TypeError, "ids must be a list or an array of ids, got ndarray: array(5)"),
    ]:
        with pytest.raises(error, match=re.escape(message)):
            call()
    assert len(ours) == 400
    ours.close()
    for call in (lambda: ours.kneighbors(queries), lambda: ours.remove([5]), ours.rebalance):
        with pytest.raises(RuntimeError, match="is closed; create a new one"):
            call()
    named = DistributedHammingIndex(saved["text"], client=client)
    with pytest.raises(ValueError, match="ids of new codes must be new, but 'id 5' is in the index"):
        named.add(queries, ids=["id 5", "z"])
    with pytest.raises(ValueError, match="ids must be passed"):
        named.add(queries)
    named.close()
    for parts, error, message in [
        ([], ValueError, "parts is empty"),
        ([HammingIndex()], TypeError, "parts must be paths of saved indexes, which workers open, got HammingIndex"),
        (tmp_path, FileNotFoundError, "not a sharded index"),
    ]:
        with pytest.raises(error, match=message):
            DistributedHammingIndex(parts, client=client)
    paths = []
    for number, (bits, ids) in enumerate(((8, None), (9, None), (8, [1]))):
        paths.append(tmp_path / f"{number}")
        HammingIndex().fit(random_codes(1, bits), ids=ids).save(paths[-1])
    with pytest.raises(ValueError, match="same bits: part 0 has 8, part 1 has 9"):
        DistributedHammingIndex(paths[:2], client=client)
    with pytest.raises(ValueError, match="same ids: part 0 has counted ids, part 1 has user-defined ids"):
        DistributedHammingIndex(paths[::2], client=client)
    with pytest.raises(ValueError, match="replicas == 0, must be >= 1"):
        DistributedHammingIndex(paths[:1], client=client, replicas=0)
    with pytest.raises(ValueError, match="hedge == 0, must be > 0"):
        DistributedHammingIndex(paths[:1], client=client, hedge=0)
    with pytest.raises(TypeError, match="timeout must be an instance of float"):
        DistributedHammingIndex(paths[:1], client=client, timeout=None)


def test_added_ids_may_be_of_another_kind_than_those_of_their_part(tmp_path):
    index = HammingIndex().fit(random_codes(5), ids=range(5))
    index.save(tmp_path)
    part = Part(0, str(tmp_path), header_crc32(tmp_path), None, 0, 5)
    shard = Shard(part, [Added(index.codes_[:2], np.array([2, 3]), ["5", "x"])])
    _, added = shard.search(1, Request("nearest", index.codes_[:1], 2), None)
    assert sorted(added.ids.tolist()) == ["5", "x"]


def test_masks_of_another_state_are_refused(tmp_path):
    index = HammingIndex().fit(random_codes(5))
    index.save(tmp_path)
    change = Added(index.codes_[:1], np.array([5]), None)
    shard = Shard(Part(0, str(tmp_path), header_crc32(tmp_path), 0, 5, 5), [change])
    request, masks = Request("nearest", index.codes_[:1], 1), (np.arange(5) > 0, np.array([True]))
    assert shard.search(1, request, (*masks, 1))[1].ids.tolist() == [5]
    shard.apply(1, [Removed([5]), Added(index.codes_[1:2], np.array([6]), None)])  # as many codes as before
    with pytest.raises(ValueError, match="where is a mask of codes that another thread has changed"):
        shard.search(1, request, (*masks, 1))


def test_changes_are_made_once_and_in_their_order(tmp_path):
    index = HammingIndex().fit(random_codes(5))
    index.save(tmp_path)
    changes = [
        Added(index.codes_[:2], np.array([5, 6]), None),
        Removed([0, 5]),
        Added(index.codes_[:1], np.array([7]), None),
    ]
    shard = Shard(Part(0, str(tmp_path), header_crc32(tmp_path), 0, 5, 5), changes[:2])
    assert shard.apply(3, changes[2:]) == 2  # one is missing before it
    assert shard.apply(0, changes[:2]) == 2  # made before
    assert shard.apply(1, changes[1:]) == shard.apply(0, changes) == 3
    assert shard.locate(range(8)) == [False, True, True, True, True, False, True, True]


def test_two_replicas_that_save_a_part_do_not_touch_each_others_files(tmp_path):
    HammingIndex().fit(random_codes(5)).save(tmp_path / "part")
    shard = Shard(Part(0, str(tmp_path / "part"), header_crc32(tmp_path / "part"), 0, 5, 5))
    first, second = (shard.save(0, str(tmp_path / "saved")) for _ in range(2))
    assert first["name"] != second["name"]
    for record in (first, second):
        assert header_crc32(tmp_path / "saved" / record["name"]) == record["crc32"]


def test_a_worker_that_cannot_open_a_shard_makes_no_call_fail(tmp_path, monkeypatch):
    codes = random_codes(40)
    HammingIndex().fit(codes).save(tmp_path)
    make, bad = Shard.__init__, []

    def refuse(self, *arguments):
        if distributed.get_worker().address in bad:
            raise FileNotFoundError("no such folder here")
        make(self, *arguments)

    monkeypatch.setattr(Shard, "__init__", refuse)
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(n_workers=2, **options) as cluster, distributed.Client(cluster) as own:
        workers = sorted(own.nthreads())
        bad.append(workers[1])
        message = "cannot open shard 0, and gets it no more: no such folder here"
        with pytest.warns(RuntimeWarning, match=message):  # noqa: PT031
            ours = DistributedHammingIndex([tmp_path], client=own, replicas=2).rebalance()
            for _ in range(20):
                assert ours.kneighbors(codes[:2], 1)[1].ravel().tolist() == [0, 1]
                time.sleep(0.1)
        assert ours.placement_ == {workers[0]: [0], workers[1]: []}
        ours.close()
        bad.append(workers[0])
        with pytest.raises(FileNotFoundError, match="no such folder here"):
            DistributedHammingIndex([tmp_path], client=own)


def test_a_part_that_changed_is_refused(client, tmp_path):
    HammingIndex().fit(random_codes(5)).save(tmp_path)
    ours = DistributedHammingIndex([tmp_path], client=client)
    HammingIndex().fit(random_codes(6)).save(tmp_path)
    assert ours.kneighbors(random_codes(1), 1)[0].tolist() == [[0]]  # it is open, as it was
    ours._placement._open = [[]]  # as if its worker were lost
    with pytest.raises(ValueError, match="has changed since the DistributedHammingIndex was created"):
        ours.kneighbors(random_codes(1), 1)
    ours.close()


def test_hashers_are_loaded_once_in_each_worker(client, tmp_path):
    class Counting(LSHHasher):
        def __setstate__(self, state):
            super().__setstate__(state)
            with open(log, "a") as file:
                file.write(f"{os.getpid()}\n")

    log = str(tmp_path / "loaded")
    X = np.random.default_rng(0).normal(size=(400, 12))
    hasher = Counting(bits=16, random_state=0).fit(X)
    for _ in range(2):
        codes = hasher.transform(da.from_array(X, chunks=(10, 5))).compute(scheduler=client)
        np.testing.assert_array_equal(codes, hasher.transform(X))
    with open(log) as file:
        loaded = file.read().split()
    assert sorted(loaded) == sorted(set(loaded))
    assert str(os.getpid()) not in loaded
    parts = build_index(tmp_path / "index", hasher.transform(da.from_array(X, chunks=(100, 5))))
    ours = DistributedHammingIndex(parts, client=client)
    assert_equal(ours.kneighbors(codes[:5], 7), HammingIndex().fit(codes).kneighbors(codes[:5], 7))
    ours.close()


def test_grid_search_on_the_cluster(client):
    import joblib
    from sklearn.model_selection import GridSearchCV

    from skhash import ITQHasher

    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    X = rng.normal(size=(150, 8)) + 2 * y[:, None]
    grid = {"bits": [4, 8]}
    with joblib.parallel_config("dask"):
        search = GridSearchCV(ITQHasher(random_state=0), grid, cv=2, n_jobs=-1).fit(X, y)
    here = GridSearchCV(ITQHasher(random_state=0), grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])
    assert search.best_params_ == here.best_params_


def test_a_lost_worker_ends_a_wait_that_would_not_end():
    class Call:
        def done(self):
            return False

        def result(self, timeout=None):
            time.sleep(timeout)
            raise TimeoutError

    class Future:
        status = "finished"

    replica = Replica("tcp://10.0.0.1:1", Future(), 0)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"No answer from tcp://10\.0\.0\.1:1 within 0\.2 s"):
        finish(Call(), replica, 0.2)
    Future.status = "error"
    with pytest.raises(LostWorker):
        finish(Call(), replica)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (OSError("Unable to contact Actor's worker"), True),
        (RuntimeError("Worker holding Actor was lost.  Status: error"), True),
        (LostWorker("tcp://10.0.0.1:1"), True),
        (RuntimeError("something else"), False),
        (ValueError("X has 3 features"), False),
        (FileNotFoundError("No such directory"), False),
        (FileNotFoundError(errno.ENOENT, "No such directory"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), True),
        (TimeoutError("Timed out"), True),
    ],
)
def test_errors_of_lost_workers_and_others(error, lost):
    assert is_of_lost_worker(error) is lost
