"""Changes of an EmbeddingIndex, against a new one of the same vectors and the same quantizer."""

import copy
import pickle
import re
import threading

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skhash import EmbeddingIndex


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


TRAINING = vectors(300, seed=99)
QUERIES = vectors(5, seed=98)


def learned(**parameters):
    return EmbeddingIndex(random_state=0, **parameters).learn(TRAINING[:100]).learn(TRAINING[100:])


def assert_same_answers(a, b, k=5, **options):
    for found, expected in zip(a.kneighbors(QUERIES, k, **options), b.kneighbors(QUERIES, k, **options), strict=True):
        np.testing.assert_array_equal(found, expected)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "update", "compact", "pickle"]), st.integers(0, 2**20)), max_size=12
)


@settings(max_examples=60)
@given(CHANGES, st.sampled_from([None, "int8", "float32"]), st.sampled_from(["cosine", "euclidean", "inner_product"]))
def test_any_life_ends_as_a_new_index(changes, rescore, metric):
    index, state = learned(rescore=rescore, metric=metric, bytes_per_vector=16), {}
    index.add(vectors(20), ids=np.arange(20))
    state, number = dict(enumerate(vectors(20))), 20
    for kind, seed in changes:
        rng = np.random.default_rng(seed)
        some = rng.permutation(list(state))[: rng.integers(0, 6)]
        if kind == "add":
            more = vectors(4, seed=seed)
            index.add(more, ids=np.arange(number, number + 4))
            state |= dict(zip(range(number, number + 4), more, strict=True))
            number += 4
        elif kind == "remove":
            index.remove(some)
            state = {label: vector for label, vector in state.items() if label not in some}
        elif kind == "update" and len(some):
            more = vectors(len(some), seed=seed)
            index.update(some, more)
            state |= dict(zip(some.tolist(), more, strict=True))
        elif kind == "compact":
            index.compact()
        elif kind == "pickle":
            index = pickle.loads(pickle.dumps(index))
    assert (index.ids_.tolist(), len(index)) == (list(state), len(state))
    if not state:
        return
    fresh = learned(rescore=rescore, metric=metric, bytes_per_vector=16)
    fresh.add(np.stack(list(state.values())), ids=list(state))
    k = min(5, len(state))
    assert_same_answers(index, fresh, k)
    assert_same_answers(index, fresh, k, missing="pad", where=list(state)[::2])
    mask = np.arange(len(state)) % 2 == 0
    assert_same_answers(index, fresh, 2, missing="pad", where=mask)


@pytest.mark.parametrize("rescore", [None, "float16"])
def test_where_is_a_search_among_these(rescore):
    X = vectors(400)
    index = learned(rescore=rescore).add(X)
    for where in (np.arange(0, 400, 7), np.arange(400) > 380, np.arange(400) < 350):
        rows = np.flatnonzero(where) if where.dtype == bool else where
        part = learned(rescore=rescore).add(X[rows], ids=rows)
        for a, b in zip(part.kneighbors(QUERIES, 5), index.kneighbors(QUERIES, 5, where=where), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        (np.arange(6) * 10 - 5, 15),
        (["a", "b", "c", "d", "e", "f"], "c"),
        ([("x", i) for i in range(6)], ("x", 2)),
        ([0, "1", None, (3.5,), "four", (5,)], None),
    ],
)
def test_ids_of_all_kinds(ids, wanted):
    X = vectors(6)
    index = EmbeddingIndex(n_neighbors=1, rescore="float32", random_state=0).fit(X, ids=ids)
    assert list(index.ids_) == list(ids)
    found = index.kneighbors(X)[1][:, 0]
    assert list(found) == list(ids)
    assert wanted in index
    assert wanted not in index.remove([wanted])
    assert len(index) == 5
    index.add(X[2:3], ids=[wanted])
    assert list(index.ids_)[-1] == wanted
    with pytest.raises(ValueError, match="already"):
        index.add(X[2:3], ids=[wanted])


def test_counted_ids_go_on():
    X = vectors(6)
    index = EmbeddingIndex(random_state=0).fit(X).remove([5]).add(X[:2])
    assert index.ids_.tolist() == [0, 1, 2, 3, 4, 6, 7]
    with pytest.raises(ValueError, match="ids must not be passed to add"):
        index.add(X[:1], ids=[99])


@pytest.mark.parametrize("change", ["learn", "partial_fit", "fit"])
def test_the_order_of_learning_and_adding(change):
    X = vectors(200)
    index = EmbeddingIndex(random_state=0)
    if change == "learn":
        assert len(index.learn(TRAINING).add(X)) == 200
        assert not hasattr(index, "_statistics")
        np.testing.assert_allclose(index._stored.quantizer.mean * 1.0, _mean_of(TRAINING), atol=1e-6)
    else:
        getattr(index, change)(X)
        np.testing.assert_allclose(index._stored.quantizer.mean * 1.0, _mean_of(X), atol=1e-6)
    with pytest.raises(ValueError, match="learn must come before the first vectors are indexed"):
        index.learn(X)
    index.fit(X)  # forgets all
    np.testing.assert_allclose(index._stored.quantizer.mean, _mean_of(X), atol=1e-6)


def _mean_of(X):
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).mean(axis=0)


def test_learning_in_chunks_is_learning_at_once():
    X = vectors(1000)
    once = EmbeddingIndex(random_state=0).learn(TRAINING).add(X)
    assert_same_answers(learned().add(X), once, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.fit(np.full((3, 16), np.nan)), "contains NaN"),
        (lambda index: index.fit(vectors(3), ids=[1, 1, 2]), "ids"),
        (lambda index: index.fit(vectors(3), [1, 2]), "inconsistent"),
        (lambda index: index.fit(vectors(3, d=2) * np.inf), "contains"),
        (lambda index: index.set_params(bytes_per_vector=12).fit(vectors(3)), "must be a multiple of 8, got 12"),
        (lambda index: index.set_params(bytes_per_vector=800).fit(vectors(3)), "use at most"),
        (lambda index: index.set_params(rescore="float16").fit(vectors(3) * 1e6), "beyond 65,504"),
        (lambda index: index.add(np.full((1, 16), np.inf)), "contains infinity"),
        (lambda index: index.add(vectors(2, d=15)), "X has 15 features, but EmbeddingIndex is expecting 16"),
        (lambda index: index.update([0], vectors(2)), "one id per code"),
        (lambda index: index.update([0, 0], vectors(2)), "ids"),
        (lambda index: index.update([999], vectors(1)), "not in the index"),
        (lambda index: index.remove([0, 999]), "not in the index"),
        (lambda index: index.learn(vectors(3)), "learn must come before"),
    ],
)
def test_an_error_leaves_the_index(call, message):
    index = EmbeddingIndex(metric="euclidean", random_state=0).fit(vectors(50))
    before, parameters = index.kneighbors(QUERIES), index.get_params()
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        call(index)
    index.set_params(**parameters)
    for a, b in zip(index.kneighbors(QUERIES), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (len(index), index.n_features_in_) == (50, 16)


def test_a_failed_learn_leaves_what_was_learned():
    index = EmbeddingIndex(random_state=0)
    with pytest.raises(ValueError, match="contains NaN"):
        index.learn(np.full((3, 4), np.nan))
    assert not hasattr(index, "n_features_in_")
    index.learn(TRAINING)
    with pytest.raises(ValueError, match="contains NaN"):
        index.learn(np.full((3, 16), np.nan))
    with pytest.raises(ValueError, match="X has 4 features"):
        index.learn(vectors(3, d=4))
    X = vectors(100)
    assert_same_answers(index.add(X), EmbeddingIndex(random_state=0).learn(TRAINING).add(X))


@pytest.mark.parametrize("rescore", [None, "int8", "float32"])
def test_copies_of_the_index(tmp_path, rescore):
    index = EmbeddingIndex(rescore=rescore, n_neighbors=3, random_state=0).fit(vectors(60)).remove([4]).add(vectors(5))
    joblib.dump(index, tmp_path / "index")
    for other in (
        pickle.loads(pickle.dumps(index)),
        joblib.load(tmp_path / "index"),
        joblib.load(tmp_path / "index", mmap_mode="r"),
        copy.copy(index),
        copy.deepcopy(index),
    ):
        assert_same_answers(index, other)
        before = index.kneighbors(QUERIES)
        other.remove([3]).update([0], vectors(1, seed=5)).add(vectors(50, seed=6))
        for a, b in zip(index.kneighbors(QUERIES), before, strict=True):
            np.testing.assert_array_equal(a, b)
    fresh = clone(index)
    assert fresh.get_params() == index.get_params()
    assert not hasattr(fresh, "ids_")


def test_a_shallow_copy_and_the_index_grow_apart():
    index = EmbeddingIndex(rescore="float32", random_state=0).fit(vectors(40)).add(vectors(2, seed=1))
    other = copy.copy(index)
    a, b = vectors(3, seed=2), vectors(3, seed=3)
    index.add(a)
    other.add(b)
    np.testing.assert_array_equal(index.kneighbors(a, 1)[1][:, 0], [42, 43, 44])
    np.testing.assert_array_equal(other.kneighbors(b, 1)[1][:, 0], [42, 43, 44])
    assert index.kneighbors(a, 1)[0].max() < 1e-6
    assert other.kneighbors(b, 1)[0].max() < 1e-6


def test_searches_beside_changes():
    """Each vector is that of its id: a distance to one that is not means that a search saw half a change."""
    bases = vectors(64, d=24)
    index = EmbeddingIndex(n_neighbors=5, rescore="float32", oversampling=8, random_state=0).learn(bases)
    index.add(bases, ids=np.arange(64))
    errors, stop, counts = [], threading.Event(), []

    def read():
        try:
            while not stop.is_set():
                distances, ids = index.kneighbors(bases[:4], 5)
                found = bases[ids % 64]
                lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(bases[:4], axis=1)[:, None]
                expected = 1 - (found * bases[:4, None]).sum(axis=-1) / lengths
                np.testing.assert_allclose(distances, expected, atol=1e-5)
                counts.append(index.explain().n_vectors)
                assert len(index.ids_) >= 64
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(30):
        more = 64 + 32 * i + np.arange(32)
        index.add(bases[more % 64], ids=more)
        index.update(more[:3], bases[more[:3] % 64])
        index.remove(more[5:])
        if i % 7 == 0:
            index.compact()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]
    assert counts


def test_memory_usage():
    index = EmbeddingIndex(bytes_per_vector=16, rescore="float16", random_state=0).fit(vectors(100))
    usage = index.memory_usage()
    assert (usage["records"], usage["vectors"], usage["ids"]) == (1600, 100 * 16 * 2, 0)
    assert usage["quantizer"] > 16 * 16 * 4
    assert re.match(r"EmbeddingIndex\(.*bytes_per_vector=16", repr(index))
