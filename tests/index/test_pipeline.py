"""A pipeline that searches samples, not codes."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhash import (
    EmbeddingIndex,
    HammingIndex,
    LSHHasher,
    OrthoHasher,
    SearchPipeline,
    make_search_pipeline,
)
from skhash.utils import all_estimators


@pytest.fixture
def search(digits):
    pipeline = make_search_pipeline(StandardScaler(), LSHHasher(32, random_state=0), HammingIndex(n_neighbors=4))
    return pipeline.fit(digits.X[:1000], digits.y[:1000])


def test_searches_take_samples(search, digits):
    codes = search[:-1].transform(digits.X[1000:1010])
    for name, options in (("kneighbors", {"n_neighbors": 7}), ("radius_neighbors", {"radius": 5}), ("kneighbors", {})):
        expected = getattr(search[-1], name)(codes, **options)
        for found, wanted in zip(getattr(search, name)(digits.X[1000:1010], **options), expected, strict=True):
            assert [list(row) for row in found] == [list(row) for row in wanted]
    np.testing.assert_array_equal(
        search.kneighbors(digits.X[:9], 3, return_distance=False), search.kneighbors(digits.X[:9], 3)[1]
    )
    np.testing.assert_array_equal(search.kneighbors()[1], search[-1].kneighbors()[1])  # the indexed samples themselves


def test_add(search, digits):
    assert search.add(digits.X[1000:], digits.y[1000:]) is search
    distances, ids = search.kneighbors(digits.X[1200:1201], 1)
    assert (distances[0, 0], ids[0, 0]) == (0, 1200)


def test_it_is_a_pipeline(search, digits):
    assert isinstance(search, Pipeline)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.kneighbors(digits.X[:5])[1], search.kneighbors(digits.X[:5])[1])
    assert list(clone(search).named_steps) == ["standardscaler", "lshhasher", "hammingindex"]
    assert search.score(digits.X[1000:], digits.y[1000:]) == search[-1].score(
        search[:-1].transform(digits.X[1000:]), digits.y[1000:]
    )
    grid = GridSearchCV(search, {"lshhasher__bits": [8, 64]}, cv=2).fit(digits.X[:300], digits.y[:300])
    assert grid.best_estimator_.kneighbors(digits.X[:2], 3)[1].shape == (2, 3)


def test_the_maker_takes_all_parameters():
    options = {"transform_input": ["X_val"], "memory": "folder", "verbose": True}
    made = make_search_pipeline(LSHHasher(), HammingIndex(), **options)
    assert {name: getattr(made, name) for name in set(made.get_params(deep=False)) - {"steps"}} == options


def test_an_index_of_vectors_and_an_index_alone_work_too(digits):
    vectors = make_search_pipeline(StandardScaler(), EmbeddingIndex()).fit(digits.X)
    scaled = vectors[0].transform(digits.X[:20])
    np.testing.assert_array_equal(vectors.kneighbors(digits.X[:20])[1], vectors[1].kneighbors(scaled)[1])
    assert not hasattr(vectors, "radius_neighbors")
    alone = make_search_pipeline(HammingIndex()).fit(digits.X[:50] > 8)
    np.testing.assert_array_equal(alone.kneighbors(digits.X[:5] > 8, 1)[1], [[0], [1], [2], [3], [4]])


def test_a_pipeline_without_an_index_cannot_search():
    pipeline = SearchPipeline([("scaler", StandardScaler()), ("hasher", LSHHasher())])
    with pytest.raises(AttributeError, match="has no attribute 'kneighbors'") as raised:
        pipeline.kneighbors([[1.0]])
    assert "last step of this SearchPipeline, LSHHasher, has no kneighbors" in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("steps", "got"), [((StandardScaler(), LSHHasher()), "LSHHasher"), ((LSHHasher(),), "LSHHasher"), ((), "no steps")]
)
def test_the_maker_wants_an_index_at_the_end(steps, got):
    with pytest.raises(TypeError, match=f"The last step must be an index, such as HammingIndex.*; got {got}"):
        make_search_pipeline(*steps)


def test_before_fit():
    from sklearn.exceptions import NotFittedError

    for call in (
        lambda p: p.kneighbors([[1.0, 2]]),
        lambda p: p.radius_neighbors([[1.0, 2]], 3),
        lambda p: p.add([[1.0, 2]]),
    ):
        with pytest.raises(NotFittedError):
            call(make_search_pipeline(LSHHasher(), HammingIndex()))


def test_all_estimators_lists_no_pipeline():
    assert not {"SearchPipeline"} & {name for name, _ in all_estimators()}
    assert isinstance(SearchPipeline([("index", HammingIndex())]), Pipeline)


def test_a_bare_hasher_is_cross_validated(digits):
    hasher = OrthoHasher(bits=16, max_epochs=10, random_state=0)
    scores = cross_validate(hasher, digits.X[:400], digits.y[:400], cv=2, error_score="raise")["test_score"]
    assert scores.min() > 0.5
    hasher.fit(digits.X[:200], digits.y[:200])
    index = HammingIndex().fit(hasher.transform(digits.X[:200]), digits.y[:200])
    score = hasher.score(digits.X[200:], digits.y[200:])
    assert score == index.score(hasher.transform(digits.X[200:]), digits.y[200:])
    assert hasher.score(digits.X[200:], digits.y[200:], R=10) != score
    with pytest.raises(AttributeError, match="score"):
        LSHHasher().fit(digits.X).score(digits.X, digits.y)
