"""What every store promises, on every installed engine: the answers of `HammingIndex`, and nothing half-done."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from bitarray import bitarray

from skhash import HammingIndex
from skhash.codes import pack_codes
from skhash.stores import StoreError, StoreMissingError


def make(n, bits, seed=0):
    """Return codes in clusters, so that there are ties and equal codes, as bits."""
    rng = np.random.default_rng(seed)
    centers = rng.integers(0, 2, (max(n // 20, 1), bits), dtype=np.uint8)
    return centers[rng.integers(0, len(centers), n)] ^ (rng.random((n, bits)) < 0.1)


def same(got, expected):
    """Check distances and ids, in arrays or in arrays of arrays."""
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        for row, other_row in zip(one, other, strict=True):
            np.testing.assert_array_equal(row, other_row)


@pytest.mark.parametrize("bits", [8, 64, 72, 256, 1024])
def test_answers_are_those_of_the_index(place, bits):
    X = make(700, bits)
    Q = X[: 105 if bits == 64 else 12].copy()  # more than one call of a hook gets
    Q[::3] ^= 1
    index = HammingIndex().fit(X)
    with place.open(bits) as store:
        np.testing.assert_array_equal(store.add(X), np.arange(700))
        for k in (1, 5, 60, 700):
            same(store.kneighbors(Q[: 2000 // k], k), index.kneighbors(Q[: 2000 // k], k))
        same(store.kneighbors(Q), index.kneighbors(Q))
        for radius in (None, 0, bits // 4, bits):
            same(store.radius_neighbors(Q[:12], radius), index.radius_neighbors(Q[:12], radius))
        same([store.kneighbors(Q[:1], 3, False)], [index.kneighbors(Q[:1], 3, False)])
        # After changes, too.
        for one in (store, index):
            one.remove(np.arange(0, 100, 3))
            one.add(X[:50] ^ 1)
            one.update([1, 700], X[2:4])
        same(store.kneighbors(Q, 40), index.kneighbors(Q, 40))
        assert store.count() == len(store) == len(index)


def test_columns_may_have_names_that_statements_use(place):
    X = make(30, 70)
    names = ["radius", "query_0", "asked", "stored", "next"]
    with place.open(70, columns=dict.fromkeys(names, int)) as store:
        store.add(X, metadata=dict.fromkeys(names, np.arange(30)))
        index = HammingIndex().fit(X)
        same(store.radius_neighbors(X[:9], 30), index.radius_neighbors(X[:9], 30))
        same(store.kneighbors(X[:9], 30), index.kneighbors(X[:9], 30))
        assert store.count({"radius": ("<", 7), "asked": (">=", 5)}) == 2
    with place.open(70, table="skhash_arrays") as store:
        store.add(X)
        assert 29 in store
        assert 30 not in store


def test_ties_at_the_cut_are_decided_by_the_id(place):
    X = np.zeros((300, 64), np.uint8)
    X[:, 0] = np.arange(300) % 2
    ids = np.random.default_rng(1).permutation(300) * 7 - 900
    with place.open(64) as store:
        store.add(X, ids=ids)
        order = sorted(zip(X[:, 0].tolist(), ids.tolist(), strict=True))
        for k in (1, 10, 149, 151, 299):
            distances, found = store.kneighbors(np.zeros((2, 64), np.uint8), k)
            for row in range(2):
                assert list(zip(distances[row].tolist(), found[row].tolist(), strict=True)) == order[:k]


def test_all_forms_of_codes_are_accepted(place):
    X = make(40, 72)
    words = pack_codes(X)
    forms = [
        X, X.astype(bool), X.astype(np.int64) * 2 - 1, X.astype(float), words, pd.DataFrame(X), X.tolist(),
        np.packbits(X, axis=1, bitorder="little"), [bitarray(row.tolist()) for row in X],
    ]  # fmt: skip
    with place.open(72) as store:
        for form in forms:
            ids = store.add(form)
            np.testing.assert_array_equal(store.get(ids)[0], words)
            np.testing.assert_array_equal(store.kneighbors(form, 1)[0], np.zeros((40, 1)))
    with place.open(72, bitorder="big") as store:
        np.testing.assert_array_equal(store.get(store.add(np.packbits(X, axis=1)))[0], words)


def test_bits_are_not_other_bits(place):
    with place.open(64) as store:
        store.add(make(5, 64))
        for call in (store.add, store.kneighbors, store.radius_neighbors, lambda X: store.update([0], X)):
            with pytest.raises(ValueError, match="codes have 32 columns, but bits=64 needs 64 columns"):
                call(make(1, 32))
        with pytest.raises(ValueError, match="0 sample"):
            store.kneighbors(np.empty((0, 64), np.uint8))
        assert store.count() == 5
    with pytest.raises(ValueError, match=r"bits=32, but table 'codes' in .* has bits=64"):
        place.open(32)


def test_tables_are_opened_again(place):
    X = make(50, 100)
    columns = {"year": int, "price": float, "kind": str, "sold": bool}
    with pytest.raises(ValueError, match=r"There is no table 'codes' in .*; pass bits= to create it"):
        place.open()
    values = {
        "year": np.arange(50) - 2**62, "price": np.linspace(-1, 1, 50), "sold": np.arange(50) % 3 == 0,
        "kind": ["", "ä'\"\\%s$1;--", "𝔘\n"] * 16 + ["a", "b"],
    }  # fmt: skip
    with place.open(100, columns=columns) as store:
        store.add(X, ids=np.arange(50) - 25, metadata=values)
    with place.open() as store:
        assert store.bits == 100
        assert store.columns == {"year": "int", "price": "float", "kind": "str", "sold": "bool"}
        words, stored = store.get([24, -25, 24])
        np.testing.assert_array_equal(words, pack_codes(X[[49, 0, 49]]))
        for name, column in values.items():
            assert stored[name].tolist() == [column[49], column[0], column[49]]
        frame = pd.DataFrame(values)[:2]
        np.testing.assert_array_equal(store.add(X[:2], metadata=frame), [25, 26])
    with pytest.raises(ValueError, match=r"columns=\{'year': 'int'\}, but table 'codes' in .* has columns="):
        place.open(columns={"year": int})
    with place.open(8, table="others") as store:
        assert store.count() == 0


CONDITIONS = [
    ({}, lambda f: f.id >= 0),
    ({"kind": "cat"}, lambda f: f.kind == "cat"),
    ({"kind": ["cat", "dog"]}, lambda f: f.kind.isin(["cat", "dog"])),
    ({"kind": []}, lambda f: f.id < 0),
    ({"kind": ("not in", [])}, lambda f: f.id >= 0),
    ({"kind": ("not in", ["cat", "'; drop table codes; --"])}, lambda f: f.kind != "cat"),
    ({"kind": (">", "b")}, lambda f: f.kind > "b"),
    ({"year": (">=", 2000)}, lambda f: f.year >= 2000),
    ({"year": [(">=", 2000), ("<", 2010)]}, lambda f: (f.year >= 2000) & (f.year < 2010)),
    ({"year": np.array([1999, 2003]), "sold": True}, lambda f: f.year.isin([1999, 2003]) & f.sold),
    ({"price": ("<=", 0.25), "kind": ("!=", "cow")}, lambda f: (f.price <= 0.25) & (f.kind != "cow")),
    ({"id": [3, 5, 8, 1000]}, lambda f: f.id.isin([3, 5, 8])),
    ({"id": ("<", 40), "sold": ("!=", True)}, lambda f: (f.id < 40) & ~f.sold),
]


def test_filters_are_those_of_pandas(place):
    rng, n = np.random.default_rng(2), 400
    X, Q = make(n, 64), make(10, 64, seed=3)
    frame = pd.DataFrame({
        "kind": rng.choice(["cat", "dog", "cow", "Zebra"], n), "year": rng.integers(1990, 2020, n),
        "price": rng.random(n).round(2), "sold": rng.random(n) < 0.5,
    })  # fmt: skip
    index = HammingIndex().fit(X)
    with place.open(64, columns={"kind": str, "year": int, "price": float, "sold": bool}) as store:
        store.add(X, metadata=frame)
        frame["id"] = np.arange(n)
        for where, condition in CONDITIONS:
            mask = np.asarray(condition(frame))
            assert store.count(where) == mask.sum()
            same(
                store.kneighbors(Q, 12, where=where, missing="pad"),
                index.kneighbors(Q, 12, where=mask, missing="pad"),
            )
            same(store.radius_neighbors(Q, 20, where=where), index.radius_neighbors(Q, 20, where=mask))


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("kind = 'cat'", TypeError, "where must be a dict"),
        ({"color": 1}, ValueError, "there is no column 'color'"),
        ({"kind\" = 'a' or 1=1 --": 1}, ValueError, "there is no column"),
        ({"kind": ("like", "c%")}, ValueError, "op one of"),
        ({"kind": ("= 'a' or", "b")}, ValueError, "op one of"),
        ({"year": (np.array([1, 2]), 3)}, ValueError, r"where\['year'\] must be a value, a list of values or \(op"),
        ({"year": ("in", np.array(5))}, ValueError, r"where\['year'\]: 'in' needs a list of values, got array\(5\)"),
        ({"kind": 5}, TypeError, r"where\['kind'\] must be str, got 5"),
        ({"year": "2000 or true"}, TypeError, r"where\['year'\] must be integers"),
        ({"year": 2.5}, TypeError, r"where\['year'\] must be integers, got 2.5"),
        ({"year": ("<", [1, 2])}, ValueError, "'<' needs one value"),
        ({"year": ("in", 1)}, ValueError, "'in' needs a list of values"),
        ({"year": 2**63}, ValueError, "must fit int64"),
    ],
)
def test_other_filters_are_refused(place, where, error, message):
    with place.open(8, columns={"kind": str, "year": int}) as store:
        for call in (
            lambda: store.kneighbors(make(1, 8), 1, where=where),
            lambda: store.radius_neighbors(make(1, 8), 1, where=where),
            lambda: store.count(where),
        ):
            with pytest.raises(error, match=message):
                call()


@pytest.mark.parametrize(
    "name", ["", "Codes", "1a", "a-b", 'a"b', "a b", "a;b", "é", "a" * 41, "_a", None, 'x" (id int); --']
)
def test_names_are_checked(place, name):
    with pytest.raises(ValueError, match="table must begin with a lower case letter"):
        place.open(8, table=name)
    with pytest.raises(ValueError, match="Names of columns must begin with a lower case letter"):
        place.open(8, columns={name: int})


def test_words_of_the_language_are_names(place):
    with place.open(8, table="select", columns={"order": int, "from": str}) as store:
        store.add(make(3, 8), metadata={"order": [1, 2, 3], "from": ["a", "b", "c"]})
        assert store.count({"order": (">", 1), "from": "b"}) == 1
    with pytest.raises(ValueError, match="must not be named 'id'"):
        place.open(8, table="other", columns={"id": int})
    with pytest.raises(ValueError, match="the type of 'a' must be int, float, str or bool, got 'date'"):
        place.open(8, table="other", columns={"a": "date"})


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        (None, ValueError, r"metadata must have the columns \['kind', 'price'\], got \[\]"),
        ({"kind": ["a", "b"]}, ValueError, "metadata must have the columns"),
        ({"kind": ["a", "b"], "price": [1.0, 2.0], "x": [1, 2]}, ValueError, "metadata must have the columns"),
        ({"kind": ["a"], "price": [1.0, 2.0]}, ValueError, r"metadata\['kind'\] must hold one value per code"),
        ({"kind": ["a", None], "price": [1.0, 2.0]}, TypeError, r"metadata\['kind'\] must be str, got None"),
        ({"kind": ["a", "\0"], "price": [1.0, 2.0]}, ValueError, "without NUL"),
        ({"kind": ["a", "b"], "price": [1.0, np.nan]}, ValueError, r"metadata\['price'\] must be numbers, got NaN"),
        (
            {"kind": ["a", "b"], "price": [1, 10**400]},
            ValueError,
            r"metadata\['price'\] must be numbers of double precis",
        ),
        ({"kind": ["a", "b"], "price": ["1", "2"]}, TypeError, r"metadata\['price'\] must be numbers, got '1'"),
        ([1, 2], TypeError, "metadata must be a dict of columns or a data frame, got list"),
    ],
)
def test_other_metadata_is_refused(place, metadata, error, message):
    with place.open(8, columns={"kind": str, "price": float}) as store:
        with pytest.raises(error, match=message):
            store.add(make(2, 8), metadata=metadata)
        assert store.count() == 0


def test_metadata_may_be_frames_of_other_libraries(place):
    import polars as pl

    with place.open(8, columns={"kind": str, "price": float}) as store:
        ids = store.add(make(2, 8), metadata=pl.DataFrame({"price": [1, 2], "kind": ["a", "b"]}))
        assert store.get(ids)[1]["kind"].tolist() == ["a", "b"]
        store.update(ids, metadata=pl.DataFrame({"price": [1.5, 2.5]}))
        assert store.get(ids)[1]["price"].tolist() == [1.5, 2.5]


def test_ids_are_new_or_known(place):
    X = make(6, 64)
    with place.open(64) as store:
        store.add(X[:3], ids=[10, 5, 2**40])
        for ids, error, message in [
            ([1, 1, 2], ValueError, "ids must be unique, but 1 is given more than once"),
            ([1, 5, 2], ValueError, "ids of new codes must be new, but 5 is in table 'codes' already"),
            ([1, 2], ValueError, "ids must hold one id per code: X has 3, ids has 2"),
            ([1.5, 2, 3], TypeError, "ids must be integers, got 1.5"),
            (["a", "b", "c"], TypeError, "ids must be integers, got 'a'"),
            ([True, 2, 3], TypeError, "ids must be integers"),
            ([1, 2, 2**63], ValueError, "ids must fit int64"),
        ]:
            with pytest.raises(error, match=message):
                store.add(X[3:], ids=ids if ids[0] is not True else np.array(ids, object))
        assert store.count() == 3
        np.testing.assert_array_equal(store.add(X[3:4]), [2**40 + 1])
        for call in (store.remove, store.get, lambda ids: store.update(ids, X[:2])):
            with pytest.raises(ValueError, match="ids must be ids of stored codes, but 6 is not in table 'codes'"):
                call([5, 6])
        assert store.count() == 4
        assert 5 in store
        assert all(other not in store for other in (6, "5", 5.0, None, 2**70, True))
        store.remove([5]).add(X[:1], ids=[5])
        assert store.count() == 4


def test_counted_ids_are_never_given_again(place):
    with place.open(8) as store:
        store.add(make(5, 8))
        store.remove([3, 4])
        np.testing.assert_array_equal(store.add(make(1, 8)), [5])
        store.remove([5])
    with place.open() as store:
        np.testing.assert_array_equal(store.add(make(2, 8)), [6, 7])


def test_updates_keep_what_is_not_given(place):
    X = make(4, 64)
    with place.open(64, columns={"kind": str, "year": int}) as store:
        store.add(X, metadata={"kind": ["a", "b", "c", "d"], "year": [1, 2, 3, 4]})
        store.update([2, 0], metadata={"year": [30, 10]})
        store.update([1], X[3:])
        words, columns = store.get([0, 1, 2, 3])
        np.testing.assert_array_equal(words, pack_codes(X[[0, 3, 2, 3]]))
        assert columns["year"].tolist() == [10, 2, 30, 4]
        assert columns["kind"].tolist() == ["a", "b", "c", "d"]
        with pytest.raises(ValueError, match="update needs X, metadata, or both"):
            store.update([1])
        with pytest.raises(ValueError, match="metadata must have columns of"):
            store.update([1], metadata={"color": [1]})
        with pytest.raises(ValueError, match="ids must hold one id per code"):
            store.update([1, 2], X[:1])


def test_few_codes_are_an_error_or_padded(place):
    with place.open(8, columns={"kind": str}) as store:
        with pytest.raises(ValueError, match="n_neighbors = 1 and there are 0 codes in the store"):
            store.kneighbors(make(1, 8), 1)
        store.add(make(3, 8), metadata={"kind": ["a", "b", "b"]})
        with pytest.raises(
            ValueError, match="n_neighbors = 3 and there are 2 codes in the store for which where holds"
        ):
            store.kneighbors(make(1, 8), 3, where={"kind": "b"})
        distances, ids = store.kneighbors(make(1, 8), 4, where={"kind": "a"}, missing="pad")
        assert ids.tolist() == [[0, -1, -1, -1]]
        assert distances[0, 1:].tolist() == [-1, -1, -1]
        with pytest.raises(ValueError, match="missing must be one of"):
            store.kneighbors(make(1, 8), 1, missing="ignore")
        for k in (0, 1.5):
            with pytest.raises((ValueError, TypeError), match="n_neighbors"):
                store.kneighbors(make(1, 8), k)
        with pytest.raises(ValueError, match="radius"):
            store.radius_neighbors(make(1, 8), -1)


def test_transactions_happen_as_a_whole(place):
    X = make(20, 64)
    with place.open(64) as store, place.open() as other:
        store.add(X[:10])
        with store.transaction():
            store.remove([0, 1])
            store.add(X[10:12], ids=[100, 101])
            store.update([2], X[19:])
            assert 100 in store
            assert store.count() == 10
            assert 100 not in other  # another session sees nothing of it yet
            assert 0 in other or not getattr(place, "is_isolated", True)
        assert 100 in other
        assert store.count() == other.count() == 10
        before = store.get([2, 100])[0]
        with pytest.raises(KeyError), store.transaction():  # noqa: PT012
            store.remove([3])
            store.add(X[12:14], ids=[200, 201])
            store.update([2], X[18:19])
            with store.transaction():
                store.remove([4])
            raise KeyError
        assert 3 in store
        assert 4 in store
        assert 200 not in store
        np.testing.assert_array_equal(store.get([2, 100])[0], before)
        # An engine's refusal within the block undoes the block, even if the caller goes on.
        with pytest.raises(StoreError, match="Repeat the whole transaction"), store.transaction():  # noqa: PT012
            store.add(X[14:15], ids=[300])
            with pytest.raises(ValueError, match="ids of new codes must be new"):
                store.add(X[15:17], ids=[301, 100])
        assert 300 not in store
        store.add(X[14:15], ids=[300])  # and the store goes on
        assert 300 in other


def test_a_failing_add_in_several_parts_stores_nothing(place, monkeypatch):
    with place.open(64) as store:
        monkeypatch.setattr(type(store), "max_rows", 10)
        store.add(make(35, 64), ids=np.arange(35) * 2)
        with pytest.raises(ValueError, match="but 68 is in table"):
            store.add(make(35, 64), ids=[*range(1, 69, 2), 68])
        assert store.count() == 35
        with pytest.raises(ValueError, match="70 is not in table"):
            store.remove(np.arange(0, 72, 2))
        assert store.count() == 35
        store.update(np.arange(0, 70, 2), make(35, 64, seed=5)).remove(np.arange(0, 60, 2))
        assert store.count() == 5


def test_dropped_tables_are_named(place):
    X = make(3, 8)
    store, other = place.open(8), place.open()
    store.add(X)
    other.drop()
    calls = [
        lambda: store.add(X), lambda: store.remove([0]), lambda: store.kneighbors(X, 1), lambda: store.count(),
        lambda: store.radius_neighbors(X), lambda: store.get([0]), lambda: store.update([0], X[:1]), store.drop,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StoreMissingError, match=r"table 'codes' in .*dropped.* bits="):
            call()
    with place.open(16) as new:
        assert new.count() == 0
    store.close()
    other.close()


def test_closed_stores_say_so(place):
    store = place.open(8)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="Cannot count codes in table 'codes': the store is closed"):
        store.count()


def test_stores_are_not_pickled(place):
    import pickle

    with place.open(8) as store, pytest.raises(TypeError, match="open the store in each process"):
        pickle.dumps(store)


def test_stores_belong_to_one_process(place, monkeypatch):
    import os

    with place.open(8) as store:
        store.add(make(3, 8))
        with monkeypatch.context() as context:
            context.setattr(os, "getpid", lambda: -1)
            with pytest.raises(
                StoreError, match="Cannot count codes in table 'codes': the store was opened in another"
            ):
                store.count()
        assert store.count() == 3


def test_threads_lose_and_double_nothing(place):
    """Four writers with counted ids and removals, four readers that must see whole batches only."""
    rounds, size = 8, 25
    with place.open(64, columns={"writer": int}) as store:
        stop, given = threading.Event(), []

        def write(number):
            kept = []
            for step in range(rounds):
                ids = store.add(make(size, 64, seed=number), metadata={"writer": [number] * size})
                kept.append(ids)
                if step % 3 == 2:
                    store.remove(kept.pop(0))
            return np.concatenate(kept)

        def read(number):
            seen = 0
            while not stop.is_set():
                assert store.count({"writer": number}) % size == 0
                _, ids = store.kneighbors(make(3, 64, seed=number), 10, missing="pad")
                assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in ids)
                seen += 1
            return seen

        with ThreadPoolExecutor(8) as pool:
            readers = [pool.submit(read, number) for number in range(4)]
            writers = [pool.submit(write, number) for number in range(4)]
            try:
                given = np.concatenate([writer.result() for writer in writers])
            finally:
                stop.set()
            assert all(reader.result() > 0 for reader in readers)
        assert len(set(given)) == len(given) == store.count()
        _, columns = store.get(given)
        assert np.bincount(columns["writer"]).tolist() == [len(given) // 4] * 4


def test_progress_is_shown(place, capsys):
    with place.open(8, verbose=True) as store:
        store.add(make(3, 8))
    assert "3/3" in capsys.readouterr().err
