"""Tests of one-bit deep hashing."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skhash import HammingIndex, LowerBoundHasher, OneBitDeepHasher
from skhash.centers import make_hash_centers
from skhash.inputs import Samples
from skhash.methods import _one_bit
from skhash.metrics import TrainingHistoryDisplay
from skhash.nn import HashNetwork, efficiency_report
from skhash.nn.binary import BinaryConv2d, Int8Stem
from skhash.training import GroupedBatches, ImageViews, RandomCropFlip, Recipe, ShuffledBatches


def small(**options):
    return OneBitDeepHasher(**{"bits": 32, "max_epochs": 6, "warm_up_epochs": 4, "random_state": 0, **options})


@pytest.fixture(scope="module")
def images(digits):
    return (15 * digits.X.reshape(-1, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"adapt_centers": False},
        {"centers": "embeddings", "max_epochs": 12},
        {"centers": "embeddings", "adapt_centers": False, "max_epochs": 12},
        {"center_sampling": "bernoulli"},
        {"similarity": "inner"},
        {"aggregation_weight": 0.05},
        {"aggregation_weight": 0.05, "group_size": 2},
        {"distillation_weight": 0.0},
        {"warm_up": None, "distillation_weight": 0.5},
        {"backbone": None},
        {"views": None},
        {"classifier_weight": 0.0},
        {"two_step": 0.5},
    ],
    ids=str,
)
def test_every_option_learns(options, digits):
    hasher = small(**options).fit(digits.X[:600], digits.y[:600])
    codes = hasher.transform(digits.X[600:1200])
    assert HammingIndex().fit(codes[:400], digits.y[600:1000]).score(codes[400:], digits.y[1000:1200]) > 0.6
    assert (hasher.predict(digits.X[600:1200]) == digits.y[600:1200]).mean() > 0.8


def test_images(images, digits):
    hasher = small().fit(images[:600], digits.y[:600])
    assert (hasher.predict(images[1000:1300]) == digits.y[1000:1300]).mean() > 0.8
    layers = list(hasher.module_.encoder.modules())
    assert sum(isinstance(layer, BinaryConv2d) for layer in layers) == 6
    assert any(isinstance(layer, Int8Stem) for layer in layers)
    again = pickle.loads(pickle.dumps(hasher))
    np.testing.assert_array_equal(again.transform(images[:9]), hasher.transform(images[:9]))
    np.testing.assert_array_equal(hasher.transform(images[3:4])[0], hasher.transform(images[:9])[3])


@pytest.mark.parametrize(
    ("shape", "backbone"),
    [
        ((64,), "binary_mlp"),
        ((1, 28, 28), "bireal_tiny"),
        ((3, 32, 32), "bireal_small"),
        ((1, 64, 64), "bireal_small"),
        ((3, 224, 224), "bireal18"),
    ],
)
def test_automatic_backbone(shape, backbone):
    assert OneBitDeepHasher()._choose_backbone(shape) == backbone
    assert OneBitDeepHasher(backbone="mlp")._choose_backbone(shape) == "mlp"


def test_centers_start_at_the_codebook_and_move(digits):
    start = make_hash_centers(10, 32, random_state=0)
    still = small(centers=start, max_epochs=1, center_lr_ratio=1e-9).fit(digits.X[:400], digits.y[:400])
    np.testing.assert_array_equal(still.centers_, start)
    assert still.history_[0]["center_movement"] == 0
    moved = small(centers=start, center_lr_ratio=1.0).fit(digits.X[:400], digits.y[:400])
    assert (moved.centers_ != start).any()
    total = sum(row["center_movement"] for row in moved.history_)
    assert total >= (moved.centers_ != start).sum(axis=1).mean() > 0
    fixed = small(centers=start, adapt_centers=False).fit(digits.X[:400], digits.y[:400])
    np.testing.assert_array_equal(fixed.centers_, start)


def test_the_history_tells_how_codes_come_together(digits):
    hasher = small(max_epochs=7).fit(digits.X[:400], digits.y[:400])
    assert [row["stage"] for row in hasher.history_] == [1] + [2] * 6
    first, last = hasher.history_[0], hasher.history_[-1]
    assert last["center_distance"] < first["center_distance"]
    assert last["class_distance"] < first["class_distance"]
    display = TrainingHistoryDisplay.from_estimator(hasher)
    assert [len(line.get_ydata()) for line in display.lines_] == [7, 7, 7]
    assert display.transition == [1]


def test_stages(digits, monkeypatch):
    seen = []

    def note(self, z, targets, *, batch, inputs, aggregates=False, strong=None):
        seen.append((batch.epoch, aggregates, strong is not None, len(z)))
        return z.sum() * 0

    monkeypatch.setattr("skhash.methods._one_bit.OneBitLoss.forward", note)
    small(max_epochs=4, transition=0.5, group_size=2, batch_size=50).fit(digits.X[:100], digits.y[:100])
    assert seen == [(e, False, False, 50) for e in (0, 0, 1, 1)] + [(e, True, True, 50) for e in (2,) * 4 + (3,) * 4]
    seen.clear()
    small(max_epochs=2, aggregation_weight=0.0, group_size=2, batch_size=50).fit(digits.X[:100], digits.y[:100])
    assert seen == [(e, False, False, 50) for e in (0, 0, 1, 1)]
    seen.clear()
    hasher = small(max_epochs=4, transition=0.5, batch_size=100)
    for _ in range(3):
        hasher.partial_fit(digits.X[:100], digits.y[:100])
    assert seen == [(0, False, False, 100), (1, False, False, 100), (2, True, False, 100)]
    seen.clear()
    small(max_epochs=2, batch_size=100).fit(digits.X[:100], digits.y[:100])
    assert seen == [(0, False, False, 100), (1, True, False, 100)]


def test_two_steps(images, digits, monkeypatch):
    seen = []
    forward = BinaryConv2d.forward

    def note(self, x):
        if self.training:
            seen.append(self.binarize_weights)
        return forward(self, x)

    monkeypatch.setattr(BinaryConv2d, "forward", note)
    hasher = small(two_step=0.9, max_epochs=4, batch_size=100)
    hasher.fit(images[:100], digits.y[:100])
    assert seen == [False] * 18 + [True] * 6  # six layers; the last epoch is always one of binary weights
    assert all(layer.binarize_weights for layer in hasher.module_.modules() if isinstance(layer, BinaryConv2d))
    seen.clear()
    hasher = small(two_step=0.5, max_epochs=2, batch_size=100)
    for _ in range(2):
        hasher.partial_fit(images[:100], digits.y[:100])
    assert seen == [False] * 6 + [True] * 6


def test_efficiency_report(digits):
    hasher = small(max_epochs=1)
    with pytest.raises(NotFittedError):
        hasher.efficiency_report()
    report = hasher.fit(digits.X[:100], digits.y[:100]).efficiency_report("twin", count_alpha=True)
    assert report == efficiency_report(hasher, "twin", count_alpha=True)
    assert report.memory_ratio > 1


def test_the_paper_recipe(images, digits):
    hasher = OneBitDeepHasher(recipe="paper", max_epochs=2, warm_up_epochs=1, random_state=0)
    samples = Samples(images[:, None])
    recipe = OneBitDeepHasher(recipe="paper")._choose_recipe(samples, None)
    expected = {"max_epochs": 700, "batch_size": 64, "optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 1e-5}
    assert {name: getattr(recipe, name) for name in expected} == expected
    assert recipe.schedule == "one_cycle"
    weak, strong = OneBitDeepHasher(recipe="paper")._choose_views(Samples(np.zeros((2, 3, 256, 256), np.uint8)))
    assert strong == ImageViews(
        jitter=0.8, jitter_strength=(0.4, 0.8, 0.8, 0.2), crop_scale=(0.08, 1.0), blur_kernel=25
    )
    assert weak == strong.weaker()
    hasher.fit(images[:100], digits.y[:100])
    criterion = hasher.module_.criterion
    assert (criterion.classifier_weight, criterion.aggregation_weight, criterion.group_size) == (1e-4, 1e-3, 2)
    assert (criterion.distillation_weight, criterion.lr_ratio, criterion.fixed_centers) == (0.0, 1.0, None)
    assert criterion.options == {"temperature": 0.2, "similarity": "cosine", "multilabel": "normalized"}
    assert criterion.semantic.hidden.out_features == criterion.semantic.hidden.in_features
    assert isinstance(
        hasher._make_batches(SimpleNamespace(recipe=recipe, max_epochs=recipe.max_epochs)), GroupedBatches
    )


def test_half_of_the_color_images_and_no_gray_ones_are_mirrored():
    for shape, views in (((1, 28, 28), RandomCropFlip(3, 0.0)), ((3, 32, 32), RandomCropFlip(4, 0.5))):
        assert OneBitDeepHasher()._choose_views(Samples(np.zeros((2, *shape), np.uint8)))[1] == views


def test_the_fast_recipe(images, digits, monkeypatch):
    hasher = OneBitDeepHasher(32, recipe="fast", max_epochs=6, random_state=0)
    recipe = hasher._choose_recipe(Samples(images[:, None]), None)
    assert (recipe.batch_size, recipe.learning_rate, recipe.schedule) == (128, 1.5e-2, "one_cycle")
    assert OneBitDeepHasher(recipe="fast")._choose_recipe(Samples(images[:, None]), None).max_epochs == 25
    for shape, views in (((1, 28, 28), RandomCropFlip(2, 0)), ((3, 32, 32), RandomCropFlip(2, 0.5))):
        assert hasher._choose_views(Samples(np.zeros((2, *shape), np.uint8)))[1] == views
    # The classifier runs in the warm-up, but not in the steps of the binary network.
    runs, original = [], HashNetwork.features
    monkeypatch.setattr(
        HashNetwork, "features", lambda self, *args: (runs.append(self.backbone), original(self, *args))[1]
    )
    hasher.fit(images[:600], digits.y[:600])
    classifier = hasher.module_.criterion.classifier.backbone
    assert sum(backbone is classifier for backbone in runs) == 4 * 10  # epochs times batches of 64
    assert (hasher.predict(images[1000:1300]) == digits.y[1000:1300]).mean() > 0.6
    given = OneBitDeepHasher(recipe="fast", distillation_weight=0.5)
    assert (given._value("distillation_weight"), given._value("classifier_weight")) == (0.5, 0.0)


def test_gradients_of_the_centers_are_limited_in_the_paper_recipe(digits):
    from skhash.methods._one_bit import _limit_gradients

    hasher = small(max_epochs=1).fit(digits.X[:400], digits.y[:400])
    for parameter in hasher.module_.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    _limit_gradients(hasher.module_)
    norm = torch.stack([p.grad.norm() for p in hasher.module_.criterion.parameters()]).norm()
    assert norm.item() == pytest.approx(5.0, rel=1e-3)
    assert (hasher.module_.head.linear.weight.grad == 7).all()


def test_the_classifier_is_frozen_but_for_its_head(digits):
    hasher = small(max_epochs=2).fit(digits.X[:400], digits.y[:400])
    network = hasher.module_.criterion.classifier
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    embeddings = network.head.embeddings.detach().clone()
    hasher.set_params(warm_start=True).fit(digits.X[:400], digits.y[:400])
    network = hasher.module_.criterion.classifier
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not torch.equal(network.head.embeddings, embeddings)


def test_early_stopping_keeps_samples_and_labels_together(digits):
    hasher = small(early_stopping=True).fit(digits.X[:600], digits.y[:600])
    assert (hasher.predict(digits.X[600:1200]) == digits.y[600:1200]).mean() > 0.8


def test_training_that_goes_on_learns_from_labels(digits):
    """The classifier knows the first samples; of classes and labels that come later it would say the wrong thing."""
    X, y = digits.X[:600], digits.y[:600]
    parts = X[y < 5], X[y >= 5]
    hasher = small().partial_fit(parts[0], y[y < 5], classes=np.arange(10))
    for _ in range(8):
        hasher.partial_fit(parts[1], y[y >= 5]).partial_fit(parts[0], y[y < 5])
    assert (hasher.predict(X) == y).mean() > 0.8
    hasher = small(warm_start=True).fit(X, y).fit(X, (y + 1) % 10)
    assert (hasher.predict(X) == (y + 1) % 10).mean() > 0.8


def test_a_warm_start_with_another_method_is_refused(digits):
    hasher = small(warm_start=True, max_epochs=1, warm_up_epochs=1).fit(digits.X[:100], digits.y[:100])
    with pytest.raises(ValueError, match="recipe was 'skhash' when the network was made and is 'paper' now"):
        hasher.set_params(recipe="paper").fit(digits.X[:100], digits.y[:100])


def test_centers_that_embeddings_cannot_reach(digits):
    X = np.linspace(-1, 1, 80)[:, None]
    with pytest.warns(UserWarning, match="got the same center of 32 bits .* use more bits or warm_up='auto'"):
        small(warm_up=None, max_epochs=1).fit(X, np.arange(80) // 10)
    # Classes that come later have embeddings, too.
    few = digits.y[:300] < 5
    hasher = small(warm_up=None, max_epochs=1)
    hasher.partial_fit(digits.X[:300][few], digits.y[:300][few], classes=np.arange(10))
    assert len(np.unique(hasher.centers_, axis=0)) == 10


def test_multi_hot_labels(digits):
    labels = np.concatenate([np.eye(10, dtype=int)[digits.y], np.eye(2, dtype=int)[digits.y % 2]], axis=1)
    for options in ({}, {"multilabel": "raw", "distillation_weight": 0.0, "group_size": 2}):
        hasher = small(**options).fit(digits.X[:600], labels[:600])
        assert (hasher.predict(digits.X[1400:])[:, 10:] == labels[1400:, 10:]).mean() > 0.8
        assert hasher.centers_.shape == (12, 32)


def test_a_warm_up_network_of_ones_own(digits):
    pretrained = torch.nn.Linear(64, 7)
    hasher = small(warm_up=pretrained, warm_up_epochs=1, max_epochs=1)
    weight, state = pretrained.weight.detach().clone(), torch.get_rng_state()
    hasher.fit(digits.X[:400], digits.y[:400])
    assert torch.equal(pretrained.weight, weight)  # a copy is trained
    assert torch.equal(torch.get_rng_state(), state)
    assert hasher.module_.criterion.classifier.head.embeddings.shape == (10, 7)


def test_within_the_lower_bound(digits):
    hasher = LowerBoundHasher(small(max_epochs=10)).fit(digits.X[:600], digits.y[:600])
    assert hasher.centers_.shape == (10, 32)
    assert (hasher.predict(digits.X[1000:]) == digits.y[1000:]).mean() > 0.8


def test_a_recipe_of_ones_own(digits):
    hasher = small(recipe=Recipe(max_epochs=1, batch_size=32)).fit(digits.X[:200], digits.y[:200])
    assert hasher.recipe_.batch_size == 32
    assert isinstance(hasher._make_batches(SimpleNamespace(recipe=hasher.recipe_)), ShuffledBatches)


@pytest.mark.parametrize(("given", "expected"), [(None, 2), (5, 5)])
def test_the_warm_up_is_no_longer_than_the_training(digits, monkeypatch, given, expected):
    epochs = []
    train = _one_bit.train_classifier
    monkeypatch.setattr(
        _one_bit,
        "train_classifier",
        lambda *args, **options: epochs.append(options["epochs"]) or train(*args, **options),
    )
    small(max_epochs=2, warm_up_epochs=given).fit(digits.X[:60], digits.y[:60])
    assert epochs == [expected]
