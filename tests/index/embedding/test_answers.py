"""Distances and neighbors of EmbeddingIndex: estimates follow from integer scores, rescored ones are exact."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import EmbeddingIndex
from skhash.bitops import score_distances

METRICS = ["cosine", "euclidean", "inner_product"]


def low_rank(n, d, seed=0, rank=16, noise=0.1):
    """Vectors whose variance is in few directions, as that of embeddings is."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(1234).normal(size=(rank, d)) / np.sqrt(rank)
    return (rng.normal(size=(n, rank)) @ basis + noise * rng.normal(size=(n, d)) + 0.3).astype(np.float32)


def exact(X, Q, metric):
    """All distances in double precision."""
    X, Q = X.astype(np.float64), Q.astype(np.float64)
    if metric == "euclidean":
        return np.sqrt(np.square(Q[:, None] - X).sum(axis=-1))
    if metric == "inner_product":
        return -(Q @ X.T)
    lengths = [np.linalg.norm(A, axis=1) for A in (Q, X)]
    lengths = [np.where(length > 0, length, 1) for length in lengths]
    return 1 - (Q @ X.T) / np.outer(*lengths)


def twin(index, Q):
    """All estimated distances, and the integers that they follow from, by numpy."""
    quantizer = index._stored.quantizer
    scores = quantizer.prepare(np.asarray(Q, np.float32), index._n_planes())
    integers = score_distances(
        index._collection.codes, scores.queries.words, scores.queries.form, scores.queries.n_planes
    )
    estimates = scores.bases[:, None] - scores.slopes[:, None] * integers
    if quantizer.metric == "euclidean":
        return integers, np.sqrt(np.maximum(-2 * estimates, 0))
    return integers, 1 - estimates if quantizer.metric == "cosine" else -estimates


def assert_is_the_twins(index, Q, k):
    distances, ids = index.kneighbors(Q, k)
    integers, estimates = twin(index, Q)
    order = np.argsort(integers, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_array_equal(distances, np.take_along_axis(estimates, order, axis=1))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("d", "n_bytes"), [(1, 8), (7, None), (64, 8), (64, 16), (100, 24), (100, 96), (300, None)])
@pytest.mark.parametrize("query_bits", ["auto", 1, 5])
def test_estimates_are_those_of_numpy(metric, d, n_bytes, query_bits):
    X = low_rank(700, d)
    index = EmbeddingIndex(metric=metric, bytes_per_vector=n_bytes, query_bits=query_bits, random_state=0).fit(X)
    assert_is_the_twins(index, np.concatenate([low_rank(9, d, seed=1), X[:3]]), 700)
    assert_is_the_twins(index, X[:1], 5)


@settings(max_examples=40)
@given(
    st.integers(1, 130),
    st.integers(1, 90),
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from(METRICS),
    st.integers(0, 2**31),
)
def test_estimates_are_those_of_numpy_for_any_shape(n, d, n_words, query_bits, metric, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.choice([1e-3, 1.0, 50.0], d) + rng.normal(size=d)
    index = EmbeddingIndex(
        metric=metric, bytes_per_vector=8 * min(n_words, -(-d // 8)), query_bits=query_bits, random_state=0
    ).fit(X)
    assert_is_the_twins(index, rng.normal(size=(3, d)), 1 + seed % n)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n_bytes", [16, 64, 128, 256])
def test_estimates_are_the_distances_to_decoded_vectors(metric, n_bytes):
    """Up to the rounding of the query, and of the offset that stands for the exact part due to the mean."""
    X, Q = low_rank(500, 256), low_rank(5, 256, seed=1)
    index = EmbeddingIndex(metric=metric, bytes_per_vector=n_bytes, query_bits=8, random_state=0).fit(X)
    quantizer = index._stored.quantizer
    decoded = quantizer.decode(index._collection.codes)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    error = np.linalg.norm(rows - decoded, axis=1) / np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    assert error.mean() < {16: 0.8, 64: 0.6, 128: 0.5, 256: 0.35}[n_bytes]
    estimates, distances = twin(index, Q)[1], exact(X, Q, metric)
    assert np.corrcoef(estimates.ravel(), distances.ravel())[0, 1] > 0.97
    # Unbiased, but for the axes that are dropped.
    assert abs((estimates - distances).mean()) < 0.1 * distances.std()


FLOORS = {16: 0.3, 32: 0.5, 64: 0.7, 128: 0.8, 256: 0.9}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n_bytes", FLOORS)
def test_recall(metric, n_bytes):
    X, Q = low_rank(4000, 256, rank=40), low_rank(100, 256, seed=1, rank=40)
    true = exact(X, Q, metric)
    nearest = np.argsort(true, axis=1)[:, :10]
    index = EmbeddingIndex(metric=metric, bytes_per_vector=n_bytes, random_state=0).fit(X)
    found = index.kneighbors(Q, 10, return_distance=False)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, nearest, strict=True)])
    assert recall > FLOORS[n_bytes]
    rescored = EmbeddingIndex(
        metric=metric, bytes_per_vector=n_bytes, rescore="float32", oversampling=10, random_state=0
    ).fit(X)
    distances, found = rescored.kneighbors(Q, 10)
    better = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, nearest, strict=True)])
    assert better > min(0.97, recall + 0.2)
    np.testing.assert_allclose(distances, np.take_along_axis(true, found, axis=1), rtol=1e-6, atol=1e-6)


def test_non_negative_features():
    """Their signs are all ones: they must be centered."""
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(3000, 30)) @ rng.normal(size=(30, 256)) / 5 + 2, 0).astype(np.float32)
    for metric in METRICS:
        index = EmbeddingIndex(metric=metric, random_state=0).fit(X[:2900])
        nearest = np.argsort(exact(X[:2900], X[2900:], metric), axis=1)[:, :10]
        found = index.kneighbors(X[2900:], 10, return_distance=False)
        assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, nearest, strict=True)]) > 0.6


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rescore", ["int8", "float16", "float32"])
def test_rescored_distances_are_those_of_the_copies(metric, rescore):
    X, Q = low_rank(300, 40), low_rank(8, 40, seed=1)
    index = EmbeddingIndex(metric=metric, rescore=rescore, oversampling=300, random_state=0).fit(X)
    copies = index._stored.copies.read(index._collection.vectors)
    scale = np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" and rescore != "float32" else 1
    np.testing.assert_allclose(copies, X / scale, rtol=1e-3, atol=0.04)
    distances, ids = index.kneighbors(Q, 9)
    expected = exact(copies, Q, metric)
    np.testing.assert_array_equal(ids, np.argsort(expected, axis=1, kind="stable")[:, :9])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :9], rtol=1e-12, atol=1e-12)
    assert index.explain(9).n_candidates == 300
    assert f"exact for the {rescore} copies" in index.explain().distances


def test_the_distance_to_itself_is_zero_and_never_negative():
    X = low_rank(500, 48)
    for metric in ("cosine", "euclidean"):
        index = EmbeddingIndex(metric=metric, rescore="float32", random_state=0).fit(X)
        distances, ids = index.kneighbors(X, 1)
        np.testing.assert_array_equal(ids[:, 0], np.arange(500))
        assert distances.min() >= 0
        assert distances.max() < 1e-12


def test_equal_distances_come_in_the_order_of_rows():
    X = np.repeat(low_rank(20, 32), 10, axis=0)[np.random.default_rng(0).permutation(200)]
    for rescore in (None, "float32"):
        index = EmbeddingIndex(rescore=rescore, oversampling=20, random_state=0).fit(X)
        distances, ids = index.kneighbors(X, 30)
        assert (np.diff(distances, axis=1) >= 0).all()
        assert (np.diff(ids, axis=1)[np.diff(distances, axis=1) == 0] > 0).all()


def test_oversampling_adds_candidates():
    X, Q = low_rank(2000, 64, rank=60), low_rank(50, 64, seed=1, rank=60)
    nearest = np.argsort(exact(X, Q, "cosine"), axis=1)[:, :5]
    recalls = []
    for oversampling in (1, 2.5, 10, 400):
        index = EmbeddingIndex(rescore="float32", oversampling=oversampling, random_state=0).fit(X)
        assert index.explain(5).n_candidates == min(2000, int(np.ceil(5 * oversampling)))
        found = index.kneighbors(Q, 5, return_distance=False)
        recalls.append((found[..., None] == nearest[:, None]).any(axis=-1).mean())
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1


@pytest.mark.parametrize("rescore", [None, "int8"])
@pytest.mark.parametrize("metric", METRICS)
def test_answers_depend_on_neither_batches_nor_threads_nor_memory_order(rescore, metric):
    X, Q = low_rank(3000, 70), low_rank(600, 70, seed=1)
    index = EmbeddingIndex(metric=metric, rescore=rescore, bytes_per_vector=24, random_state=0).fit(X)
    expected = index.kneighbors(Q, 6)
    alone = [index.kneighbors(Q[i : i + 1], 6) for i in range(0, 600, 40)]
    for i, answer in zip(range(0, 600, 40), alone, strict=True):
        for a, b in zip(answer, expected, strict=True):
            np.testing.assert_array_equal(a[0], b[i])
    for queries in (Q.tolist(), np.asfortranarray(Q), Q.astype(np.float64), np.repeat(Q, 2, axis=1)[:, ::2]):
        for a, b in zip(index.kneighbors(queries, 6), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    for n_jobs in (2, 3, -1):
        for a, b in zip(index.set_params(n_jobs=n_jobs).kneighbors(Q, 6), expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("metric", METRICS)
def test_a_vector_gets_the_same_record_alone_and_among_others(metric):
    X = low_rank(1500, 50)
    quantizer = EmbeddingIndex(metric=metric, bytes_per_vector=16, random_state=0).fit(X)._stored.quantizer
    records = quantizer.encode(X).records
    np.testing.assert_array_equal(quantizer.encode(np.asfortranarray(X)).records, records)
    np.testing.assert_array_equal(quantizer.encode(X[700:1300]).records, records[700:1300])
    for i in range(0, 1500, 97):
        np.testing.assert_array_equal(quantizer.encode(X[i : i + 1]).records, records[i : i + 1])


@pytest.mark.parametrize("rescore", ["int8", "float16", "float32"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_indexed_vectors_as_queries(metric, rescore):
    X = low_rank(700, 20)
    index = EmbeddingIndex(metric=metric, rescore=rescore, oversampling=1000, random_state=0).fit(X).remove([3, 600])
    copies = index._stored.copies.read(index._collection.vectors)
    expected = exact(copies, copies, metric)
    np.fill_diagonal(expected, np.inf)
    expected[:, [3, 600]] = np.inf
    expected = np.delete(expected, [3, 600], axis=0)
    distances, ids = index.kneighbors(n_neighbors=4)
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :4], atol=1e-9)
    assert (ids != index.ids_[:, None]).all()
    assert index.kneighbors(n_neighbors=697)[1].shape == (698, 697)
    with pytest.raises(ValueError, match=re.escape("Expected n_neighbors < n_samples_fit, but n_neighbors = 698")):
        index.kneighbors(n_neighbors=698)


def test_without_copies_there_are_no_queries():
    index = EmbeddingIndex().fit(np.eye(9))
    with pytest.raises(ValueError, match="kept only with rescore='int8', 'float16' or 'float32'; pass them as X"):
        index.kneighbors(n_neighbors=2)


@pytest.mark.parametrize("rescore", [None, "float32"])
def test_missing_neighbors(rescore):
    X = low_rank(6, 12)
    index = EmbeddingIndex(rescore=rescore, random_state=0).fit(X)
    distances, ids = index.kneighbors(X, 9, missing="pad")
    for a, b in zip((distances[:, :6], ids[:, :6]), index.kneighbors(X, 6), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isnan(distances[:, 6:]).all()
    assert (ids[:, 6:] == -1).all()
    assert (index.kneighbors(X, 2, where=[], missing="pad")[1] == -1).all()
    with pytest.raises(ValueError, match=re.escape("n_neighbors = 3, n_samples_fit = 6, of which where passes 2")):
        index.kneighbors(X, 3, where=[1, 4])
    with pytest.raises(ValueError, match=re.escape("missing must be 'raise' or 'pad', got 'drop'")):
        index.kneighbors(X, 3, missing="drop")


def test_missing_neighbors_of_the_indexed_vectors():
    X = low_rank(6, 12)
    index = EmbeddingIndex(rescore="float32", random_state=0).fit(X)
    for where in ([1, 4], [0, 1, 2, 3, 4, 5], [5]):
        distances, ids = index.kneighbors(n_neighbors=4, where=where, missing="pad")
        assert ids.shape == distances.shape == (6, 4)
        for row in range(6):
            others = [i for i in where if i != row][:4]
            found = ids[row][ids[row] >= 0]
            assert len(found) == min(4, len(set(where) - {row}))
            assert set(found) <= set(where) - {row}
            assert np.isnan(distances[row, len(found) :]).all()
            assert len(others) >= len(found)


@pytest.mark.parametrize(("labels", "expected"), [("text", np.str_), ("multi-hot", np.uint8)])
def test_predict(labels, expected):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 400)
    X = 4 * np.eye(32)[classes] + rng.normal(size=(400, 32))
    y = np.array(["a", "bb", "c"])[classes] if labels == "text" else np.eye(3, dtype=int)[classes]
    for rescore in (None, "int8"):
        index = EmbeddingIndex(rescore=rescore, n_neighbors=7, random_state=0).fit(X[:300], y[:300])
        predicted = index.predict(X[300:])
        assert predicted.dtype.type is expected
        assert (predicted == y[300:]).mean() > 0.9
    assert (index.predict(None) == y[:300]).mean() > 0.9
    index.set_params(n_neighbors=1000)
    assert len(index.predict(X[300:])) == 100  # all vote
    assert not hasattr(EmbeddingIndex().fit(X), "predict")


def test_a_query_in_other_bits_after_fit():
    X = low_rank(300, 40)
    index = EmbeddingIndex(random_state=0).fit(X)
    for query_bits in (1, 8):
        assert_is_the_twins(index.set_params(query_bits=query_bits), X[:5], 10)
    with pytest.raises(ValueError, match="query_bits == 20, must be <= 8"):
        index.set_params(query_bits=20).kneighbors(X[:2])
    with pytest.raises(ValueError, match=re.escape("oversampling == 0.5, must be >= 1")):
        EmbeddingIndex(rescore="int8").fit(X).set_params(oversampling=0.5).kneighbors(X[:2])


def test_classes_exist_with_labels_only():
    X = np.random.default_rng(0).normal(size=(40, 16))
    index = EmbeddingIndex(random_state=0).fit(X, np.array(["b", "a"] * 20))
    assert index.classes_.tolist() == ["a", "b"]
    assert not hasattr(EmbeddingIndex(random_state=0).fit(X), "classes_")


def test_equal_distances_of_copies_come_in_the_order_of_rows():
    """Opposite vectors are equally far from the origin, but their estimates differ where it is not the mean."""
    rng = np.random.default_rng(0)
    half = rng.integers(-9, 10, (30, 24)).astype(np.float32)
    X = np.concatenate([half, -half, half[:10] + 20])[rng.permutation(70)]
    index = EmbeddingIndex(70, metric="euclidean", rescore="float32", random_state=0).fit(X)
    distances, ids = index.kneighbors(np.zeros((1, 24)))
    exact = np.sqrt(np.square(X, dtype=np.float64).sum(axis=1))
    np.testing.assert_array_equal(ids[0], np.argsort(exact, kind="stable"))
    np.testing.assert_array_equal(distances[0], np.sort(exact))
