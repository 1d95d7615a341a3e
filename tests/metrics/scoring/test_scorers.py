import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skhash.index import HammingIndex
from skhash.metrics import (
    RankingProtocol,
    bit_entropy,
    lower_bound_ratio,
    make_map_scorer,
    make_retrieval_scorer,
    mean_average_precision,
    retrieval_scores,
)

X, Y = make_blobs(n_samples=120, n_features=5, centers=3, cluster_std=3.0, random_state=0)
NAMES = np.array(["ant", "bee", "cow"])[Y]


class SignHasher(TransformerMixin, BaseEstimator):
    """Signs of random projections: a minimal hasher."""

    def __init__(self, bits=8):
        self.bits = bits

    def fit(self, X, y=None):
        self.center_ = np.mean(X, axis=0)
        self.projection_ = np.random.RandomState(0).randn(X.shape[1], self.bits)
        return self

    def transform(self, X):
        return ((np.asarray(X) - np.asarray(self.center_)) @ self.projection_ >= 0).astype(np.uint8)

    def get_feature_names_out(self, input_features=None):
        return np.array([f"bit{k}" for k in range(self.bits)], dtype=object)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_hasher_is_scored_leave_one_out(in_pipeline):
    estimator = (make_pipeline(StandardScaler(), SignHasher()) if in_pipeline else SignHasher()).fit(X)
    codes = estimator.transform(X[:50])
    expected = mean_average_precision(codes, codes, NAMES[:50], NAMES[:50], R=10, ties="expected", exclude_self=True)
    assert make_map_scorer(R=10, ties="expected")(estimator, X[:50], NAMES[:50]) == expected


@pytest.mark.parametrize("labels", [NAMES, np.eye(3, dtype=int)[Y]], ids=["single", "multi-hot"])
def test_index_is_scored_with_its_own_database(labels):
    hasher = SignHasher(bits=70).fit(X)
    codes = hasher.transform(X)
    expected = mean_average_precision(codes[80:], codes[:80], labels[80:], labels[:80], R=20)
    index = HammingIndex().fit(codes[:80], labels[:80])
    assert make_map_scorer(R=20)(index, codes[80:], labels[80:]) == expected
    assert make_map_scorer(R=20)(Pipeline([("index", index)]), codes[80:], labels[80:]) == expected
    pipeline = Pipeline([("hasher", hasher), ("index", HammingIndex())]).fit(X[:80], labels[:80])
    refitted = SignHasher(bits=70).fit(X[:80])
    expected = mean_average_precision(
        refitted.transform(X[80:]), refitted.transform(X[:80]), labels[80:], labels[:80], R=20
    )
    assert make_map_scorer(R=20)(pipeline, X[80:], labels[80:]) == expected


def test_index_that_binarizes():
    continuous = X - X.mean(axis=0)
    codes = (continuous >= 0).astype(np.uint8)
    index = HammingIndex(binarize=0.0).fit(continuous[:80], NAMES[:80])
    expected = mean_average_precision(codes[80:], codes[:80], NAMES[80:], NAMES[:80])
    assert make_map_scorer()(index, continuous[80:], NAMES[80:]) == expected
    assert make_map_scorer()(index, codes[80:], NAMES[80:]) == expected  # unsigned: codes already


def test_cross_val_score():
    folds = StratifiedKFold(3)
    scorer = make_map_scorer(ties="expected")
    got = cross_val_score(SignHasher(), X, NAMES, scoring=scorer, cv=folds)
    for score, (train, test) in zip(got, folds.split(X, NAMES), strict=True):
        codes = SignHasher().fit(X[train]).transform(X[test])
        assert score == mean_average_precision(
            codes, codes, NAMES[test], NAMES[test], ties="expected", exclude_self=True
        )


def test_grid_search_over_a_pipeline_with_an_index():
    pipeline = Pipeline([("hasher", SignHasher()), ("index", HammingIndex())])
    search = GridSearchCV(pipeline, {"hasher__bits": [1, 32]}, scoring=make_map_scorer(R=30), cv=3).fit(X, NAMES)
    assert search.best_params_ == {"hasher__bits": 32}
    assert search.score(X, NAMES) == make_map_scorer(R=30)(search.best_estimator_, X, NAMES)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_codes_in_data_frames(kind):
    hasher = SignHasher().fit(X)
    expected = make_map_scorer()(hasher, X, NAMES)
    assert make_map_scorer()(hasher.set_output(transform=kind), X, NAMES) == expected


def test_scorer_survives_pickle_and_clone():
    scorer = make_map_scorer(20, denominator="min", zero_hit="skip", ties="random", random_state=3, n_jobs=2)
    copies = [pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)]
    hasher = SignHasher().fit(X)
    for copy in copies:
        assert repr(copy) == repr(scorer)
        assert copy(hasher, X, NAMES) == scorer(hasher, X, NAMES)


def test_repr_is_the_call():
    assert repr(make_map_scorer()) == "make_map_scorer()"
    scorer = make_map_scorer(100, ties="expected", n_jobs=2)
    assert repr(scorer) == "make_map_scorer(R=100, ties='expected', n_jobs=2)"
    assert eval(repr(scorer)) == scorer


def test_errors():
    scorer = make_map_scorer()
    hasher = SignHasher().fit(X)
    with pytest.raises(ValueError, match=r"Mean average precision requires y, .* got None"):
        scorer(hasher, X)
    with pytest.raises(ValueError, match="codes are continuous"):
        scorer(StandardScaler().fit(X), X, NAMES)
    with pytest.raises(ValueError, match="requires an index with labels: fit the index with y"):
        scorer(HammingIndex().fit(hasher.transform(X)), hasher.transform(X), NAMES)
    with pytest.raises(NotFittedError, match="HammingIndex"):
        scorer(HammingIndex(), hasher.transform(X), NAMES)
    with pytest.raises(TypeError, match=r"requires an estimator with transform or a HammingIndex, got Ridge\(\)"):
        scorer(Ridge(), X, NAMES)
    with pytest.raises(ValueError, match="The 'ties' parameter of make_map_scorer must be a str among"):
        make_map_scorer(ties="fair")


SEVERAL = ["map@20", "precision@5", "recall@5", "precision_within@1", "recall_within", "ndcg@10", "knn_accuracy@7"]


def test_several_metrics_of_a_hasher_are_leave_one_out():
    hasher = SignHasher().fit(X)
    codes = hasher.transform(X[:50])
    options = {"protocol": "hashnet", "ties": "expected", "empty_ball": "skip"}
    expected = retrieval_scores(codes, codes, NAMES[:50], NAMES[:50], SEVERAL, exclude_self=True, **options)
    got = make_retrieval_scorer(SEVERAL, **options)(hasher, X[:50], NAMES[:50])
    assert got == expected
    assert list(got) == SEVERAL
    assert {type(value) for value in got.values()} == {float}


@pytest.mark.parametrize("labels", [NAMES, np.eye(3, dtype=int)[Y]], ids=["single", "multi-hot"])
def test_several_metrics_of_an_index_are_of_its_database(labels):
    codes = SignHasher(bits=70).fit(X).transform(X)
    expected = retrieval_scores(codes[80:], codes[:80], labels[80:], labels[:80], SEVERAL)
    index = HammingIndex().fit(codes[:80], labels[:80])
    assert make_retrieval_scorer(SEVERAL)(index, codes[80:], labels[80:]) == expected
    assert make_retrieval_scorer(SEVERAL, n_jobs=2)(make_pipeline(index), codes[80:], labels[80:]) == expected


def test_statistics_of_codes_among_several_metrics():
    hasher = SignHasher().fit(X)
    codes = hasher.transform(X)
    got = make_retrieval_scorer(["lower_bound_ratio", "map", "bit_entropy"])(hasher, X, NAMES)
    assert got == {
        "lower_bound_ratio": lower_bound_ratio(codes, NAMES),
        "map": make_map_scorer()(hasher, X, NAMES),
        "bit_entropy": bit_entropy(codes),
    }
    assert list(got) == ["lower_bound_ratio", "map", "bit_entropy"]
    assert make_retrieval_scorer("bit_entropy")(hasher, X, NAMES) == {"bit_entropy": bit_entropy(codes)}


def test_random_ties_of_several_metrics_are_drawn_from_random_state():
    hasher = SignHasher(bits=2).fit(X)
    scorers = [make_retrieval_scorer(["map", "recall@9"], ties="random", random_state=seed) for seed in (0, 0, 1)]
    first, second, third = (scorer(hasher, X, NAMES) for scorer in scorers)
    assert first == second != third


def test_cross_validation_and_search_by_one_of_several_metrics():
    scorer = make_retrieval_scorer(["map", "precision@5"], ties="expected")
    got = cross_validate(SignHasher(), X, NAMES, scoring=scorer, cv=StratifiedKFold(3))
    single = make_map_scorer(ties="expected")
    expected = cross_val_score(SignHasher(), X, NAMES, scoring=single, cv=StratifiedKFold(3))
    np.testing.assert_array_equal(got["test_map"], expected)
    assert got["test_precision@5"].shape == (3,)
    pipeline = Pipeline([("hasher", SignHasher()), ("index", HammingIndex())])
    search = GridSearchCV(pipeline, {"hasher__bits": [1, 32]}, scoring=scorer, refit="map", cv=3).fit(X, NAMES)
    assert search.best_params_ == {"hasher__bits": 32}
    assert "mean_test_precision@5" in search.cv_results_


def test_protocols_of_scorers():
    hasher, mine = SignHasher().fit(X), RankingProtocol("mine", R=5, denominator="min", ties="expected")
    codes = hasher.transform(X)
    expected = mean_average_precision(codes, codes, Y, Y, protocol=mine, exclude_self=True)
    assert make_map_scorer(protocol=mine)(hasher, X, Y) == expected
    assert make_retrieval_scorer("map", protocol=mine)(hasher, X, Y) == {"map": expected}
    expected = mean_average_precision(codes, codes, Y, Y, protocol=mine, R=9, denominator="total", exclude_self=True)
    assert make_map_scorer(9, protocol=mine, denominator="total")(hasher, X, Y) == expected
    assert expected.definition.startswith("mAP@9 (mine, denominator='total')")


def test_scorer_of_several_metrics_survives_pickle_and_clone_and_prints_its_call():
    scorer = make_retrieval_scorer(["map", "recall@7"], ties="random", random_state=3)
    hasher = SignHasher().fit(X)
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False), eval(repr(scorer))):
        assert copy == scorer
        assert copy(hasher, X, NAMES) == scorer(hasher, X, NAMES)
    assert repr(scorer) == "make_retrieval_scorer(metrics=('map', 'recall@7'), ties='random', random_state=3)"


def test_errors_of_several_metrics():
    hasher, scorer = SignHasher().fit(X), make_retrieval_scorer()
    with pytest.raises(ValueError, match=r"Retrieval requires y, .* got None"):
        scorer(hasher, X)
    with pytest.raises(ValueError, match="Retrieval requires an index with labels: fit the index with y"):
        scorer(HammingIndex().fit(hasher.transform(X)), hasher.transform(X), NAMES)
    with pytest.raises(NotFittedError, match="HammingIndex"):
        scorer(HammingIndex(), hasher.transform(X), NAMES)
    with pytest.raises(ValueError, match="k must be <= n_ranked = 4, got 10"):
        scorer(hasher, X[:5], NAMES[:5])
    with pytest.raises(
        ValueError, match=r"metrics must contain names among bit_entropy, code_entropy, .*, some followed .*got 'mAP'"
    ):
        make_retrieval_scorer(["mAP"])
    with pytest.raises(ValueError, match="got 'bit_entropy@3'"):
        make_retrieval_scorer(["bit_entropy@3"])
    with pytest.raises(ValueError, match="metrics must contain at least one name"):
        make_retrieval_scorer([])
    with pytest.raises(ValueError, match="The 'protocol' parameter of make_retrieval_scorer must be a str among"):
        make_retrieval_scorer(protocol="cifar")
    with pytest.raises(ValueError, match="The 'protocol' parameter of make_map_scorer must be a str among"):
        make_map_scorer(protocol="cifar")
