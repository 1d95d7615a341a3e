"""Sweeps over every public estimator: all of scikit-learn's checks, with no expected failure."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_get_feature_names_out_error,
    check_global_output_transform_pandas,
    check_global_set_output_transform_polars,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    parametrize_with_checks,
)

from skhash import HammingIndex, HashNetHasher
from skhash.utils import all_estimators, all_hashers

# What makes an estimator quick enough. Everything else is the default, so hashers that are not deep have 64 bits, more
# than the checks have features and samples.
QUICK = {
    "FeatureExtractor": {"backbone": torch.nn.Flatten()},
    "HammingIndex": {"binarize": 0.0},
    "HammingNeighborsTransformer": {"binarize": 0.0},
    "LowerBoundHasher": {"estimator": HashNetHasher(bits=16, max_epochs=2, random_state=0)},
    "OneBitDeepHasher": {"bits": 16, "max_epochs": 2, "warm_up_epochs": 2, "random_state": 0},
}
QUICK_DEEP = {"bits": 16, "max_epochs": 2, "random_state": 0}


def make(name, estimator):
    """Make a quick instance; deep hashers need no entry of their own."""
    from skhash.deep import DeepHasher

    if name in QUICK:
        return estimator(**QUICK[name])
    return estimator(**QUICK_DEEP) if issubclass(estimator, DeepHasher) else estimator()


def clone_with(estimator, **parameters):
    """Clone a hasher and set those of the parameters that it has, or that what it wraps has."""
    hasher = clone(estimator)
    target = getattr(hasher, "estimator", hasher)
    target.set_params(**{name: value for name, value in parameters.items() if name in target.get_params()})
    return hasher


ESTIMATORS = [make(*found) for found in all_estimators()]
HASHERS = [make(*found) for found in all_hashers()]


def name_of(estimator):
    return type(estimator).__name__


@pytest.mark.filterwarnings("ignore")  # as scikit-learn's own suite does: its checks provoke warnings
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_parameter_validation(estimator):
    check_param_validation(name_of(estimator), estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_column_names(estimator):
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        check_dataframe_column_names_consistency(name_of(estimator), estimator)
    assert not [warning for warning in record if "was fitted without feature names" in str(warning.message)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
@pytest.mark.parametrize(
    "check",
    [
        check_set_output_transform,
        check_set_output_transform_pandas,
        check_global_output_transform_pandas,
        check_set_output_transform_polars,
        check_global_set_output_transform_polars,
        check_transformer_get_feature_names_out,
        check_transformer_get_feature_names_out_pandas,
        check_get_feature_names_out_error,
    ],
    ids=lambda check: check.__name__,
)
def test_containers_and_names(estimator, check):
    check(name_of(estimator), estimator)


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
def test_codes_are_the_signs_and_the_same_in_any_company(estimator, digits):
    hasher = clone_with(estimator, bits=16, random_state=0).fit(digits.X[:300], digits.y[:300])
    X = digits.X[:1000]
    codes = hasher.transform(X)
    assert codes.shape == (1000, 16)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, hasher.decision_function(X) >= 0)
    np.testing.assert_array_equal(codes, np.concatenate([hasher.transform(X[i : i + 1]) for i in range(len(X))]))
    np.testing.assert_array_equal(codes, np.concatenate([hasher.transform(X[i : i + 7]) for i in range(0, len(X), 7)]))


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
@pytest.mark.parametrize("n_features", [10, 600])  # scikit-learn's PCA draws for many features only
def test_fit_touches_no_global_random_state(estimator, n_features):
    import torch

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(620, n_features)), rng.integers(0, 3, 620)
    hasher = clone_with(estimator, random_state=None)
    numpy_state, torch_state = repr(np.random.get_state()), torch.get_rng_state()
    hasher.fit(X, y)
    assert repr(np.random.get_state()) == numpy_state
    assert torch.equal(torch_state, torch.get_rng_state())


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
def test_a_refit_without_labels_forgets_the_classes(estimator, digits):
    if clone(estimator).__sklearn_tags__().target_tags.required:
        pytest.skip("always has labels")
    hasher = clone(estimator).fit(digits.X, digits.y)
    assert hasattr(hasher, "classes_")
    assert not hasattr(hasher.fit(digits.X), "classes_")


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
def test_predict_for_string_and_multi_hot_labels(estimator, digits):
    X, names = digits.X[:400], np.array([f"digit {label}" for label in digits.y[:400]])
    hasher = clone_with(estimator, bits=16, max_epochs=20).fit(X, names)
    assert (hasher.predict(X) == names).mean() > 0.5
    assert list(hasher.classes_) == sorted(set(names))
    multi_hot = (digits.y[:400, None] == np.arange(10)).astype(int)
    predicted = clone(hasher).fit(X, multi_hot).predict(X)
    assert predicted.shape == multi_hot.shape
    assert (predicted == multi_hot).mean() > 0.9


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
def test_labels_and_rows_must_match(estimator, digits):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(estimator).fit(digits.X[:50], digits.y[:40])


@pytest.mark.parametrize("estimator", HASHERS, ids=name_of)
def test_without_labels_predict_is_absent_or_fit_asks_for_them(estimator, digits):
    hasher = clone(estimator)
    if hasher.__sklearn_tags__().target_tags.required:
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            hasher.fit(digits.X[:50])
        return
    hasher.fit(digits.X[:50])
    assert not hasattr(hasher, "predict")
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        hasher.predict(digits.X[:2])


def test_all_hashers_are_swept():
    names = [name for name, _ in all_hashers()]
    assert {"LSHHasher", "PCAHasher", "ITQHasher", "OrthoHasher"} <= set(names)
    assert "HammingIndex" not in names
    assert HammingIndex in [estimator for _, estimator in all_estimators()]
