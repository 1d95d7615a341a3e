import re
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skhash import HammingIndex
from skhash.codes import binarize, pack_codes
from skhash.index.hamming._rerank import vector_scores, weighted_scores


def best_by_loop(scores, ids, k):
    """Scores and ids by score and, of equal ones, by place."""
    kept = [sorted(zip(row, range(len(row)), strict=True))[:k] for row in scores]
    return [[score for score, _ in row] for row in kept], [[ids[q][i] for _, i in row] for q, row in enumerate(kept)]


def check(found, scores, ids, k=None):
    scores, ids = best_by_loop(scores, ids, k)
    np.testing.assert_allclose(found[0], scores, rtol=1e-12)
    assert found[1].tolist() == ids


def random_index(n=50, bits=70, seed=0, **options):
    codes = np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)
    return codes, HammingIndex().fit(codes, **options)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 99))
def test_weighted_kernel_equals_its_loop(bits, seed):
    rng = np.random.default_rng(seed)
    codes, queries = rng.integers(0, 2, (9, bits)), rng.integers(0, 2, (3, bits))
    rows, weights = rng.integers(0, 9, (3, 4)), rng.random((3, bits))
    scores = np.empty((3, 4))
    weighted_scores(pack_codes(codes), rows, pack_codes(queries), weights, scores)
    for q in range(3):
        for i, row in enumerate(rows[q]):
            assert scores[q, i] == sum(weights[q, k] for k in range(bits) if codes[row, k] != queries[q, k])


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(0, 99))
def test_vector_kernel_equals_its_loop(n_dims, seed):
    rng = np.random.default_rng(seed)
    vectors, query, scores = rng.normal(size=(5, n_dims)), rng.normal(size=n_dims), np.empty(5)
    vectors[2] = 0
    vectors[3] = vectors[1]
    for cosine in (True, False):
        vector_scores(vectors, query, cosine, scores)
        for v, score in zip(vectors, scores, strict=True):
            product = sum(a * b for a, b in zip(v, query, strict=True))
            lengths = sqrt(sum(a * a for a in v)) * sqrt(sum(b * b for b in query))
            expected = (1 - product / lengths if lengths else 1) if cosine else sqrt(sum((v - query) ** 2))
            assert score == pytest.approx(expected, abs=1e-12)
        assert scores[1] == scores[3]


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5])
def test_asymmetric_order_is_that_of_the_inner_product(threshold):
    rng = np.random.default_rng(0)
    z, queries = rng.normal(size=(60, 70)), rng.normal(size=(4, 70))
    shift = threshold or 0.0
    bits = binarize(z, shift)
    index = HammingIndex(binarize=threshold).fit(bits if threshold is None else z)
    distances, ids = index.kneighbors(binarize(queries, shift), 20)
    scores = [
        [sum(abs(q[k] - shift) for k in range(70) if bits[i, k] != (q[k] >= shift)) for i in row]
        for q, row in zip(queries, ids, strict=True)
    ]
    found = index.rerank(queries, ids, 7)
    check(found, scores, ids, 7)
    for q, row in zip(queries, found[1], strict=True):
        assert (np.diff((2.0 * bits[row] - 1) @ (q - shift)) <= 1e-12).all()
    queries = np.where(binarize(queries, shift), shift + 1, shift - 1)  # now it is the Hamming distance
    check(index.rerank(queries, ids), distances, ids)


def test_weighted_by_common_and_by_own_weights():
    codes, index = random_index()
    rng = np.random.default_rng(1)
    queries = rng.integers(0, 2, (3, 70), dtype=np.uint8)
    distances, ids = index.kneighbors(queries, 12)
    for weights in (rng.random(70), rng.random((3, 70)), (rng.random(70) < 0.3).astype(int)):
        own = np.broadcast_to(weights, (3, 70))
        scores = [[(own[q] * (codes[i] != queries[q])).sum() for i in ids[q]] for q in range(3)]
        for X in (queries, pack_codes(queries)):
            found = HammingIndex(bits=70).fit(codes).rerank(X, ids, 5, scoring="weighted", weights=weights)
            np.testing.assert_allclose(found[0], np.sort(scores, axis=1)[:, :5])
    check(index.rerank(queries, ids, scoring="weighted", weights=np.ones(70)), distances, ids)


@pytest.mark.parametrize("scoring", ["cosine", "euclidean"])
@pytest.mark.parametrize("ids", [None, [f"image {i}" for i in range(50)]])
def test_vectors_of_all_codes_and_of_the_candidates(scoring, ids, tmp_path):
    codes, index = random_index(ids=ids)
    rng = np.random.default_rng(1)
    vectors, queries = rng.normal(size=(50, 6)).astype(np.float32), rng.normal(size=(3, 6)).astype(np.float32)
    index.remove(index.ids_[[4, 30]])
    left = np.delete(np.arange(50), [4, 30])
    candidates = index.kneighbors(codes[:3], 9, return_distance=False)
    rows = candidates if ids is None else np.array([[ids.index(i) for i in row] for row in candidates])
    double, queries64 = vectors.astype(float), queries.astype(float)
    if scoring == "euclidean":
        scores = [[sqrt(((double[i] - queries64[q]) ** 2).sum()) for i in rows[q]] for q in range(3)]
    else:
        unit = double / np.linalg.norm(double, axis=1, keepdims=True)
        unit_queries = queries64 / np.linalg.norm(queries64, axis=1, keepdims=True)
        scores = [[1 - unit[i] @ unit_queries[q] for i in rows[q]] for q in range(3)]
    np.save(tmp_path / "vectors.npy", vectors[left])
    names = list(range(50)) if ids is None else ids
    by_name = dict(zip(names, vectors, strict=True))
    shuffled = rng.permutation(50)
    for given_vectors, vector_ids in (
        (vectors[left], index.ids_),
        (np.load(tmp_path / "vectors.npy", mmap_mode="r"), index.ids_),
        (vectors[shuffled], [names[i] for i in shuffled]),
        (torch.from_numpy(vectors[shuffled]), [names[i] for i in shuffled]),
        (vectors[rows], None),
        (by_name, None),
        ({name: torch.from_numpy(vector) for name, vector in by_name.items()}, None),
        (lambda wanted: [by_name[name] for name in wanted.tolist()], None),
        *([(vectors, None)] if ids is None else []),
    ):
        found = index.rerank(queries, candidates, 4, scoring=scoring, vectors=given_vectors, vector_ids=vector_ids)
        check(found, scores, candidates.tolist(), 4)


def rerank_two(index, vectors, **options):
    return index.rerank([[0.0, 0.0]], [index.ids_[:2].tolist()], scoring="euclidean", vectors=vectors, **options)


def test_a_matrix_whose_rows_may_be_in_another_order_is_refused():
    codes, index = random_index(n=4, ids=list("abcd"))
    vectors = np.ones((4, 2))
    for _ in range(2):
        with pytest.raises(ValueError, match="vectors is a matrix, whose rows alone do not say to which user-defined"):
            rerank_two(index, vectors)
        index.remove(["b"]).add(codes[1:2], ids=["b"])  # as many rows, in another order
    counted = HammingIndex().fit(codes).remove([1]).add(codes[1:2])
    with pytest.raises(ValueError, match="a row for each of the 5 ids that the index ever counted, got 4 rows"):
        rerank_two(counted, vectors)
    rows = np.arange(10.0).reshape(5, 2)  # of the ids 0 to 4, of which 1 was removed
    np.testing.assert_allclose(rerank_two(counted, rows)[0], [[1.0, np.hypot(4, 5)]])


@pytest.mark.parametrize(
    ("vectors", "vector_ids", "message"),
    [
        (np.ones((3, 2)), list("abc"), "vector_ids must contain all candidates, but 'd' is not in them."),
        (np.ones((0, 2)), [], "vector_ids must contain all candidates, but 2 ids (the first of them 'a') are not"),
        (np.ones((2, 2)), list("aa"), "vector_ids must be unique, but 'a' is given more than once."),
        (
            np.ones((2, 2)),
            list("a"),
            "vector_ids must hold one id per row of vectors: vectors has 2, vector_ids has 1.",
        ),
        (np.ones((2, 3)), list("ad"), "vectors must have shape (2, 2), got (2, 3)."),
        ({"a": [1.0, 2.0]}, None, "vectors must contain all candidates, but 'd' is not in the mapping."),
        ({"a": [1.0, 2.0], "d": [1.0]}, None, "vectors is a nested list without a regular shape"),
        (lambda ids: np.ones((3, 2)), None, "vectors(ids) must have shape (2, 2), a row for each id, got (3, 2)."),
        ({"a": [1.0, 2.0]}, ["a"], "vector_ids are the ids of the rows of a matrix"),
        (np.ones((1, 2, 2)), ["a"], "vector_ids are the ids of the rows of a matrix"),
        (np.ones((1, 3, 2)), None, "vectors must have shape (1, 2, 2), got (1, 3, 2)."),
        (np.ma.masked_array(np.ones((2, 2)), mask=np.eye(2)), list("ad"), "vectors is a masked array with 2 masked"),
    ],
)
def test_errors_of_vectors_by_id(vectors, vector_ids, message):
    index = HammingIndex().fit([[0, 0], [1, 0]], ids=["a", "d"])
    with pytest.raises(ValueError, match=re.escape(message)):
        rerank_two(index, vectors, vector_ids=vector_ids)
    with pytest.raises(ValueError, match="vector_ids must not be passed without vectors"):
        index.rerank([[0.0, 0.0]], [["a"]], vector_ids=["a"])


@pytest.mark.parametrize("dtype", [complex, "S1", "U1", "M8[s]"])
def test_vectors_are_real_numbers(dtype):
    index = HammingIndex().fit([[0, 0], [1, 0]])
    vectors = np.ones((2, 2), int).astype(dtype)
    for form in (vectors, vectors[None], dict(enumerate(vectors)), lambda ids: vectors):
        with pytest.raises(TypeError, match="vectors must contain real numbers, got values of type"):
            rerank_two(index, form)


def test_a_callable_may_change_the_ids_it_gets():
    index = HammingIndex().fit([[0, 0], [1, 0]])
    vectors = np.array([[3.0, 0.0], [1.0, 0.0]])

    def call(ids):
        found = vectors[ids]
        ids.sort()
        return found

    assert index.rerank([[0.0, 0.0]], [[1, 0]], scoring="euclidean", vectors=call)[1].tolist() == [[1, 0]]


def test_tensors_as_every_argument():
    codes, index = random_index(bits=5)
    z = torch.linspace(-1, 1, 10, requires_grad=True).reshape(2, 5)
    ids = torch.arange(8).reshape(2, 4)
    for options in (
        {},
        {"scoring": "weighted", "weights": torch.arange(5)},
        {"scoring": "cosine", "vectors": torch.arange(250.0).reshape(50, 5).bfloat16()},
    ):
        plain = {name: value.float().numpy() if hasattr(value, "numpy") else value for name, value in options.items()}
        X = torch.from_numpy(codes[:2]) if "weights" in options else z
        X_plain = codes[:2] if "weights" in options else z.detach().numpy()
        found = index.rerank(X, ids, **options)
        for ours, theirs in zip(found, index.rerank(X_plain, ids.numpy(), **plain), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="ids is a masked array with 1 masked"):
        index.rerank(z, np.ma.masked_array([[1], [2]], mask=[[0], [1]]))


def test_equal_scores_keep_the_order_of_distance_and_row():
    codes, index = random_index(bits=5)
    ids = index.kneighbors(codes[:4], 30, return_distance=False)
    for options in (
        {"scoring": "weighted", "weights": np.zeros(5)},
        {"scoring": "cosine", "vectors": np.ones((50, 5))},
        {"scoring": "euclidean", "vectors": np.ones((4, 30, 5))},
    ):
        assert index.rerank(codes[:4], ids, **options)[1].tolist() == ids.tolist()
    vectors = np.arange(50)[:, None] % 2 + np.zeros(5)
    reranked = index.rerank(np.zeros((4, 5)), ids, scoring="euclidean", vectors=vectors)[1]
    for before, after in zip(ids.tolist(), reranked.tolist(), strict=True):
        assert after == sorted(before, key=lambda i: i % 2)


def test_codes_in_a_memory_map(tmp_path):
    codes, index = random_index()
    np.save(tmp_path / "codes.npy", pack_codes(codes))
    mapped = HammingIndex(bits=70).fit(np.load(tmp_path / "codes.npy", mmap_mode="r"))
    z = np.random.default_rng(1).normal(size=(2, 70))
    ids = np.tile(np.arange(50), (2, 1))
    for found, expected in zip(mapped.rerank(z, ids), index.rerank(z, ids), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("X", "ids", "options", "message"),
    [
        (np.zeros((1, 3)), [[0]], {"scoring": "hamming"}, "scoring must be one of ('asymmetric', 'weighted', 'cosine'"),
        (np.zeros((1, 3)), [[0]], {"scoring": "weighted"}, "scoring='weighted' needs weights."),
        (np.zeros((1, 3)), [[0]], {"scoring": "cosine"}, "scoring='cosine' needs vectors."),
        (np.zeros((1, 3)), [[0]], {"vectors": np.zeros((4, 3))}, "scoring='asymmetric' takes no vectors."),
        (np.zeros((1, 3)), [[0]], {"weights": np.ones(3)}, "scoring='asymmetric' takes no weights."),
        (
            np.zeros((1, 3)),
            [0],
            {},
            "ids must have shape (n_queries, n_candidates), as from kneighbors, got (1,)",
        ),
        (np.zeros((1, 3)), [[0, 9, 8]], {}, "2 ids (the first of them 9) are not in the index."),
        (np.zeros((2, 3)), [[0]], {}, "ids must have a row for each query: X has 2, ids has 1."),
        (np.zeros((1, 3)), [[0]], {"n_neighbors": 2}, "n_neighbors == 2, must be <= 1"),
        (
            np.zeros((1, 3), int),
            [[0]],
            {},
            "X must be continuous codes (floats) for scoring='asymmetric', got dtype int64.",
        ),
        (np.zeros((1, 4)), [[0]], {}, "X has 4 features, but HammingIndex is expecting 3 features"),
        (np.zeros((1, 3)), [[0]], {"scoring": "weighted", "weights": [1, 2]}, "weights must have shape (3,) or (1, 3)"),
        (
            np.zeros((1, 3)),
            [[0]],
            {"scoring": "weighted", "weights": [1, -2, 0]},
            "weights must not be negative, got -2",
        ),
        (np.zeros((1, 3)), [[0]], {"scoring": "weighted", "weights": [1, np.nan, 0]}, "Input weights contains NaN"),
        (
            np.zeros((1, 2)),
            [[0]],
            {"scoring": "cosine", "vectors": np.ones((5, 2))},
            "shape (4, 2) or (1, 1, 2), got (5",
        ),
        (
            np.ones((1, 2)),
            [[0]],
            {"scoring": "cosine", "vectors": np.full((4, 2), np.nan)},
            "candidates contain NaN or inf",
        ),
    ],
)
def test_errors(X, ids, options, message):
    index = HammingIndex().fit([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]])
    with pytest.raises(ValueError, match=re.escape(message)):
        index.rerank(X, ids, **options)
    with pytest.raises(NotFittedError):
        HammingIndex().rerank(X, ids)
