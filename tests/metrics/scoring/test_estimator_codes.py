import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skhash import HammingIndex, LSHHasher
from skhash.metrics import make_map_scorer
from skhash.metrics.scoring._estimator_codes import encode, hasher_and_index, project

X, Y = make_blobs(n_samples=60, n_features=5, centers=3, random_state=0)
HASHER = LSHHasher(bits=12, random_state=0).fit(X)


def test_a_hasher_and_a_pipeline_that_ends_in_one_are_themselves():
    pipeline = make_pipeline(StandardScaler(), LSHHasher(bits=12, random_state=0)).fit(X)
    for estimator in (HASHER, pipeline):
        assert hasher_and_index(estimator, "This") == (estimator, None)
        codes, bits = encode(estimator, X, "This")
        np.testing.assert_array_equal(codes, estimator.transform(X))
        assert bits is None
        np.testing.assert_array_equal(project(estimator, X, "This") >= 0, codes)


def test_a_pipeline_that_ends_in_an_index_is_what_comes_before_it():
    pipeline = make_pipeline(LSHHasher(bits=12, random_state=0), HammingIndex()).fit(X, Y)
    hasher, index = hasher_and_index(pipeline, "This")
    assert index is pipeline[-1]
    np.testing.assert_array_equal(hasher.transform(X), HASHER.transform(X))
    codes, bits = encode(pipeline, X, "This")
    np.testing.assert_array_equal(codes, HASHER.transform(X))
    assert bits == 12
    np.testing.assert_array_equal(project(pipeline, X, "This"), HASHER.decision_function(X))


@pytest.mark.parametrize("wrap", [lambda index: index, lambda index: Pipeline([("index", index)])])
def test_an_index_alone_takes_codes(wrap):
    codes = HASHER.transform(X)
    index = HammingIndex().fit(codes)
    assert hasher_and_index(wrap(index), "This") == (None, index)
    for form in (codes, 2 * codes.astype(np.int8) - 1, np.packbits(codes, axis=1, bitorder="little")):
        found, bits = encode(wrap(index), form, "This")
        np.testing.assert_array_equal(found, codes)
        assert bits == 12


def test_an_index_knows_the_order_of_bits():
    codes = HASHER.transform(X)
    as_bytes = np.packbits(codes, axis=1)
    index = HammingIndex(bits=12, bitorder="big").fit(as_bytes, Y)
    np.testing.assert_array_equal(encode(index, as_bytes, "This")[0], codes)
    assert make_map_scorer()(index, as_bytes, Y) == index.score(as_bytes, Y) == index.score(codes, Y)


def test_an_index_that_binarizes():
    centred = X - X.mean(axis=0)
    index = HammingIndex(binarize=1.0).fit(centred)
    np.testing.assert_array_equal(encode(index, centred.tolist(), "This")[0], centred >= 1.0)
    pipeline = make_pipeline(StandardScaler(with_std=False), HammingIndex(binarize=1.0)).fit(X)
    np.testing.assert_array_equal(encode(pipeline, X, "This")[0], centred >= 1.0)


def test_numbers_to_binarize_are_not_packed_bytes():
    index = HammingIndex(binarize=0.0).fit(np.eye(64) - 0.5)
    with pytest.raises(ValueError, match="X has 8 features, but HammingIndex is expecting 64 features"):
        encode(index, np.eye(8) - 0.5, "This")


def test_a_search_is_its_best_estimator():
    search = GridSearchCV(make_pipeline(LSHHasher(random_state=0), HammingIndex()), {"lshhasher__bits": [8]}, cv=2)
    search.fit(X, Y)
    assert hasher_and_index(search, "This")[1] is search.best_estimator_[-1]
    assert encode(search, X, "This")[0].shape == (60, 8)


def test_errors():
    with pytest.raises(TypeError, match=r"^This requires an estimator with transform or a HammingIndex, got Ridge\(\)"):
        hasher_and_index(Ridge(), "This")
    with pytest.raises(TypeError, match=r"requires an estimator with transform .*, got Ridge\(\)"):
        hasher_and_index(make_pipeline(StandardScaler(), Ridge()), "This")
    with pytest.raises(TypeError, match=r"^This requires an estimator with decision_function, got HammingIndex\(\)"):
        project(HammingIndex(), X, "This")
