"""A packed hasher with classes predicts what its hasher predicts."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import skhash
from skhash.nn.binary import binary_mlp
from skhash.runtime import ClassScores, ClassVotes

SCORES = {
    "CEHasher": ("real", False),
    "SDHCHasher": ("tanh", False),
    "GreedyHasher": ("sign", False),
    "JMLHHasher": ("bit", False),
    "DSDHHasher": ("sign", False),
    "OrthoHasher": ("real", True),
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300], y[:300]


def fit(name, X, y):
    hasher = getattr(skhash, name)(12, backbone=binary_mlp(64, width=64), max_epochs=3, random_state=0)
    return hasher.fit(X[:200], y[:200])


def check(hasher, X, path):
    packed = hasher.to_packed(classes=True)
    expected = hasher.predict(X)
    np.testing.assert_array_equal(packed.predict(X), expected, strict=True)
    packed.save(path)
    loaded = skhash.load_packed(path)
    np.testing.assert_array_equal(loaded.predict(X), expected, strict=True)
    np.testing.assert_array_equal(loaded.predict(X[:1]), expected[:1], strict=True)
    return loaded


@pytest.mark.parametrize("name", [*SCORES, "OneBitDeepHasher", "CSQHasher", "HashNetHasher", "BiHalfHasher"])
def test_predictions_are_those_of_the_hasher(name, digits, tmp_path):
    import torch

    X, y = digits
    if name == "OneBitDeepHasher":
        images = X.reshape(-1, 8, 8).astype(np.uint8) * 15
        hasher = skhash.OneBitDeepHasher(12, max_epochs=1, random_state=0).fit(images[:100], y[:100])
        loaded = check(hasher, images[:150], tmp_path / "x")
        assert (loaded.classes.input, loaded.classes.cosine) == ("tanh", True)
        return
    names = np.array([f"digit {number}" * (1 + number % 3) for number in range(10)])[y]
    hasher = fit(name, X, names)
    loaded = check(hasher, X, tmp_path / "x")
    assert isinstance(loaded.classes, ClassScores if name in SCORES else ClassVotes)
    if name in SCORES:
        assert (loaded.classes.input, loaded.classes.cosine) == SCORES[name]
        z = torch.from_numpy(hasher.decision_function(X)).double()
        scores = hasher.module_.criterion.double().class_scores(z).detach().numpy()
        found = hasher.classes_.searchsorted(loaded.predict(X))
        chosen = np.take_along_axis(scores, found[:, None], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, scores.max(axis=1), rtol=0, atol=1e-6)
        assert len(set(found)) > 3


@pytest.mark.parametrize("name", ["OrthoHasher", "HashNetHasher"])
def test_integers_and_multi_hot_labels(name, digits, tmp_path):
    X, y = digits
    check(fit(name, X, (y * 7 - 30).astype(np.int32)), X, tmp_path / "x")
    multi_hot = np.stack([y % 2, y > 4, y % 3 == 0], axis=1).astype(int)
    loaded = check(fit(name, X, multi_hot), X, tmp_path / "y")
    assert loaded.predict(X).shape == (300, 3)
    assert isinstance(loaded.classes, ClassVotes)


def test_votes_skip_removed_codes(digits, tmp_path):
    X, y = digits
    hasher = fit("HashNetHasher", X, y)
    hasher.label_index_.remove(np.arange(0, 200, 3))
    hasher.label_index_.set_params(n_neighbors=3)
    assert check(hasher, X, tmp_path / "x").classes.n_neighbors == 3


def test_what_cannot_be_packed_is_named(digits):
    X, y = digits
    hasher = fit("OrthoHasher", X, y)
    assert hasher.to_packed().classes is None
    with pytest.raises(AttributeError, match="classes=True"):
        hasher.to_packed().predict(X)
    mine = type("MyLoss", (type(hasher.module_.criterion),), {})
    hasher.module_.criterion.__class__ = mine
    with pytest.raises(TypeError, match="class scores of MyLoss"):
        hasher.to_packed(classes=True)
    with pytest.raises(TypeError, match="without class labels"):
        skhash.BiHalfHasher(8, backbone=binary_mlp(64), max_epochs=1).fit(X).to_packed(classes=True)
