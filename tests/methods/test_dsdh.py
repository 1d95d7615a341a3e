import numpy as np
import pytest
import torch

from skhash import DSDHHasher
from skhash.losses import dsdh_classifier, dsdh_codes, dsdh_loss


def small(**options):
    return DSDHHasher(**{"bits": 32, "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pairs": "batch"},
        {"pairs": "batch", "backbone": "mlp", "learning_rate": 1e-3},
        {"quantization_weight": 0.0},
        {"classification_weight": 5.0, "ridge_weight": 5.0, "quantization_weight": 2.0, "scale": 0.5},
        {"rounds": 1},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > (0.9 if "backbone" in options else 0.68)  # random hyperplanes: 0.49
    # Without the pull, the classifier's codes and the network's are not the same.
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > (0.7 if 0.0 in options.values() else 0.8)


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", scale=0.5, max_epochs=None, learning_rate=None, standardize=True)
    assert learnt_map(hasher) > 0.58
    assert (hasher.n_iter_, hasher.recipe_.optimizer) == (150, "sgd")
    rates = [epoch["learning_rate"] for epoch in hasher.history_]
    assert rates[-1] == pytest.approx(1e-6)  # from 1e-2
    np.testing.assert_allclose(np.divide(rates[1:-1], rates[:-2]), 10 ** (-4 / 149))


def test_predict_is_the_classifier_of_the_code(digits):
    hasher = small().fit(digits.X, digits.y)
    scores = (2.0 * hasher.transform(digits.X) - 1) @ hasher.module_.criterion.classifier.numpy()
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, digits, two_labels):
    y = two_labels if multilabel else digits.y
    weights = {"classification_weight": 0.5, "ridge_weight": 0.2, "quantization_weight": 0.3, "scale": 0.2}
    criterion = small(pairs="batch", rounds=1, max_epochs=1, **weights).fit(digits.X, y).module_.criterion
    z, targets = torch.randn(len(y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    multi_hot = targets if multilabel else torch.nn.functional.one_hot(targets)
    start = torch.where(z >= 0, 1.0, -1.0)
    codes = dsdh_codes(start, z, multi_hot, dsdh_classifier(start, multi_hot, 0.4), pull=0.6)
    expected = dsdh_loss(z, targets, codes, dsdh_classifier(codes, multi_hot, 0.4), **weights)
    torch.testing.assert_close(criterion(z, targets), expected)


def test_the_memory_holds_each_training_sample_and_is_not_pickled(digits):
    import pickle

    hasher = small(max_epochs=2).fit(digits.X[:300], digits.y[:300])
    memory = hasher.module_.criterion.pairing.memory
    assert memory.n_seen == 300
    np.testing.assert_array_equal(memory.targets.numpy(), digits.y[:300])
    copy = pickle.loads(pickle.dumps(hasher))
    assert copy.module_.criterion.pairing.memory.z is None
    np.testing.assert_array_equal(copy.predict(digits.X), hasher.predict(digits.X))


def test_several_labels(digits, two_labels):
    hasher = small(max_epochs=20).fit(digits.X[:1400], two_labels[:1400])
    assert hasher.module_.criterion.classifier.shape == (32, 12)
    assert (hasher.predict(digits.X[1400:])[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": "halves"}, "The 'pairs' parameter of DSDHHasher must be a str among .* Got 'halves' instead"),
        ({"classification_weight": 0}, r"The 'classification_weight' parameter .* range \(0.0, inf\). Got 0 instead"),
        ({"rounds": 0}, r"The 'rounds' parameter .* range \[1, inf\). Got 0 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)


@pytest.mark.parametrize(
    ("options", "scale", "rate"),
    [
        ({}, "2.5/bits", 1e-3),
        ({"backbone": None}, "2.5/bits", 1e-3),
        ({"backbone": "mlp"}, 0.5, 1e-4),
        ({"scale": 0.3}, 0.3, 1e-3),
    ],
)
def test_the_defaults_depend_on_the_network(options, scale, rate, digits):
    hasher = small(max_epochs=1, learning_rate=None, **options).fit(digits.X[:200], digits.y[:200])
    assert hasher.module_.criterion.scale == scale
    assert hasher.recipe_.learning_rate == rate


def test_a_new_network_of_images_has_its_usual_recipe(digits):
    images = digits.X[:100].reshape(-1, 8, 8).astype("uint8")
    auto, named = (
        small(max_epochs=1, learning_rate=None, backbone=backbone).fit(images, digits.y[:100]).recipe_
        for backbone in ("auto", "small_cnn")
    )
    assert auto == named


def test_images_have_the_scale_of_the_paper(digits):
    images = digits.X[:100].reshape(-1, 8, 8)
    hasher = small(max_epochs=1, learning_rate=1e-3).fit(images.astype("uint8"), digits.y[:100])
    assert hasher.module_.criterion.scale == 0.5


def test_the_defaults_are_above_the_scale_of_the_paper(learnt_map):
    assert (
        learnt_map(DSDHHasher(bits=64, random_state=0)) > 0.82
    )  # 0.80 with scale=0.5, learning_rate=1e-4, and 0.71 with the latter alone
