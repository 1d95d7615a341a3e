import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skhash import HammingIndex
from skhash.codes import pack_codes, unpack_codes

ALGORITHMS = ["brute", "mih", "auto"]


def random_codes(n, bits, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def nearest_by_loop(query, entries):
    """(distance, id) of all entries by (distance, place)."""
    found = [(int((query != code).sum()), place, label) for place, (label, code) in enumerate(entries)]
    return [(distance, label) for distance, _, label in sorted(found)]


def check_searches(index, entries, queries, k, radius):
    """Compare an index with a list of (id, code)."""
    assert len(index) == index.n_samples_fit_ == len(entries)
    assert index.ids_.tolist() == [label for label, _ in entries]
    distances, ids = index.radius_neighbors(queries, radius)
    for q, query in enumerate(queries):
        expected = [pair for pair in nearest_by_loop(query, entries) if pair[0] <= radius]
        assert list(zip(distances[q].tolist(), ids[q].tolist(), strict=True)) == expected
    k = min(k, len(entries))
    if k:
        distances, ids = index.kneighbors(queries, k)
        for q, query in enumerate(queries):
            assert list(zip(distances[q].tolist(), ids[q].tolist(), strict=True)) == nearest_by_loop(query, entries)[:k]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(ALGORITHMS), st.booleans(), st.sampled_from([3, 64, 70]), st.integers(0, 999))
def test_searches_after_a_life(algorithm, own_ids, bits, seed):
    rng = np.random.default_rng(seed)
    codes = random_codes(200, bits, seed)
    labels = [("code", i) for i in rng.permutation(200).tolist()] if own_ids else list(range(200))
    index = HammingIndex(algorithm=algorithm).fit(codes[:60], ids=labels[:60] if own_ids else None)
    entries, n_given, queries = list(zip(labels[:60], codes[:60], strict=True)), 60, codes[100:103]
    for _ in range(6):
        action = rng.choice(["add", "remove", "update", "compact"])
        some = [entries[i][0] for i in rng.permutation(len(entries))[: rng.integers(1, 13)]]
        if action == "add":
            n = int(rng.integers(1, 15))
            new = slice(n_given, n_given + n)
            index.add(codes[new], ids=labels[new] if own_ids else None)
            entries, n_given = entries + list(zip(labels[new], codes[new], strict=True)), n_given + n
        elif action == "remove":
            index.remove(some)
            entries = [entry for entry in entries if entry[0] not in some]
        elif action == "update":
            new = dict(zip(some, random_codes(len(some), bits, seed + 1), strict=True))
            index.update(some, np.array(list(new.values())))
            entries = [(label, new.get(label, code)) for label, code in entries]
        else:
            index.compact()
        check_searches(index, entries, queries, int(rng.integers(1, 80)), int(rng.integers(0, bits)))


def test_all_codes_removed():
    index = HammingIndex(n_neighbors=1).fit([[0, 1], [1, 1]], ["a", "b"])
    for _ in range(2):
        index.remove(index.ids_)
        assert len(index) == index.n_samples_fit_ == 0
        assert index.codes_.shape == (0, 1)
        assert [row.tolist() for row in index.radius_neighbors([[0, 1], [0, 0]], return_distance=False)] == [[], []]
        assert index.radius_neighbors()[0].shape == (0,)
        assert index.radius_neighbors_graph([[0, 1]]).shape == (1, 0)
        for search in (index.kneighbors, index.predict):
            with pytest.raises(
                ValueError, match="Expected n_neighbors <= n_samples_fit, but n_neighbors = 1, n_samples_f"
            ):
                search([[0, 1]])
        pickle.loads(pickle.dumps(index)).radius_neighbors([[0, 1]])
        index.add([[1, 0]], ["c"])
        assert index.ids_.tolist() == [index._collection.next_id - 1]
        assert index.predict([[0, 1]]).tolist() == ["c"]
        assert index.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("ids", [None, list("abcdefgh"), np.arange(8) * 10**12])
def test_masks_and_lists_of_ids(ids):
    codes = random_codes(8, 70)
    index = HammingIndex().fit(codes, ids=ids)
    index.remove(index.ids_[[2]])
    left = np.delete(codes, 2, axis=0)
    mask = np.array([True, False, True, True, False, False, True])
    entries = [(label, code) for label, code, kept in zip(index.ids_.tolist(), left, mask, strict=True) if kept]
    for where in (mask, mask.tolist(), pd.Series(mask), index.ids_[mask], index.ids_[mask].tolist()[::-1]):
        for k in range(1, 5):
            distances, found = index.kneighbors(codes[:1], k, where=where)
            assert (
                list(zip(distances[0].tolist(), found[0].tolist(), strict=True))
                == nearest_by_loop(codes[0], entries)[:k]
            )
        with pytest.raises(
            ValueError, match="n_neighbors = 5, n_samples_fit = 7, of which where passes 4, n_samples = 1"
        ):
            index.kneighbors(codes[:1], 5, where=where)
        found = index.radius_neighbors(codes[:1], 70, return_distance=False, where=where)[0]
        assert found.tolist() == [label for _, label in nearest_by_loop(codes[0], entries)]
    assert index.radius_neighbors(codes[:1], 70, where=[])[1][0].tolist() == []
    assert index.radius_neighbors(codes[:1], 70, where=[False] * 7)[1][0].tolist() == []


def test_masks_and_the_codes_themselves():
    codes = random_codes(9, 8)
    index = HammingIndex(radius=8).fit(codes)
    mask = np.arange(9) % 3 > 0
    nearest, within = index.kneighbors(n_neighbors=5, where=mask)[1], index.radius_neighbors(where=mask)[1]
    for i in range(9):
        entries = [(j, codes[j]) for j in range(9) if mask[j] and j != i]
        expected = [label for _, label in nearest_by_loop(codes[i], entries)]
        assert nearest[i].tolist() == expected[:5]
        assert within[i].tolist() == expected
    with pytest.raises(ValueError, match=r"n_neighbors < n_samples_fit, but n_neighbors = 6, .* where passes 6"):
        index.kneighbors(n_neighbors=6, where=mask)


def test_codes_are_not_their_own_neighbors_after_a_removal():
    codes = random_codes(30, 4)
    index = HammingIndex(n_neighbors=5, radius=1).fit(codes, ids=[f"c{i}" for i in range(30)]).remove(["c3", "c7"])
    fresh = HammingIndex(n_neighbors=5, radius=1).fit(np.delete(codes, [3, 7], axis=0))
    names = index.ids_
    for found, expected in zip(index.kneighbors(), fresh.kneighbors(), strict=True):
        assert found.tolist() == (expected.tolist() if found.dtype == np.int32 else names[expected].tolist())
    found, expected = index.radius_neighbors()[1], fresh.radius_neighbors()[1]
    assert [row.tolist() for row in found] == [names[row].tolist() for row in expected]
    for name in ("kneighbors_graph", "radius_neighbors_graph"):  # columns are places in ids_
        for X in (None, codes[:5]):
            graph, reference = getattr(index, name)(X, mode="distance"), getattr(fresh, name)(X, mode="distance")
            assert graph.shape == reference.shape
            for part in ("data", "indices", "indptr"):
                np.testing.assert_array_equal(getattr(graph, part), getattr(reference, part))


@pytest.mark.parametrize("compacted", [False, True])
def test_labels_stay_with_their_codes(compacted):
    codes = random_codes(40, 16)
    index = HammingIndex(n_neighbors=1).fit(codes, np.arange(40)).remove([5, 6])
    if compacted:
        index.compact()
    left = np.delete(np.arange(40), [5, 6])
    assert index.labels_.decode().tolist() == left.tolist()
    assert index.predict(codes[left]).tolist() == left.tolist()
    assert index.classes_.tolist() == list(range(40))
    y = np.arange(40) % 2
    index = HammingIndex().fit(codes, y).remove([5, 6])
    assert index.score(codes, y) == HammingIndex().fit(codes[left], y[left]).score(codes, y)
    index.update([0, 39], codes[[39, 0]], [7, 8])
    assert index.labels_.decode()[[0, -1]].tolist() == [7, 8]
    np.testing.assert_array_equal(unpack_codes(index.codes_, 16)[[0, -1]], codes[[39, 0]])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_call_that_raises_changes_nothing(algorithm):
    codes = random_codes(40, 8)
    index = HammingIndex(n_neighbors=3, algorithm=algorithm).fit(codes, np.arange(40) % 3, ids=range(100, 140))
    index.add(codes[:4], [0, 1, 2, 3], ids=range(4)).remove([101])
    before = pickle.dumps((index.kneighbors(codes), index.ids_, index.codes_, index.labels_, index.classes_))
    for change, message in (
        (lambda: index.fit(codes[:, :5], ["a"]), "inconsistent numbers of samples"),
        (lambda: index.fit(pd.DataFrame(codes[:, :5]).add_prefix("bit"), ids=[1]), "X has 40, ids has 1"),
        (lambda: index.fit(codes[:, :5], ids=[1] * 40), "1 is given more than once"),
        (lambda: index.add(codes[:2], [0], ids=[7, 8]), "inconsistent numbers of samples"),
        (lambda: index.add(codes[:2], [8, 9], ids=[7, 100]), "100 is in the index already"),
        (lambda: index.add(codes[:2], [8, 9]), "ids must be passed to every add"),
        (lambda: index.add(codes[:2, :5], [8, 9], ids=[7, 8]), "X has 5 features"),
        (lambda: index.remove([100, 101]), "101 is not in the index"),
        (lambda: index.update([100, 101], codes[:2]), "101 is not in the index"),
        (lambda: index.update([100], codes[:2]), "X has 2, ids has 1"),
        (lambda: index.update([100, 102], codes[:2], [9]), "X has 2, y has 1"),
        (lambda: index.update([100], codes[:1] + 0.5), "codes are continuous"),
    ):
        with pytest.raises(ValueError, match=message):
            change()
        after = pickle.dumps((index.kneighbors(codes), index.ids_, index.codes_, index.labels_, index.classes_))
        assert after == before
        assert (index.bits_, index.n_features_in_, hasattr(index, "feature_names_in_")) == (8, 8, False)
    unfitted = HammingIndex()
    with pytest.raises(ValueError, match="inconsistent"):
        unfitted.add(codes, [1])
    assert vars(unfitted) == vars(HammingIndex())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_copies_live_on_their_own(copied):
    codes = random_codes(60, 64)
    index = HammingIndex(n_neighbors=1, algorithm="mih").fit(codes[:20], np.arange(20)).add(codes[20:22], [20, 21])
    index.update([0], codes[1:2], [33])
    twin = copied(index)
    index.add(codes[22:25], [22, 23, 24])
    assert (twin.kneighbors(codes[22:25], return_distance=False) < 22).all()
    index.update([0, 1], codes[50:52], [50, 51])
    twin.add(codes[30:33], [30, 31, 32]).update([3], codes[40:41], [40])
    assert index.predict(codes[[50, 51, 2, 3, 20, 22, 24]]).tolist() == [50, 51, 2, 3, 20, 22, 24]
    assert twin.predict(codes[[2, 40, 20, 30, 32]]).tolist() == [2, 40, 20, 30, 32]
    assert twin.kneighbors(codes[[1, 40]], 2)[1][:, 0].tolist() == [0, 3]
    assert (len(index), len(twin)) == (25, 25)


def test_the_arrays_of_the_user_stay_as_they_are():
    codes = pack_codes(random_codes(20, 64))
    ids, before = np.arange(20), codes.copy()
    index = HammingIndex().fit(codes, ids=ids)
    assert np.shares_memory(index.codes_, codes)
    index.update([3], ~codes[3:4]).remove([0]).add(codes[:1], ids=[0])
    ids[:] = 7
    np.testing.assert_array_equal(codes, before)
    assert index.ids_.tolist() == [*range(1, 20), 0]


def test_membership():
    index = HammingIndex().fit(np.eye(4), ids=["a", ("b", 1), 3, None]).remove([3])
    assert [label in index for label in ("a", ("b", 1), 3, None, "c")] == [True, True, False, True, False]
    automatic = HammingIndex().fit(np.eye(4)).remove([3])
    assert [label in automatic for label in (-99, -1, 0, 2, 3, 4, "a", np.int64(1))] == [0, 0, 1, 1, 0, 0, 0, 1]


def test_before_fit():
    index = HammingIndex()
    for call in (lambda: len(index), lambda: 3 in index, lambda: index.remove([1]), lambda: index.update([1], [[1]])):
        with pytest.raises(NotFittedError):
            call()
    for call in (index.compact, index.memory_usage):
        with pytest.raises(NotFittedError):
            call()
    assert not any(hasattr(index, name) for name in ("codes_", "ids_", "labels_", "classes_", "n_samples_fit_"))
    assert index.add([[0, 1]], ids=["a"]) is index
    assert index.ids_.tolist() == ["a"]


def test_memory_usage():
    codes = random_codes(1000, 64)
    index = HammingIndex(algorithm="brute").fit(codes)
    fresh = {"codes": 8000, "ids": 0, "labels": 0, "tombstones": 0, "lookup": 0, "distinct_codes": 0, "tables": 0}
    index.kneighbors(codes[:3])
    assert index.memory_usage() == fresh
    assert index.remove([1]).memory_usage() == {**fresh, "tombstones": 1000}
    assert index.compact().memory_usage() == {**fresh, "codes": 7992, "ids": 7992}
    index.set_params(algorithm="mih").kneighbors(codes[:3])
    assert index.memory_usage()["tables"] > 0
    assert index.set_params(algorithm="brute").memory_usage()["tables"] == 0


def test_the_algorithm_is_that_of_the_moment():
    codes = random_codes(3000, 32)
    index = HammingIndex(n_neighbors=3).fit(codes)
    answers = []
    for algorithm in ALGORITHMS:
        answers.append(index.set_params(algorithm=algorithm).kneighbors(codes[:5]))
        if algorithm != "auto":
            assert index.last_search_ == {"algorithm": algorithm, "n_queries": 5, "n_probed": 5 * (algorithm == "mih")}
    for distances, ids in answers:
        np.testing.assert_array_equal(distances, answers[0][0])
        np.testing.assert_array_equal(ids, answers[0][1])
    with pytest.raises(ValueError, match=re.escape("algorithm must be 'auto', 'brute' or 'mih', got 'fast'.")):
        index.set_params(algorithm="fast").kneighbors(codes[:5])


def test_tables_outlive_a_removal_and_an_addition():
    codes = random_codes(3000, 32)
    index = HammingIndex(n_neighbors=3, algorithm="mih").fit(codes[:2990])
    index.kneighbors(codes[:5])
    tables = index.memory_usage()["tables"]
    assert index.remove([2, 4]).add(codes[2990:]).memory_usage()["tables"] == tables > 0
    entries = [(i, code) for i, code in enumerate(codes) if i not in (2, 4)]
    check_searches(index, entries, codes[2988:2992], 4, 6)
    index.update([7], codes[:1])
    entries[5] = (7, codes[0])
    check_searches(index, entries, codes[:2], 4, 6)


def test_threads_search_one_index():
    codes = random_codes(2000, 24)
    for algorithm in ALGORITHMS:
        index = HammingIndex(n_neighbors=9, algorithm=algorithm).fit(codes, ids=np.arange(2000)[::-1]).remove([3, 4])
        expected = HammingIndex(n_neighbors=9).fit(codes[:1995]).kneighbors(codes[:20], where=np.arange(1995) < 1900)
        with ThreadPoolExecutor(8) as pool:
            where = list(range(1999, 99, -1))
            for distances, ids in pool.map(lambda _: index.kneighbors(codes[:20], where=where), range(16)):  # noqa: B023
                np.testing.assert_array_equal(distances, expected[0])
                np.testing.assert_array_equal(ids, 1999 - expected[1])


def test_ids_are_routed():
    with config_context(enable_metadata_routing=True):
        index = HammingIndex(n_neighbors=1).set_fit_request(ids=True)
        pipe = make_pipeline(FunctionTransformer(), index).fit(np.eye(3), ids=["a", "b", "c"])
    assert pipe[-1].kneighbors(np.eye(3))[1].ravel().tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("narrow", [np.int8, np.uint8, np.int16])
def test_narrow_numpy_integers_are_just_numbers(narrow):
    codes = np.random.default_rng(0).integers(0, 2, (150, 512)).astype(np.uint8)
    index = HammingIndex().fit(codes)
    for expected, got in zip(index.kneighbors(codes[:3], 100), index.kneighbors(codes[:3], narrow(100)), strict=True):
        np.testing.assert_array_equal(got, expected)
    for radius in (np.uint8(255), narrow(127)):
        expected, got = index.radius_neighbors(codes[:3], int(radius)), index.radius_neighbors(codes[:3], radius)
        for a, b in zip(expected[1], got[1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_ids_beyond_64_bits_are_refused_and_not_there():
    index = HammingIndex().fit(np.eye(3, dtype=np.uint8), ids=[1, 2, 3])
    assert 2**70 not in index
    with pytest.raises(ValueError, match="must fit int64"):
        index.remove(["a", 2**70])
    with pytest.raises(ValueError, match="must fit int64"):
        HammingIndex().fit(np.eye(3, dtype=np.uint8), ids=["a", ("b", 1), 2**70])


def test_a_mask_of_numpy_bools_in_a_list():
    index = HammingIndex(n_neighbors=1).fit(np.eye(3, dtype=np.uint8))
    ids = index.kneighbors(np.eye(3, dtype=np.uint8)[:1], where=[np.False_, np.True_, np.False_], return_distance=False)
    assert ids.tolist() == [[1]]


def test_rerank_takes_mixed_ids_in_lists():
    z = np.random.default_rng(0).normal(size=(3, 8))
    index = HammingIndex(binarize=0.0).fit(z, ids=["a", 1, 2])
    ids = index.rerank(z[:1], [[1, "a"]], scoring="asymmetric")
    ids = ids[-1] if isinstance(ids, tuple) else ids
    assert ids.tolist() == [["a", 1]]
