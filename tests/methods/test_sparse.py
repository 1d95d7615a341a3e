"""Hashers that learn from summaries take sparse matrices, with the codes of the dense ones."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skhash import HammingIndex, ITQHasher, LSHHasher, OrthoHasher, PCAHasher, SpectralHasher

HASHERS = [
    LSHHasher(32, center=True, random_state=0),
    LSHHasher(32, directions="hadamard", random_state=0),
    PCAHasher(32),
    ITQHasher(32, random_state=0),
    SpectralHasher(32),
]


@pytest.fixture(scope="module")
def matrix():
    return scipy.sparse.random_array((3000, 400), density=0.05, rng=np.random.default_rng(0), format="csr")


@pytest.mark.parametrize("hasher", HASHERS, ids=repr)
@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_codes_are_those_of_the_dense_matrix(hasher, form, matrix):
    dense, y = matrix.toarray(), np.arange(3000) % 3
    expected = hasher.fit(dense, y).transform(dense)
    values, labels = hasher.decision_function(dense), hasher.predict(dense[:50])
    hasher.fit(matrix.asformat(form), y)
    np.testing.assert_array_equal(hasher.transform(matrix.asformat(form)), expected)
    np.testing.assert_array_equal(hasher.transform(dense), expected)
    np.testing.assert_array_equal(hasher.decision_function(matrix), values)
    np.testing.assert_array_equal(hasher.predict(matrix[:50]), labels)


@pytest.mark.parametrize("hasher", HASHERS, ids=repr)
def test_chunks_may_be_sparse_or_dense(hasher, matrix):
    codes = hasher.fit(matrix).transform(matrix)
    hasher.fit(matrix[:1700].toarray()).partial_fit(matrix[1700:])
    np.testing.assert_array_equal(hasher.transform(matrix), codes)


def test_memory_is_that_of_blocks():
    rng = np.random.default_rng(0)
    large = scipy.sparse.random_array((40_000, 2000), density=0.002, rng=rng, format="csr", dtype=np.float32)
    tracemalloc.start()
    LSHHasher(16, random_state=0).fit(large).transform(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * 4 * 40_000 * 2000


def test_texts_in_a_pipeline():
    texts = ["red apple", "green apple", "red pear", "blue sky", "gray sky", "blue sea"] * 5
    pipeline = make_pipeline(TfidfVectorizer(), LSHHasher(64, random_state=0), HammingIndex()).fit(texts)
    assert pipeline[-1].kneighbors(pipeline[:-1].transform(["blue sky"]), 1)[0] == 0


def test_values_that_are_not_finite_are_refused(matrix):
    damaged = matrix.copy()
    damaged.data[7] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LSHHasher(8).fit(damaged)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LSHHasher(8).fit(matrix).transform(damaged)


def test_deep_hashers_ask_for_dense_matrices(matrix):
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        OrthoHasher(8).fit(matrix, np.arange(3000) % 3)
