import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhash.metrics
from skhash import HammingIndex, LSHHasher
from skhash.codes import pack_codes
from skhash.metrics import lower_bound_ratio, make_code_scorer

X, Y = make_blobs(n_samples=120, n_features=5, centers=3, cluster_std=3.0, random_state=0)
NAMES = np.array(["ant", "bee", "cow"])[Y]
HASHER = LSHHasher(bits=12, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("statistic", "name", "sign", "given"),
    [
        ("lower_bound_ratio", "lower_bound_ratio", 1, "codes y"),
        ("bit_entropy", "bit_entropy", 1, "codes"),
        ("code_entropy", "code_entropy", 1, "codes"),
        ("neg_collision_rate", "collision_rate", -1, "codes y"),
        ("neg_bit_balance", "bit_balance", -1, "codes"),
        ("neg_bit_correlation", "bit_correlation", -1, "codes"),
        ("neg_center_orthogonality", "center_orthogonality", -1, "codes y"),
        ("neg_quantization_error", "quantization_error", -1, "z"),
    ],
)
def test_every_statistic(statistic, name, sign, given):
    known = {"codes": HASHER.transform(X), "y": NAMES, "z": HASHER.decision_function(X)}
    expected = sign * getattr(skhash.metrics, name)(*(known[key] for key in given.split()))
    index = make_pipeline(clone(HASHER), HammingIndex()).fit(X)
    for estimator in (HASHER, index):
        assert make_code_scorer(statistic)(estimator, X, NAMES) == expected
    if "y" not in given:
        assert make_code_scorer(statistic)(HASHER, X) == expected


def test_codes_are_those_of_the_samples_given_and_not_of_the_index():
    pipeline = make_pipeline(StandardScaler(), LSHHasher(bits=70, random_state=0), HammingIndex()).fit(X[:80], Y[:80])
    codes = pipeline[:-1].transform(X[80:])
    expected = lower_bound_ratio(codes, NAMES[80:])
    assert make_code_scorer()(pipeline, X[80:], NAMES[80:]) == expected
    assert make_code_scorer()(pipeline[-1], codes, NAMES[80:]) == expected
    assert make_code_scorer()(pipeline[-1], pack_codes(codes), NAMES[80:]) == expected  # the index knows the bits


def test_cross_validation_and_search():
    folds = StratifiedKFold(3)
    got = cross_val_score(HASHER, X, NAMES, scoring=make_code_scorer(percentile=90), cv=folds)
    for score, (train, test) in zip(got, folds.split(X, NAMES), strict=True):
        codes = clone(HASHER).fit(X[train]).transform(X[test])
        assert score == lower_bound_ratio(codes, NAMES[test], percentile=90)
    scorer = make_code_scorer("code_entropy")
    search = GridSearchCV(LSHHasher(random_state=0), {"bits": [1, 16]}, scoring=scorer, cv=folds).fit(X, NAMES)
    assert search.best_params_ == {"bits": 16}
    assert search.score(X, NAMES) == scorer(search.best_estimator_, X, NAMES) == scorer(search, X, NAMES)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_codes_in_data_frames(kind):
    expected = make_code_scorer()(HASHER, X, NAMES)
    assert make_code_scorer()(clone(HASHER).set_output(transform=kind).fit(X), X, NAMES) == expected


def test_scorer_survives_pickle_and_clone():
    scorer = make_code_scorer("neg_center_orthogonality", normalize=False)
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer, safe=False)):
        assert copy == scorer
        assert copy(HASHER, X, NAMES) == scorer(HASHER, X, NAMES)


def test_repr_is_the_call():
    assert repr(make_code_scorer()) == "make_code_scorer('lower_bound_ratio')"
    scorer = make_code_scorer(percentile=95, bits=12)
    assert repr(scorer) == "make_code_scorer('lower_bound_ratio', bits=12, percentile=95)"
    assert eval(repr(scorer)) == scorer


def test_errors():
    with pytest.raises(ValueError, match="The 'statistic' parameter of make_code_scorer must be a str among"):
        make_code_scorer("bit_balance")  # less is better there: neg_bit_balance
    message = r"options must be those of lower_bound_ratio \(percentile, bits, bitorder\), got 'R'"
    with pytest.raises(TypeError, match=message):
        make_code_scorer(R=100)
    with pytest.raises(TypeError, match="options must be those of quantization_error \\(none\\), got 'bits'"):
        make_code_scorer("neg_quantization_error", bits=3)
    with pytest.raises(ValueError, match="lower_bound_ratio requires y, the labels of the samples, got None"):
        make_code_scorer()(HASHER, X)
    with pytest.raises(ValueError, match="codes are continuous"):
        make_code_scorer()(StandardScaler().fit(X), X, NAMES)
    with pytest.raises(NotFittedError, match="LSHHasher"):
        make_code_scorer()(LSHHasher(), X, NAMES)
    with pytest.raises(
        TypeError, match="neg_quantization_error requires an estimator with decision_function, got StandardScaler"
    ):
        make_code_scorer("neg_quantization_error")(StandardScaler().fit(X), X)
