"""Search and second stage in one call, against both calls and numpy."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skhash import HammingIndex

SCORINGS = ("euclidean", "cosine")


def distances_in_numpy(queries, vectors, scoring):
    if scoring == "euclidean":
        return np.linalg.norm(queries[:, None] - vectors, axis=2)
    norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
    return 1 - queries @ vectors.T / norms


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_equals_both_calls(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, bits = data.draw(st.sampled_from([5, 60, 500])), data.draw(st.sampled_from([3, 16]))
    vectors, queries = rng.standard_normal((n, 6)), rng.standard_normal((4, 6))
    directions = rng.standard_normal((6, bits))
    index = HammingIndex(binarize=0.0).fit(vectors @ directions)
    index.remove(rng.choice(n, n // 5, replace=False))
    where = None
    if data.draw(st.booleans()):
        where = rng.random(len(index)) < 0.6
        where[0] = True
    n_allowed = len(index) if where is None else np.count_nonzero(where)
    k, oversampling = data.draw(st.integers(1, n_allowed)), data.draw(st.sampled_from([1, 1.5, 4, 1e6]))
    scoring, query_bits = data.draw(st.sampled_from(SCORINGS)), data.draw(st.sampled_from([None, 1, 4]))
    X, n_candidates = queries @ directions, int(min(np.ceil(oversampling * k), n_allowed))
    found = index.kneighbors_reranked(
        X, queries, vectors, k, scoring=scoring, oversampling=oversampling, query_bits=query_bits, where=where
    )
    if query_bits is None:
        candidates = index.kneighbors(X, n_candidates, where=where)[1]
    else:
        candidates = index.kneighbors_asymmetric(X, n_candidates, query_bits=query_bits, where=where)[1]
    expected = index.rerank(queries, candidates, k, scoring=scoring, vectors=vectors)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    if n_candidates == n_allowed:  # nothing is missed
        allowed = index.ids_ if where is None else index.ids_[where]
        true = np.sort(distances_in_numpy(queries, vectors[allowed], scoring), axis=1)[:, :k]
        np.testing.assert_allclose(found[0], true, atol=1e-12)


@pytest.fixture
def collection():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 8))
    return vectors, HammingIndex(n_neighbors=3, binarize=0.0).fit(vectors)


def test_more_candidates_miss_fewer_neighbors():
    rng = np.random.default_rng(0)
    vectors, queries = rng.standard_normal((3000, 32)), rng.standard_normal((50, 32))
    index = HammingIndex(n_neighbors=10, binarize=0.0).fit(vectors)
    true = np.argsort(distances_in_numpy(queries, vectors, "cosine"), axis=1)[:, :10].tolist()

    def recall(**options):
        ids = index.kneighbors_reranked(queries, queries, vectors, return_distance=False, scoring="cosine", **options)
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids.tolist(), true, strict=True)])

    recalls = [recall(oversampling=oversampling) for oversampling in (1, 4, 16, 300)]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1.0
    assert recall(query_bits=4) > recall() + 0.05


def test_ids_labels_forms_of_vectors_and_padding(collection):
    vectors, index = collection
    names = [f"vector {i}" for i in range(50)]
    named = HammingIndex(n_neighbors=3, binarize=0.0).fit(vectors, ids=names)
    expected = index.kneighbors_reranked(vectors[:4], vectors[:4], vectors)
    assert expected[1][:, 0].tolist() == [0, 1, 2, 3]
    by_name = dict(zip(names, vectors, strict=True))
    forms = (
        {"vectors": by_name},
        {"vectors": lambda ids: [by_name[name] for name in ids]},
        {"vectors": vectors[::-1], "vector_ids": names[::-1]},
    )
    for form in forms:
        distances, ids = named.kneighbors_reranked(vectors[:4], vectors[:4], **form)
        np.testing.assert_array_equal(distances, expected[0])
        assert ids.tolist() == [[f"vector {i}" for i in row] for row in expected[1]]
        distances, ids = named.kneighbors_reranked(vectors[:1], vectors[:1], **form, where=names[:2], missing="pad")
        assert ids.tolist() == [["vector 0", "vector 1", -1]]
        assert distances[0, [0, 2]].tolist() == [0, -1]
    for query_bits in (None, 4):
        distances, ids = index.kneighbors_reranked(
            vectors[:1], vectors[:1], vectors, where=np.zeros(50, bool), missing="pad", query_bits=query_bits
        )
        assert distances.tolist() == ids.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scoring": "asymmetric"}, ValueError, "scoring must be 'euclidean' or 'cosine', got 'asymmetric'; rerank"),
        ({"oversampling": 0.5}, ValueError, "oversampling == 0.5, must be >= 1"),
        ({"oversampling": "4"}, TypeError, "oversampling must be an instance of float"),
        ({"oversampling": np.nan}, ValueError, "oversampling must be a finite number, got nan"),
        ({"oversampling": np.inf}, ValueError, "oversampling must be a finite number, got inf"),
        ({"query_bits": 9}, ValueError, "query_bits == 9, must be <= 8"),
        ({"n_neighbors": 51}, ValueError, "n_neighbors = 51, n_samples_fit = 50, n_samples = 2. missing="),
        ({"where": [1]}, ValueError, "of which where passes 1, n_samples = 2"),
        ({"vectors": np.zeros((2, 12, 8))}, ValueError, "vectors must be a matrix, a mapping or a callable"),
        ({"vectors": np.zeros((49, 8))}, ValueError, "vectors must have shape (50, 8)"),
        ({"queries": np.zeros((1, 8))}, ValueError, "queries must have a row for each of X: X has 2, queries has 1."),
        ({"queries": np.full((2, 8), np.nan)}, ValueError, "Input queries contains NaN"),
        ({"missing": "drop"}, ValueError, "missing must be 'raise' or 'pad'"),
    ],
)
def test_errors(collection, options, error, message):
    vectors, index = collection
    arguments = {"queries": vectors[:2], "vectors": vectors} | options
    with pytest.raises(error, match=re.escape(message)):
        index.kneighbors_reranked(vectors[:2], **arguments)


def test_an_index_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        HammingIndex().kneighbors_reranked([[1]], [[1.0]], [[1.0]])
