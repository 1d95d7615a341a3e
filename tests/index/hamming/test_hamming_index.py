import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from bitarray import bitarray
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skhash import HammingIndex
from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision


@parametrize_with_checks([HammingIndex(binarize=0.0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", [check_param_validation, check_dataframe_column_names_consistency])
def test_checks_that_scikit_learn_keeps_for_itself(check):
    check("HammingIndex", HammingIndex(binarize=0.0))


def random_codes(n, bits, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def bytes_of(codes):
    return np.packbits(codes, axis=1, bitorder="little")


def distances_by_loop(queries, codes):
    return np.array([[int((q != c).sum()) for c in codes] for q in queries])


def same(answers, others):
    return all(np.array_equal(a, b) for a, b in zip(answers, others, strict=True))


FORMS = {
    "bits": lambda codes: codes,
    "bool": lambda codes: codes.astype(bool),
    "signs": lambda codes: 2 * codes.astype(np.int8) - 1,
    "floats": lambda codes: codes.astype(float),
    "list": lambda codes: codes.tolist(),
    "words": pack_codes,
    "list of words": lambda codes: list(pack_codes(codes)),
    "bytes": bytes_of,
    "bitarrays": lambda codes: [bitarray(row.tolist()) for row in codes],
    "tensor": torch.from_numpy,
}


@pytest.mark.parametrize("bits", [3, 64, 70])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_equal_answers(form, bits):
    codes, queries = random_codes(30, bits), random_codes(4, bits, seed=1)
    expected = HammingIndex().fit(codes).kneighbors(queries)
    index = HammingIndex(bits=bits).fit(FORMS[form](codes))
    assert index.bits_ == index.n_features_in_ == bits
    np.testing.assert_array_equal(index.codes_, pack_codes(codes))
    for query_form in FORMS.values():
        assert same(index.kneighbors(query_form(queries)), expected)


def test_full_words_need_no_bits():
    codes = random_codes(6, 128)
    index = HammingIndex().fit(pack_codes(codes))
    assert index.bits_ == index.n_features_in_ == 128
    assert same(index.kneighbors(codes), HammingIndex().fit(codes).kneighbors(codes))


def test_neighbors_are_ordered_by_distance_then_id():
    index = HammingIndex(n_neighbors=4).fit([[1, 1], [0, 1], [0, 0], [0, 1], [1, 0]])
    distances, ids = index.kneighbors([[0, 1]])
    assert distances.tolist() == [[0, 0, 1, 1]]
    assert ids.tolist() == [[1, 3, 0, 2]]
    assert (distances.dtype, ids.dtype) == (np.int32, np.int64)
    assert index.kneighbors([[0, 1]], 1, return_distance=False).tolist() == [[1]]


def test_radius_neighbors_are_ordered_and_include_the_radius():
    index = HammingIndex(radius=1).fit([[1, 1], [0, 1], [0, 0], [0, 1], [1, 0]])
    distances, ids = index.radius_neighbors([[0, 1], [1, 1]])
    assert [row.tolist() for row in distances] == [[0, 0, 1, 1], [0, 1, 1, 1]]
    assert [row.tolist() for row in ids] == [[1, 3, 0, 2], [0, 1, 3, 4]]
    assert distances.dtype == ids.dtype == object
    assert (distances[0].dtype, ids[0].dtype) == (np.int32, np.int64)
    exact = index.radius_neighbors([[0, 1], [1, 1]], 0, return_distance=False)
    assert [row.tolist() for row in exact] == [[1, 3], [0]]


def test_a_query_may_have_no_neighbor_in_the_radius():
    distances, ids = HammingIndex().fit([[0, 0, 0, 0]]).radius_neighbors([[1, 1, 1, 1], [1, 1, 0, 0]])
    assert [row.tolist() for row in ids] == [[], [0]]
    assert [row.tolist() for row in distances] == [[], [2]]


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
def test_indexed_codes_are_not_their_own_neighbors(n, bits, radius, seed):
    codes = random_codes(n, bits, seed)  # few bits: many equal codes
    distances = distances_by_loop(codes, codes)
    index = HammingIndex().fit(codes)
    k = 1 + seed % (n - 1)
    found, ids = index.kneighbors(n_neighbors=k)
    within_distances, within_ids = index.radius_neighbors(radius=radius)
    for i in range(n):
        others = sorted((int(distances[i, j]), j) for j in range(n) if j != i)
        assert list(zip(found[i].tolist(), ids[i].tolist(), strict=True)) == others[:k]
        near = [pair for pair in others if pair[0] <= radius]
        assert list(zip(within_distances[i].tolist(), within_ids[i].tolist(), strict=True)) == near


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_equal_those_of_scikit_learn(mode, own):
    codes, queries = random_codes(40, 5), None if own else random_codes(7, 5, seed=1)
    index = HammingIndex(n_neighbors=39 if own else 40, radius=2).fit(codes)
    reference = NearestNeighbors(n_neighbors=index.n_neighbors, radius=2, metric="manhattan").fit(codes.astype(float))
    for name in ("kneighbors_graph", "radius_neighbors_graph"):
        graph = getattr(index, name)(queries, mode=mode)
        expected = getattr(reference, name)(queries, mode=mode)
        assert graph.format == "csr"
        assert graph.dtype == np.float64
        assert graph.nnz == expected.nnz  # distances of 0 are stored
        np.testing.assert_array_equal(graph.toarray(), expected.toarray())
        if mode == "distance":
            for start, stop in zip(graph.indptr, graph.indptr[1:], strict=False):
                edges = list(zip(graph.data[start:stop], graph.indices[start:stop], strict=True))
                assert edges == sorted(edges)


def test_scikit_learn_takes_the_graphs():
    codes, y = random_codes(60, 8), np.arange(60) % 3
    index = HammingIndex(n_neighbors=5, radius=2).fit(codes)
    graph = index.radius_neighbors_graph(codes, mode="distance")
    by_graph = DBSCAN(eps=2, metric="precomputed").fit_predict(graph)
    np.testing.assert_array_equal(by_graph, DBSCAN(eps=2, metric="manhattan").fit_predict(codes.astype(float)))

    train, queries = index.kneighbors_graph(codes, mode="distance"), random_codes(9, 8, seed=1)
    classifier = KNeighborsClassifier(n_neighbors=5, metric="precomputed").fit(train, y)
    votes = classifier.predict_proba(index.kneighbors_graph(queries, mode="distance"))
    predicted = HammingIndex(n_neighbors=5).fit(codes, y).predict(queries)
    assert (votes[np.arange(9), predicted] == votes.max(axis=1)).all()


def test_predict_votes_and_takes_all_codes_if_there_are_fewer():
    codes = [[0, 0, 0], [0, 0, 1], [1, 1, 1]]
    index = HammingIndex(n_neighbors=3).fit(codes, ["a", "b", "b"])
    assert index.classes_.tolist() == ["a", "b"]
    assert index.predict([[0, 0, 0]]).tolist() == ["b"]
    assert index.set_params(n_neighbors=2).predict([[0, 0, 0], [0, 0, 1]]).tolist() == ["a", "b"]
    assert index.set_params(n_neighbors=50).predict([[0, 0, 0]]).tolist() == ["b"]
    assert index.predict(None).tolist() == ["b", "a", "b"]  # none votes for itself; equal votes go to the nearest
    assert index.set_params(n_neighbors=1).predict(None).tolist() == ["b", "a", "b"]
    multi_hot = HammingIndex(n_neighbors=2).fit(codes, np.array([[1, 0], [1, 1], [0, 1]]))
    assert multi_hot.classes_.tolist() == [0, 1]
    assert multi_hot.predict([[0, 0, 0], [1, 1, 1]]).tolist() == [[1, 1], [1, 1]]


def test_score_is_map_at_all():
    codes, queries, rng = random_codes(50, 70), random_codes(6, 70, seed=1), np.random.default_rng(2)
    for y, y_queries in (
        (rng.integers(0, 4, 50), rng.integers(0, 4, 6)),
        (rng.integers(0, 2, (50, 3)), rng.integers(0, 2, (6, 3))),
    ):
        expected = mean_average_precision(queries, codes, y_queries, y)
        index = HammingIndex().fit(codes, y)
        assert index.score(queries, y_queries) == expected
        assert index.score(pack_codes(queries), y_queries) == expected
    assert HammingIndex().fit(np.eye(3), [0, 1, 2]).score(np.eye(3), [0, 1, 2]) == 1.0


def test_without_labels_there_is_no_predict():
    index = HammingIndex()
    assert hasattr(index, "predict")
    with pytest.raises(NotFittedError):
        index.predict([[0, 1]])
    index.fit([[0, 1]])
    assert index.labels_ is None
    for name in ("predict", "score"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as error:
            getattr(index, name)
        assert "was fitted without labels" in str(error.value.__cause__)
    assert hasattr(index.fit([[0, 1]], [3]), "predict")
    assert not hasattr(index.fit([[0, 1]]), "classes_")


def test_binarize_thresholds_continuous_codes_and_leaves_codes_alone():
    z = np.random.default_rng(0).normal(size=(20, 66))
    codes = (z >= 0.25).astype(np.uint8)
    expected = HammingIndex().fit(codes).kneighbors(codes)
    index = HammingIndex(binarize=0.25).fit(z)
    assert same(index.kneighbors(z), expected)
    for form in ("bits", "bool", "words", "bytes", "bitarrays"):
        assert same(index.kneighbors(FORMS[form](codes)), expected)
    assert HammingIndex(binarize=0).fit([[-3, 0, 5]]).codes_.tolist() == [[6]]


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({}, [[0.3, -2.0]], "codes are continuous (values from -2 to 0.3); binarize them first"),
        ({}, [[-1, 0, 1]], "codes mix 0/1 with -1/+1"),
        ({}, np.array([[3, 200]], np.uint8), "Packed bytes need bits="),
        ({}, [[0.0, np.nan]], "Input X contains NaN"),
        ({"bits": 4}, [[0, 1, 1]], "codes have 3 columns, but bits=4 needs 4 columns"),
        ({"bits": 65}, np.zeros((1, 1), np.uint64), "Packed codes have 1 words of 64 bits, but bits=65 needs 2"),
        ({"bits": 4}, np.full((1, 1), 16, np.uint64), "bits set beyond bits=4"),
        ({}, pd.DataFrame({"a": np.array([3], np.uint64)}), "Packed words (uint64) must be an array, got DataFrame."),
        ({}, np.zeros((0, 8), np.uint8), "Found array with 0 sample(s)"),
        ({}, [0, 1], "Reshape your data"),
    ],
)
def test_what_is_no_code_is_refused(parameters, X, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        HammingIndex(**parameters).fit(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 7), np.uint8), "X has 7 features, but HammingIndex is expecting 70 features"),
        ([bitarray("01")], "X has 2 features, but HammingIndex is expecting 70 features"),
        (np.zeros((2, 1), np.uint64), "Packed codes have 1 words of 64 bits, but bits=70 needs 2"),
        (np.full((1, 70), 0.5), "codes are continuous"),
    ],
)
def test_queries_that_do_not_fit_are_refused(X, message):
    index = HammingIndex(n_neighbors=1).fit(random_codes(3, 70))
    for search in (index.kneighbors, index.radius_neighbors, index.partial_fit):
        with pytest.raises(ValueError, match=message):
            search(X)


@pytest.mark.parametrize("bits", [48, 64, 100, 128])
@pytest.mark.parametrize("form", ["words", "bits", "bool", "signs", "floats", "mapped"])
def test_plain_arrays_are_read_at_once_as_lists_are(bits, form, tmp_path):
    rng = np.random.default_rng(bits)
    codes, queries = rng.integers(0, 2, (50, bits), np.uint8), rng.integers(0, 2, (4, bits), np.uint8)
    expected = HammingIndex().fit(codes.tolist()).kneighbors(queries.tolist(), 50)
    convert = {
        "words": pack_codes,
        "bits": np.asarray,
        "bool": lambda x: x.astype(bool),
        "signs": lambda x: 2 * x.astype(np.int8) - 1,
        "floats": lambda x: x.astype(np.float32),
        "mapped": lambda x: (x.tofile(tmp_path / "x"), np.memmap(tmp_path / "x", np.uint8, "r").reshape(x.shape))[1],
    }[form]
    index = HammingIndex(bits=bits).fit(convert(codes))
    for found in (index.kneighbors(convert(queries), 50), index.kneighbors(convert(queries[:1]), 50)):
        for array, exact in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array, exact[: len(array)])
    assert type(index.codes_) is np.ndarray
    assert index.bits_ == index.n_features_in_ == bits


def test_what_plain_arrays_hide_is_still_reported():
    codes = np.eye(4, 48, dtype=np.uint8)
    index = HammingIndex().fit(codes)
    with pytest.raises(ValueError, match="bits set beyond bits=48"):
        index.kneighbors(np.array([[2**48]], np.uint64), 1)
    with pytest.raises(ValueError, match="codes mix 0/1 with -1/"):
        index.kneighbors(-codes.astype(np.int8) + codes[::-1], 1)
    with pytest.raises(ValueError, match="0 sample"):
        index.kneighbors(codes[:0], 1)
    with pytest.raises(ValueError, match="bitorder must be"):
        index.set_params(bitorder="middle").kneighbors(codes, 1)
    named = HammingIndex().fit(pd.DataFrame(codes, columns=[f"bit{i}" for i in range(48)]))
    with pytest.warns(UserWarning, match="valid feature names"):
        named.kneighbors(codes, 1)
    assert not hasattr(named.fit(codes), "feature_names_in_")
    with pytest.raises(ValueError, match="bits"):
        HammingIndex(bits=47).fit(codes)


def test_parameters_of_a_search_are_checked():
    index = HammingIndex(n_neighbors=3).fit([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit, but n_neighbors = 3"):
        index.kneighbors([[0, 1]])
    with pytest.raises(ValueError, match="n_neighbors < n_samples_fit, but n_neighbors = 2, n_samples_fit = 2"):
        index.kneighbors(n_neighbors=2)
    with pytest.raises(ValueError, match="n_neighbors == 0, must be >= 1"):
        index.kneighbors([[0, 1]], 0)
    with pytest.raises(TypeError, match="n_neighbors must be an instance of int"):
        index.kneighbors([[0, 1]], 1.5)
    with pytest.raises(ValueError, match="radius == -1, must be >= 0"):
        index.radius_neighbors([[0, 1]], -1)
    with pytest.raises(TypeError, match="radius must be an instance of int"):
        index.radius_neighbors([[0, 1]], 0.5)
    for graph in (index.kneighbors_graph, index.radius_neighbors_graph):
        with pytest.raises(ValueError, match="mode must be 'connectivity' or 'distance', got 'both'"):
            graph([[0, 1]], mode="both")
    for search in (HammingIndex().kneighbors, HammingIndex().radius_neighbors, HammingIndex().kneighbors_graph):
        with pytest.raises(NotFittedError):
            search([[0, 1]])


@pytest.mark.parametrize("y", [[0.5, 1.5], ["a"], [[1, 2], [3, 4]]])
def test_what_is_no_label_is_refused(y):
    with pytest.raises(ValueError, match=r"Unknown label type: y|inconsistent numbers of samples: X has 2, y has 1"):
        HammingIndex().fit([[0, 1], [1, 1]], y)


@settings(deadline=None)
@example([2, 1, 1], True)  # new classes where there is room left for labels encoded by the old ones
@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.booleans())
def test_partial_fit_equals_one_fit(sizes, labelled):
    codes = random_codes(sum(sizes), 67)
    y = np.array(["x", "c", "a", "b", "x", "a"] * 8)[: len(codes)] if labelled else None
    index, start = HammingIndex(n_neighbors=1), 0
    for size in sizes:
        rows = slice(start, start + size)
        assert index.partial_fit(codes[rows], None if y is None else y[rows]) is index
        start += size
    whole = HammingIndex(n_neighbors=1).fit(codes, y)
    np.testing.assert_array_equal(index.codes_, whole.codes_)
    assert index.n_samples_fit_ == len(codes)
    if labelled:
        assert index.labels_.decode().tolist() == y.tolist()
        assert index.classes_.tolist() == whole.classes_.tolist()
        assert index.predict(codes).tolist() == whole.predict(codes).tolist()


def test_partial_fit_takes_labels_always_or_never():
    codes = random_codes(4, 8)
    with pytest.raises(ValueError, match="y must not be passed: fit was called without y, so the index has no labels"):
        HammingIndex().fit(codes).partial_fit(codes, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="y must be passed to every add, as to fit"):
        HammingIndex().fit(codes, [0, 1, 0, 1]).partial_fit(codes)


def test_a_refused_partial_fit_changes_nothing():
    codes = random_codes(4, 8)
    index = HammingIndex(n_neighbors=1).fit(codes, [0, 1, 0, 1]).partial_fit(codes[:1], [0])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        index.partial_fit(codes, [0])
    with pytest.raises(ValueError, match="X has 7 features"):
        index.partial_fit(codes[:, :7], [5, 6, 7, 8])
    assert index.n_samples_fit_ == len(index.codes_) == len(index.labels_) == 5
    assert index.classes_.tolist() == [0, 1]


def test_pickle_and_clone():
    codes = random_codes(40, 33)
    index = HammingIndex(n_neighbors=3, bits=33).fit(codes, np.arange(40) % 4).partial_fit(codes[:1], [7])
    loaded = pickle.loads(pickle.dumps(index))
    assert same(loaded.kneighbors(codes), index.kneighbors(codes))
    assert not loaded._collection.buffers  # spare capacity is not state
    loaded.partial_fit(codes[:2], [7, 8])
    assert (loaded.n_samples_fit_, index.n_samples_fit_) == (43, 41)
    fresh = clone(index)
    assert fresh.get_params() == index.get_params()
    assert not hasattr(fresh, "codes_")


def test_memory_mapped_codes_are_searched_in_place(tmp_path):
    codes = random_codes(300, 128)
    np.save(tmp_path / "codes.npy", pack_codes(codes))
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    index = HammingIndex(n_neighbors=7, n_jobs=2).fit(mapped)
    assert np.shares_memory(index.codes_, mapped)
    expected = HammingIndex(n_neighbors=7).fit(codes)
    assert same(index.kneighbors(mapped[:5]), expected.kneighbors(codes[:5]))
    index.partial_fit(mapped[:3])
    assert index.n_samples_fit_ == 303
    np.testing.assert_array_equal(mapped, pack_codes(codes))


def test_threads_do_not_change_the_answer():
    codes, queries = random_codes(3000, 12), random_codes(200, 12, seed=1)
    index = HammingIndex(n_neighbors=20, n_jobs=1).fit(codes)
    expected = index.kneighbors(queries)
    assert same(clone(index).set_params(n_jobs=2).fit(codes).kneighbors(queries), expected)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert same(clone(index).set_params(n_jobs=None).fit(codes).kneighbors(queries), expected)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(index.kneighbors, [queries] * 8):
            assert same(answer, expected)


def test_last_step_of_a_pipeline():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    hasher = make_pipeline(StandardScaler(), Binarizer())
    pipe = make_pipeline(hasher, HammingIndex(n_neighbors=3)).fit(X, y)
    predicted, score = pipe.predict(X[:20]), pipe.score(X[:50], y[:50])
    assert (predicted == y[:20]).mean() > 0.8
    assert 0.2 < score <= 1
    assert pipe[-1].kneighbors(pipe[:-1].transform(X[:2]))[1][:, 0].tolist() == [0, 1]

    framed = clone(pipe)
    framed[0].set_output(transform="pandas")
    framed.fit(X, y)
    assert framed[-1].feature_names_in_.tolist() == [f"x{k}" for k in range(64)]
    assert framed.predict(X[:20]).tolist() == predicted.tolist()
    assert framed.score(X[:50], y[:50]) == score
    packed = pack_codes(pipe[0].transform(X[:20]))
    assert framed[-1].predict(packed).tolist() == predicted.tolist()
    assert not hasattr(framed[-1].fit(packed, y[:20]), "feature_names_in_")


def test_grid_search_needs_no_scorer():
    X, y = make_blobs(60, n_features=8, centers=3, random_state=0)
    pipe = make_pipeline(StandardScaler(), HammingIndex(binarize=0.0))
    search = GridSearchCV(pipe, {"hammingindex__binarize": [0.0, 99.0]}, cv=2).fit(X, y)
    assert search.best_params_ == {"hammingindex__binarize": 0.0}
    assert search.predict(X).shape == (60,)


def test_one_code_of_one_bit():
    index = HammingIndex(n_neighbors=1).fit([[1]], ["only"])
    assert same(index.kneighbors([[0], [1]]), ([[1], [0]], [[0], [0]]))
    assert index.predict([[0]]).tolist() == ["only"]
    assert [row.tolist() for row in index.radius_neighbors(return_distance=False)] == [[]]
    assert index.radius_neighbors_graph().nnz == 0
