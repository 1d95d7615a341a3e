import numpy as np
import pytest
import torch
from torch import nn

from skhash import SSDHHasher
from skhash.losses import ssdh_loss, ssdh_similarity, ssdh_thresholds


def small(**options):
    return SSDHHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


def standardize(X):
    std = X.std(axis=0)
    return torch.tensor((X - X.mean(axis=0)) / np.where(std > 0, std, 1), dtype=torch.float32)


@pytest.mark.parametrize(
    "options", [{}, {"alpha": 1.0, "beta": 0.5}, {"histogram": "matrix"}, {"standardize": False}], ids=str
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(small(**options)) > 0.42  # 0.1 by chance


def test_the_paper(digits):
    recipe = small(recipe="paper", max_epochs=None).fit(digits.X[:200]).recipe_
    assert (recipe.max_epochs, recipe.batch_size, recipe.optimizer, recipe.schedule) == (10, 24, "adam", "constant")


def test_labels_change_nothing_but_predict(digits):
    alone, labelled = small(max_epochs=3).fit(digits.X), small(max_epochs=3).fit(digits.X, digits.y)
    np.testing.assert_array_equal(alone.decision_function(digits.X), labelled.decision_function(digits.X))
    assert [row["loss"] for row in alone.history_] == [row["loss"] for row in labelled.history_]
    assert not hasattr(alone, "predict")
    assert (labelled.predict(digits.X) == digits.y).mean() > 0.4


@pytest.mark.parametrize("histogram", ["pairs", "matrix"])
def test_thresholds_are_those_of_the_features(digits, histogram):
    hasher = small(alpha=1.5, beta=0.7, histogram=histogram, max_epochs=1).fit(digits.X[:500])
    expected = ssdh_thresholds(standardize(digits.X[:500]), alpha=1.5, beta=0.7, self_pairs=histogram == "matrix")
    assert hasher.thresholds_ == pytest.approx(expected, abs=1e-5)


def test_a_sample_stands_for_many(digits):
    whole, part = (small(max_samples=n, max_epochs=1).fit(digits.X).thresholds_ for n in (10_000, 600))
    assert part != whole
    assert part == pytest.approx(whole, abs=0.05)


def test_the_trained_loss_is_the_loss(digits):
    # One batch, so that the loss of the first epoch is that of the untrained network.
    hasher = small(batch_size=1797, max_epochs=1, dropout=0.0, learning_rate=1e-12).fit(digits.X)
    z = torch.tensor(hasher.decision_function(digits.X), dtype=torch.float32)
    expected = ssdh_loss(z, ssdh_similarity(standardize(digits.X), *hasher.thresholds_))
    assert hasher.history_[0]["loss"] == pytest.approx(expected.item(), rel=1e-3)


def test_features_are_those_of_a_given_backbone(digits):
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    hasher = small(backbone=backbone, max_epochs=2).fit(digits.images[:500])
    with torch.no_grad():
        features = backbone.eval()(torch.tensor(digits.images[:500] / 255, dtype=torch.float32))
    assert hasher.thresholds_ == pytest.approx(ssdh_thresholds(features), abs=1e-5)
    assert torch.equal(hasher.module_.backbone[1].weight, backbone[1].weight)


def test_images_without_one_are_compared_by_their_pixels(digits):
    hasher = small(max_epochs=1).fit(digits.images[:300])
    pixels = torch.tensor(digits.images[:300].reshape(300, -1) / 255, dtype=torch.float32)
    expected = ssdh_thresholds((pixels - pixels.mean()) / pixels.std(correction=0))
    assert hasher.thresholds_ == pytest.approx(expected, abs=1e-4)


def test_an_unfitted_hasher_has_no_thresholds():
    assert not hasattr(small(), "thresholds_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1}, r"The 'alpha' parameter of SSDHHasher must be .* range \[0.0, inf\). Got -1 instead"),
        ({"histogram": "full"}, "The 'histogram' parameter of SSDHHasher must be a str among .* Got 'full' instead"),
        ({"max_samples": 1}, r"The 'max_samples' parameter of SSDHHasher must be an int .* Got 1 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X)
