import warnings

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhash import BiHalfHasher, HashNetHasher, LowerBoundHasher, OneBitDeepHasher, OrthoHasher
from skhash.deep import DeepHasher
from skhash.metrics import mean_average_precision
from skhash.utils import all_hashers

X, Y = load_digits(return_X_y=True)
X, Y, X_VAL, Y_VAL = X[:150], Y[:150], X[150:220], Y[150:220]
IMAGES = X.reshape(-1, 8, 8).astype(np.uint8)
QUICK = {"bits": 16, "max_epochs": 3, "random_state": 0}


def make(cls):
    if cls is OneBitDeepHasher:
        return cls(**QUICK, warm_up_epochs=2)
    return cls(HashNetHasher(**QUICK)) if cls is LowerBoundHasher else cls(**QUICK)


HASHERS = [make(cls) for _, cls in all_hashers() if issubclass(cls, DeepHasher) or cls is LowerBoundHasher]


def score(hasher, X_val=X_VAL, y_val=Y_VAL):
    codes = hasher.transform(X_val)
    return mean_average_precision(codes, codes, y_val, y_val, exclude_self=True)


def scores_of(hasher):
    return [row["validation_map"] for row in hasher.history_]


@pytest.mark.parametrize("hasher", HASHERS, ids=lambda hasher: type(hasher).__name__)
def test_scores_are_recorded_and_change_nothing(hasher):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, fitted = clone(hasher).fit(X, Y), clone(hasher).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    np.testing.assert_array_equal(fitted.decision_function(X), plain.decision_function(X))
    assert len(scores_of(fitted)) == 3
    binary = isinstance(hasher, OneBitDeepHasher)  # its batch statistics are computed again at the end
    assert scores_of(fitted)[-1] == pytest.approx(score(fitted), abs=0.1 if binary else 1e-9)
    assert all("validation_map" not in row for row in plain.history_)


def test_early_stopping_by_the_eval_set_holds_nothing_out():
    hasher = OrthoHasher(bits=16, max_epochs=30, random_state=0, early_stopping=True, n_iter_no_change=2)
    fitted = clone(hasher).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    assert len(fitted.history_) < 30
    scores = scores_of(fitted)
    assert fitted.n_iter_ == np.argmax(scores) + 1
    assert score(fitted) == pytest.approx(max(scores))
    free = clone(hasher).set_params(early_stopping=False).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    assert scores_of(free)[: len(scores)] == scores  # trained on the same samples
    assert scores_of(clone(hasher).fit(X, Y))[0] != scores[0]


def test_an_unsupervised_method_is_scored_by_labels_of_the_eval_set():
    hasher = BiHalfHasher(**QUICK, early_stopping=True)
    fitted = hasher.fit(X, eval_set=(X_VAL, Y_VAL))
    assert score(fitted) == pytest.approx(max(scores_of(fitted)))
    assert not hasattr(fitted, "classes_")


def test_forms_of_the_eval_set(tmp_path):
    expected = scores_of(OrthoHasher(**QUICK).fit(X, Y, eval_set=(X_VAL, Y_VAL)))
    assert scores_of(OrthoHasher(**QUICK).fit(X, Y, eval_set=[X_VAL.tolist(), Y_VAL.tolist()])) == expected
    assert scores_of(OrthoHasher(**QUICK).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)) == expected
    dataset = torch.utils.data.TensorDataset(torch.as_tensor(X_VAL), torch.as_tensor(Y_VAL))
    assert scores_of(OrthoHasher(**QUICK).fit(X, Y, eval_set=(dataset, None))) == expected
    names = [f"digit {label}" for label in Y], [f"digit {label}" for label in Y_VAL]
    assert scores_of(OrthoHasher(**QUICK).fit(X, names[0], eval_set=(X_VAL, names[1]))) == expected
    images = OrthoHasher(**QUICK).fit(IMAGES[:100], Y[:100], eval_set=(IMAGES[100:], Y[100:]))
    assert scores_of(images)[-1] == pytest.approx(score(images, IMAGES[100:], Y[100:]))


def test_warm_start_and_a_refit_of_another_shape():
    hasher = OrthoHasher(**QUICK, warm_start=True).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    hasher.fit(X, Y, eval_set=(X_VAL, Y_VAL))
    assert len(scores_of(hasher)) == 6
    other = OrthoHasher(**QUICK).fit(X, Y).fit(X[:, :30], Y, eval_set=(X_VAL[:, :30], Y_VAL))
    assert len(scores_of(other)) == 3


@pytest.mark.parametrize(
    ("eval_set", "message"),
    [
        ((X_VAL[:, :9], Y_VAL), "eval_set: X has 9 features, but OrthoHasher is expecting 64 features"),
        ((X_VAL, Y_VAL[:9]), "eval_set: Found input variables with inconsistent numbers of samples"),
        ((X_VAL, Y_VAL + 5), r"eval_set: y holds classes \[10, 11, 12, 13, 14\] that are not among"),
        ((X_VAL, np.eye(10)[Y_VAL]), "eval_set: y holds multi-hot labels, those to train on are class labels"),
        ((X_VAL, None), "eval_set: it has no labels"),
        ((X_VAL[:1], Y_VAL[:1]), "eval_set: it must have at least 2 samples, got 1"),
        ((IMAGES, Y), "eval_set: X has samples of shape"),
        (X_VAL, r"eval_set must be a pair \(X_val, y_val\), got ndarray of length 70"),
        ((X_VAL,), r"eval_set must be a pair \(X_val, y_val\), got tuple of length 1"),
    ],
)
def test_wrong_eval_sets(eval_set, message):
    with pytest.raises(ValueError, match=message):
        OrthoHasher(**QUICK).fit(X, Y, eval_set=eval_set)


def test_wrong_combinations():
    with pytest.raises(ValueError, match="fit got eval_set and X_val or y_val"):
        OrthoHasher(**QUICK).fit(X, Y, eval_set=(X_VAL, Y_VAL), y_val=Y_VAL)
    with pytest.raises(ValueError, match="fit got y_val without X_val"):
        OrthoHasher(**QUICK).fit(X, Y, y_val=Y_VAL)
    dataset = torch.utils.data.TensorDataset(torch.as_tensor(X), torch.as_tensor(Y))
    with pytest.raises(ValueError, match=r"eval_set: X has samples of shape \(9,\), those to train on have \(64,\)"):
        OrthoHasher(**QUICK).fit(dataset, eval_set=(X_VAL[:, :9], Y_VAL))
    integers = IMAGES[:100], Y[:100]
    with pytest.raises(ValueError, match="eval_set: X has floating-point pixels; fit has seen integer pixels"):
        OrthoHasher(**QUICK).fit(*integers, eval_set=(IMAGES[100:] / 16, Y[100:]))


def test_checkpoints_know_the_eval_set(tmp_path):
    hasher = OrthoHasher(**QUICK, checkpoint=tmp_path)
    for _ in range(2):
        hasher.fit(X, Y, eval_set=(X_VAL, Y_VAL))
        assert len(list(tmp_path.iterdir())) == 1
    hasher.fit(X, Y, eval_set=(X_VAL, Y_VAL[::-1]))
    hasher.fit(X, Y, eval_set=(X_VAL[::-1], Y_VAL))
    hasher.fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_pipeline_transforms_samples_to_score_on():
    scaler = StandardScaler().fit(X)
    alone = OrthoHasher(**QUICK).fit(scaler.transform(X), Y, eval_set=(scaler.transform(X_VAL), Y_VAL))
    with config_context(enable_metadata_routing=True):
        hasher = OrthoHasher(**QUICK).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), hasher, transform_input=["X_val"])
        pipeline.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
        # A pair would be transformed as a whole, labels included.
        hasher = OrthoHasher(**QUICK).set_fit_request(eval_set=True)
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            make_pipeline(StandardScaler(), hasher, transform_input=["eval_set"]).fit(X, Y, eval_set=(X_VAL, Y_VAL))
    assert scores_of(pipeline[-1]) == scores_of(alone)
