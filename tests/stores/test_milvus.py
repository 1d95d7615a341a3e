"""What is particular to Milvus: ties and limits of searches, batches for transactions, an embedded server."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from skhash import HammingIndex
from skhash.codes import pack_codes

pytest.importorskip("pymilvus")
milvus_lite = pytest.importorskip("milvus_lite", exc_type=ImportError)

from skhash.stores import (  # noqa: E402
    MilvusCodeStore,
    StoreConnectionError,
    StoreError,
    StoreFullError,
)
from skhash.stores._milvus_client import _servers  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:pkg_resources")


def make(n, bits=64, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def run(code, *arguments):
    """Run code in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def check(got, expected, *message):
    for one, other in zip(got, expected, strict=True):
        for row, other_row in zip(one, other, strict=True):
            np.testing.assert_array_equal(row, other_row, *message)


@pytest.fixture(scope="module")
def file():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "codes.db"


@given(
    bits=st.integers(8, 200), n=st.integers(1, 150), values=st.integers(1, 6), k=st.integers(1, 40),
    seed=st.integers(0), form=st.sampled_from(["bits", "words", "bytes", "signs"]),
    removed=st.floats(0, 0.9), limit=st.integers(-5, 25),
)  # fmt: skip
@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_answers_are_those_of_the_index(file, bits, n, values, k, seed, form, removed, limit):
    """Few distinct codes, so that nearly all neighbors are tied; with a filter, and after removals."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (values, bits), dtype=np.uint8)[rng.integers(0, values, n)]
    X ^= rng.random((n, bits)) < 1 / bits
    Q = X[:7] ^ (rng.random((min(n, 7), bits)) < 2 / bits)
    number = rng.integers(-10, 30, n)
    convert = {
        "bits": lambda X: X, "signs": lambda X: X * 2.0 - 1, "words": pack_codes,
        "bytes": lambda X: np.packbits(X, axis=1, bitorder="little"),
    }[form]  # fmt: skip
    if form in ("words", "bytes") and bits % 8:
        Q = Q.astype(bool)
    index = HammingIndex().fit(X)
    with MilvusCodeStore(file, bits, columns={"number": int}) as store:
        try:
            store.add(convert(X), metadata={"number": number})
            gone = rng.permutation(n)[: int(removed * n)]
            if len(gone):
                store.remove(gone)
                index.remove(gone)
            left = np.setdiff1d(np.arange(n), gone)
            for where, mask in ((None, None), ({"number": ("<=", limit)}, left[number[left] <= limit])):
                wanted = {"missing": "pad"} if mask is None else {"missing": "pad", "where": mask}
                check(store.kneighbors(Q, k, where=where, missing="pad"), index.kneighbors(Q, k, **wanted))
                radius = bits // 3
                kept = {} if mask is None else {"where": mask}
                check(store.radius_neighbors(Q, radius, where=where), index.radius_neighbors(Q, radius, **kept))
        finally:
            store.drop()


@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=8), min_size=1, max_size=4
    ),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    integers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
)
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_values_reach_milvus_as_they_are(file, texts, numbers, integers):
    """Values become part of an expression: each finds the codes that have it, and no others."""
    with MilvusCodeStore(file, 8, table="values", columns={"text": str, "number": float, "integer": int}) as store:
        n = max(map(len, (texts, numbers, integers)))
        values = {
            "text": [texts[i % len(texts)] for i in range(n)], "number": [numbers[i % len(numbers)] for i in range(n)],
            "integer": [integers[i % len(integers)] for i in range(n)],
        }  # fmt: skip
        try:
            ids = store.add(make(n, 8), metadata=values)
            for name, column in values.items():
                assert store.get(ids)[1][name].tolist() == column
                for value in column:
                    for op, holds in (
                        ("==", lambda a, b: a == b), ("!=", lambda a, b: a != b), ("<", lambda a, b: a < b),
                        (">=", lambda a, b: a >= b),
                    ):  # fmt: skip
                        assert store.count({name: (op, value)}) == sum(holds(one, value) for one in column)
                assert store.count({name: column[:2]}) == sum(one in column[:2] for one in column)
        finally:
            store.drop()


def test_more_neighbors_than_one_search_returns(tmp_path):
    """Milvus returns at most 16,384 neighbors."""
    X = make(40_000, 16)
    X[:, 3:] = 0  # eight different codes
    index = HammingIndex().fit(X)
    with MilvusCodeStore(tmp_path / "codes.db", 16) as store:
        store.add(X)
        for k in (1, 5_000, 16_384, 16_385, 39_999):
            check(store.kneighbors(X[:3], k), index.kneighbors(X[:3], k))
        for radius in (0, 2, 16):
            check(store.radius_neighbors(X[:3], radius), index.radius_neighbors(X[:3], radius))
        check(
            store.kneighbors(X[:3], 39_000, where={"id": (">", 900)}),
            index.kneighbors(X[:3], 39_000, where=np.arange(40_000) > 900),
        )


def test_a_second_process_is_told_why(tmp_path):
    path = tmp_path / "codes.db"
    open_it = """
        import sys
        from skhash.stores import MilvusCodeStore
        with MilvusCodeStore(sys.argv[1]) as store:
            print(store.add([[0] * 64]))
    """
    with MilvusCodeStore(path, 64) as store, MilvusCodeStore(path) as other:
        store.add(make(3))
        result = run(open_it, path)
        assert result.returncode == 1
        assert "StoreConnectionError: Cannot open table 'codes'" in result.stderr
        assert "One process uses it at a time" in result.stderr
        store.close()
        assert other.count() == 3  # the server serves the other store
    result = run(open_it, path)  # and ended with it
    assert result.stdout == "[3]\n", result.stderr
    with MilvusCodeStore(path) as store:
        assert store.count() == 4  # what the other process committed is seen


KILLED = """
    import os, signal, sys
    import numpy as np
    from skhash.stores import MilvusCodeStore
    store, n = MilvusCodeStore(sys.argv[1]), 0
    MilvusCodeStore.max_rows = 5_000
    call = store._milvus.call
    def count(name, *arguments, **named):
        global n
        n += name == sys.argv[2]
        if n == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(name, *arguments, **named)
    store._milvus.call = count
    words = np.random.default_rng(0).integers(0, 2**63, (20_000, 1)).astype(np.uint64)
    if sys.argv[2] == "delete":
        store.remove(np.arange(20_000))
    else:
        store.add(words)
"""


@pytest.mark.parametrize(("call", "number"), [("insert", 1), ("insert", 3), ("upsert", 2)])
def test_a_killed_process_leaves_nothing_half_added(tmp_path, call, number):
    """Killed before the first part, in the middle, and before the last upsert, which commits."""
    path = tmp_path / "codes.db"
    with MilvusCodeStore(path, 64) as store:
        store.add(make(1000))
    killed = run(KILLED, path, call, number)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with MilvusCodeStore(path) as store:
        assert store.count() == 1000
        check(store.kneighbors(make(3), 1000), HammingIndex().fit(make(1000)).kneighbors(make(3), 1000))
        stored = store._milvus.call("query", "codes", filter="id >= 0", output_fields=["count(*)"])[0]["count(*)"]
        assert stored == {("insert", 1): 1000, ("insert", 3): 11_000, ("upsert", 2): 21_000}[call, number]
        np.testing.assert_array_equal(store.add(make(5)), np.arange(21_000, 21_005))
        assert store.count() == 1005
        assert store._milvus.call("query", "codes", filter="id >= 0", output_fields=["count(*)"])[0]["count(*)"] == 1005


def test_a_killed_process_leaves_removals_that_were_done(tmp_path):
    """The guarantee that Milvus does not give, as the documentation says."""
    path = tmp_path / "codes.db"
    with MilvusCodeStore(path, 64) as store:
        store.add(make(20_000))
    assert run(KILLED, path, "delete", 3).returncode == -signal.SIGKILL
    with MilvusCodeStore(path) as store:
        assert store.count() == 10_000
        store.remove(np.arange(10_000, 20_000))
        assert store.count() == 0


def test_a_failing_change_is_undone(tmp_path, monkeypatch):
    with MilvusCodeStore(tmp_path / "codes.db", 64, columns={"kind": str}) as store:
        monkeypatch.setattr(MilvusCodeStore, "max_rows", 100)
        store.add(make(450), metadata={"kind": ["a"] * 450})
        before, call, n = store.get(np.arange(450)), store._milvus.call, 0

        def fail(name, *arguments, **named):
            nonlocal n
            n += name in ("upsert", "delete")
            if n == 4:
                n = 5
                raise store._milvus._pymilvus.MilvusException(5, "it does not feel like it")
            return call(name, *arguments, **named)

        monkeypatch.setattr(store._milvus, "call", fail)
        for change in (
            lambda: store.update(np.arange(450), make(450, seed=1), metadata={"kind": ["b"] * 450}),
            lambda: store.remove(np.arange(450)),
        ):
            n = 0
            with pytest.raises(StoreError, match=r"Cannot .* table 'codes' in .*it does not feel like it"):
                change()
            assert n >= 5
            words, columns = store.get(np.arange(450))
            np.testing.assert_array_equal(words, before[0])
            np.testing.assert_array_equal(columns["kind"], before[1]["kind"])


def test_a_killed_server_is_started_again(tmp_path):
    path = tmp_path / "codes.db"
    with MilvusCodeStore(path, 64) as store:
        store.add(make(1000))
        for call in (lambda: store.kneighbors(make(1), 3), lambda: store.add(make(10)), lambda: store.remove([0])):
            os.kill(_servers()._servers[str(path)]._p.pid, signal.SIGKILL)
            _servers()._servers[str(path)]._p.wait()
            with pytest.raises(
                StoreConnectionError, match=r"table 'codes' in .*the server cannot be reached, or was lost"
            ):
                call()
            assert store.count() == 1000
        np.testing.assert_array_equal(store.add(make(10)), np.arange(1000, 1010))
        store.remove([0])
        assert store.count() == 1009


def test_a_lost_connection_is_opened_to_undo_a_transaction(tmp_path, monkeypatch):
    path = tmp_path / "codes.db"
    with MilvusCodeStore(path, 64) as store:
        store.add(make(1000))

        def change():
            with store.transaction():
                store.add(make(7))
                store.remove([0, 1])
                os.kill(_servers()._servers[str(path)]._p.pid, signal.SIGKILL)
                _servers()._servers[str(path)]._p.wait()
                store.add(make(1))

        with pytest.raises(StoreConnectionError, match="was lost"):
            change()
        assert store.count() == 1000
        assert 0 in store
        store.add(make(2))

        def refuse(*arguments, **named):
            raise store._milvus._pymilvus.MilvusException(2, "no")

        with monkeypatch.context() as patch:
            patch.setattr(MilvusCodeStore, "_delete_unfinished", refuse)
            with (
                pytest.warns(RuntimeWarning, match="before 2 removed or updated codes of table 'codes' could"),
                pytest.raises(StoreConnectionError, match="was lost"),
            ):
                change()
        store.add(make(2))
        assert store.count() == 1004


def test_a_row_that_the_server_has_lost_is_read_from_the_file(tmp_path, monkeypatch):
    """milvus-lite did so once, after two million additions: the row was in the file, but not in its memory."""
    with MilvusCodeStore(tmp_path / "codes.db", 64) as store:
        store.add(make(10))
        call, server = store._milvus.call, _servers()._servers[store._milvus.place]

        def lose_one(name, table, *args, **named):
            if (name, table) == ("query", "codes_state"):
                monkeypatch.setattr(store._milvus, "call", call)
                return []
            return call(name, table, *args, **named)

        monkeypatch.setattr(store._milvus, "call", lose_one)
        np.testing.assert_array_equal(store.add(make(5)), np.arange(10, 15))
        assert _servers()._servers[store._milvus.place] is not server
        assert store.count() == 15


def test_a_full_disk_is_named_and_changes_nothing(small_disk):
    with MilvusCodeStore(small_disk / "codes.db", 64) as store:
        store.add(make(1000))
        words = np.random.default_rng(1).integers(0, 2**63, (400_000, 1)).astype(np.uint64)
        with pytest.raises(StoreFullError, match=r"(?s)table 'codes' in .*full, and nothing was stored. Make room"):
            store.add(words)
        (small_disk / "filler").unlink()
        assert store.count() == 1000
        np.testing.assert_array_equal(store.get(np.arange(5))[0], store.get(store.add(make(1000))[:5])[0])
        assert store.count() == 2000


def test_refused_connections_tell_the_address_and_no_secret():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(StoreConnectionError) as refused:
        MilvusCodeStore(address, 64, token="root:open-sesame")
    assert f"Cannot open table 'codes' in '{address}': the server cannot be reached" in str(refused.value)
    assert "sesame" not in str(refused.value)
    with pytest.raises(ValueError, match="uri must not contain a name or a password") as refused:
        MilvusCodeStore("http://root:open-sesame@localhost:19530", 64)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("uri", ["codes", "a b.db", "x" * 40 + ".db", "sub/", "ftp://host/x.db"])
def test_other_uris_are_refused(tmp_path, uri):
    with pytest.raises(ValueError, match="uri"):
        MilvusCodeStore(uri if "://" in uri else f"{tmp_path}/{uri}", 8)
    with pytest.raises(FileNotFoundError, match="uri: there is no folder"):
        MilvusCodeStore(tmp_path / "none" / "codes.db", 8)


def test_what_milvus_cannot_store_or_compare_is_refused(tmp_path):
    with MilvusCodeStore(tmp_path / "codes.db", 8, columns={"text": str, "number": float}) as store:
        with pytest.raises(
            ValueError, match=r"metadata\['text'\]: Milvus holds texts of 65,535 bytes, got one of 65536"
        ):
            store.add(make(2, 8), metadata={"text": ["", "é" * 2**15], "number": [0, 0]})
        with pytest.raises(ValueError, match=r"where\['number'\] must be finite"):
            store.count({"number": ("<", np.inf)})
        with pytest.raises(ValueError, match=r"where\['text'\] must have no line ends"):
            store.count({"text": ["a", "b\n"]})
        assert store.count() == 0
        ids = store.add(make(2, 8), metadata={"text": ["", "a" + "é" * (2**15 - 1)], "number": [-np.inf, np.inf]})
        assert store.get(ids)[1]["number"].tolist() == [-np.inf, np.inf]
        with pytest.raises(ValueError, match="MilvusCodeStore has only exact searches"):
            store.kneighbors(make(1, 8), 1, approximate=True)


def test_long_texts_are_sent_in_several_requests(tmp_path, monkeypatch):
    monkeypatch.setattr("skhash.stores._milvustable._BYTES", 1000)
    with MilvusCodeStore(tmp_path / "codes.db", 64, columns={"text": str}) as store:
        sent, call = [], store._milvus.call
        monkeypatch.setattr(
            store._milvus, "call", lambda *args, **named: (sent.append((args[0], named)), call(*args, **named))[1]
        )
        texts = ["é" * 200] * 50
        ids = store.add(make(50), metadata={"text": texts})
        assert [len(named["data"]) for name, named in sent if name == "insert"] == [3] * 16 + [2]
        assert store.get(ids)[1]["text"].tolist() == texts


def test_other_collections_are_refused(tmp_path):
    import pymilvus

    path = tmp_path / "codes.db"
    with MilvusCodeStore(path, 8, table="mine"):
        client = pymilvus.MilvusClient(str(path))
        client.create_collection("codes", dimension=8)
        with pytest.raises(StoreError, match=r"Table 'codes' in .* is not one of a store; choose another name"):
            MilvusCodeStore(path, 8)
        client.close()


def test_a_store_whose_name_is_that_of_a_state_is_not_dropped(tmp_path):
    with MilvusCodeStore(tmp_path / "codes.db", bits=8, table="codes_state") as other:
        other.add(make(3, 8))
        with pytest.raises(StoreError, match="a collection 'codes_state' of others"):
            MilvusCodeStore(tmp_path / "codes.db", bits=8)
        assert other.count() == 3


def test_another_milvus_lite_is_refused(tmp_path, monkeypatch):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda name: "3.2.2")
    with pytest.raises(ImportError, match=r"needs milvus-lite 2.5.1, got 3.2.2: later versions have no binary"):
        MilvusCodeStore(tmp_path / "codes.db", 8)
