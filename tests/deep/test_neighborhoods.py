import numpy as np
import pytest
import torch
from torch import nn

from skhash import BiHalfHasher, CSQHasher, HashNetHasher, LowerBoundHasher, OrthoHasher
from skhash.losses import neighborhood_loss
from skhash.metrics import mean_average_precision


@pytest.fixture(scope="module")
def clusters():
    """Twelve classes, of which the first six have labels in training."""
    rng = np.random.RandomState(0)
    y = np.repeat(np.arange(12), 40)
    X = (rng.randn(12, 24)[y] + 0.7 * rng.randn(480, 24)).astype(np.float32)
    return X, y, y < 6


def fit(hasher_class, weight, clusters, **options):
    X, y, seen = clusters
    options = {"bits": 32, "max_epochs": 60, "random_state": 0, **options}
    return hasher_class(similarity_weight=weight, **options).fit(X[seen], y[seen])


def score(hasher, clusters, rows):
    X, y, _ = clusters
    codes = hasher.transform(X)
    return mean_average_precision(codes[rows], codes, y[rows], y, ties="expected")


@pytest.mark.parametrize("hasher_class", [OrthoHasher, CSQHasher, HashNetHasher])
def test_classes_without_training_samples_are_found(hasher_class, clusters):
    *_, seen = clusters
    without, kept = (fit(hasher_class, weight, clusters) for weight in (0.0, 3.0))
    assert score(kept, clusters, ~seen) > score(without, clusters, ~seen) + 0.05
    assert score(kept, clusters, seen) > score(without, clusters, seen) - 0.05


def test_weight_zero_changes_nothing_and_draws_nothing(clusters):
    X, y, seen = clusters
    default = OrthoHasher(32, max_epochs=2, random_state=0).fit(X[seen], y[seen])
    np.testing.assert_array_equal(
        default.decision_function(X), fit(OrthoHasher, 0.0, clusters, max_epochs=2).decision_function(X)
    )


def test_the_trained_loss_is_the_sum(clusters):
    X, y, seen = clusters
    options = {"max_epochs": 1, "batch_size": 240, "dropout": 0.0, "learning_rate": 1e-9, "standardize": False}
    kept = fit(CSQHasher, 2.0, clusters, **options)
    z, inputs = torch.from_numpy(kept.decision_function(X[seen])).float(), torch.from_numpy(X[seen])
    expected = kept.module_.criterion(z, torch.from_numpy(y[seen])) + 2 * neighborhood_loss(z, inputs)
    assert kept.history_[0]["loss"] == pytest.approx(expected.item(), rel=1e-4)


class Reversed:
    """A view of features in the opposite order."""

    def __call__(self, batch, generator=None):
        return batch.flip(1)


def test_neighborhoods_are_those_of_samples_and_not_of_their_views(clusters):
    X, y, seen = clusters
    options = {"max_epochs": 1, "batch_size": 240, "dropout": 0.0, "learning_rate": 1e-9, "standardize": False}
    kept = fit(CSQHasher, 2.0, clusters, views=Reversed(), **options)
    z, viewed = (
        torch.from_numpy(kept.decision_function(x)).float() for x in (X[seen], np.ascontiguousarray(X[seen][:, ::-1]))
    )
    own = kept.module_.criterion(viewed, torch.from_numpy(y[seen]))
    expected = own + 2 * neighborhood_loss(z, torch.from_numpy(X[seen]))
    assert kept.history_[0]["loss"] == pytest.approx(expected.item(), rel=1e-4)


def test_other_hashers_and_wrappers_have_it_too(clusters):
    X, y, seen = clusters
    options = {"bits": 16, "max_epochs": 1, "similarity_weight": 1.0, "random_state": 0}
    for hasher in (
        BiHalfHasher(**options),
        OrthoHasher(**options, backbone="mlp"),
        LowerBoundHasher(CSQHasher(**options)),
        OrthoHasher(**options).partial_fit(X[seen], y[seen]),
    ):
        assert np.isfinite(hasher.fit(X[seen], y[seen]).history_[-1]["loss"])


def test_it_may_change_in_continued_training(clusters):
    X, y, seen = clusters
    hasher = fit(OrthoHasher, 0.0, clusters, max_epochs=1, warm_start=True)
    assert len(hasher.set_params(similarity_weight=1.0).fit(X[seen], y[seen]).history_) == 2


def test_images_need_a_frozen_backbone():
    images = np.random.RandomState(0).rand(12, 1, 8, 8).astype(np.float32)
    y = np.arange(12) % 3
    options = {"bits": 8, "max_epochs": 1, "similarity_weight": 1.0, "random_state": 0}
    with pytest.raises(ValueError, match=r"similarity_weight=1.0 keeps cosines of features, but OrthoHasher trains on"):
        OrthoHasher(**options).fit(images, y)
    backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
    hasher = OrthoHasher(**options, backbone=backbone, backbone_lr_ratio=0).fit(images, y)
    assert hasher.transform(images).shape == (12, 8)


def test_a_negative_weight_is_refused(clusters):
    with pytest.raises(ValueError, match=r"The 'similarity_weight' parameter of CSQHasher must be a float in"):
        fit(CSQHasher, -1.0, clusters)
