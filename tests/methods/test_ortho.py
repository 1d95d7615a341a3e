import math

import numpy as np
import pytest
import torch

from skhash import HammingIndex, OrthoHasher
from skhash.losses import label_log_odds, ortho_loss
from skhash.nn import BiHalf


def small(**options):
    return OrthoHasher(**{"bits": 32, "max_epochs": 8, "random_state": 0, **options})


def retrieval_map(hasher, digits):
    codes = hasher.transform(digits.X)
    return HammingIndex().fit(codes[:1400], digits.y[:1400]).score(codes[1400:], digits.y[1400:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"margin_type": "arc"},
        {"scale": "adacos"},
        {"scale": 4.0},
        {"balance": "bihalf", "max_epochs": 25},
        {"balance": None, "max_epochs": 15},
        {"centers": "hadamard"},
        {"centers": "maxhd"},
        {"quantization_weight": 0.5},
        {"backbone": "mlp", "schedule": "one_cycle"},
        {"optimizer": "sgd", "learning_rate": 0.1, "max_epochs": 15},
        {"optimizer": "adamw", "max_grad_norm": 1.0},
    ],
    ids=str,
)
def test_every_option_learns(options, digits):
    hasher = small(**options).fit(digits.X[:1400], digits.y[:1400])
    assert retrieval_map(hasher, digits) > (0.6 if "optimizer" in options else 0.7)  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


@pytest.mark.parametrize("multilabel_loss", ["softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"])
def test_multi_hot_labels(multilabel_loss, digits):
    # Two labels each: the digit, and whether it is even or odd.
    labels = np.concatenate([np.eye(10, dtype=int)[digits.y], np.eye(2, dtype=int)[digits.y % 2]], axis=1)
    hasher = small(multilabel_loss=multilabel_loss, max_epochs=15).fit(digits.X[:1400], labels[:1400])
    predicted = hasher.predict(digits.X[1400:])
    assert predicted.shape == (397, 12)
    assert (predicted[:, 10:] == labels[1400:, 10:]).mean() > 0.8
    assert hasher.class_centers_.shape == (12, 32)
    assert list(hasher.classes_) == list(range(12))


def test_the_trained_loss_is_the_loss(digits):
    hasher = small(margin=0.3, scale=5.0, margin_type="arc").fit(digits.X, digits.y)
    criterion = hasher.module_.criterion
    z = torch.tensor(hasher.decision_function(digits.X), dtype=torch.float32)
    expected = ortho_loss(
        z, torch.tensor(digits.y), torch.tensor(hasher.centers_), margin=0.3, scale=5.0, margin_type="arc"
    )
    torch.testing.assert_close(criterion(z, torch.tensor(digits.y)), expected)


@pytest.mark.parametrize(
    ("scale", "n_classes", "expected"),
    [("sqrt_bits", 10, math.sqrt(32)), ("adacos", 100, 6.4985), ("adacos", 80, 6.1793), ("adacos", 2, 1.0), (3, 5, 3)],
)
def test_scale(scale, n_classes, expected, digits):
    y = np.arange(len(digits.X)) % n_classes
    hasher = small(scale=scale, max_epochs=1).fit(digits.X, y)
    assert hasher.module_.criterion.options["scale"] == pytest.approx(expected, abs=1e-4)


def test_balance_layers(digits):
    for balance, layer in ((None, torch.nn.Identity), ("batch_norm", torch.nn.BatchNorm1d), ("bihalf", BiHalf)):
        assert isinstance(small(balance=balance, max_epochs=1).fit(digits.X, digits.y).module_.head.balance, layer)


def test_dropout_takes_part(digits):
    losses = [small(dropout=share, max_epochs=1).fit(digits.X, digits.y).history_[0]["loss"] for share in (0.0, 0.9)]
    assert losses[1] > losses[0]


def test_batch_norm_balances_the_bits(digits):
    share = small(balance="batch_norm").fit(digits.X, digits.y).transform(digits.X).mean(axis=0)
    assert share.min() > 0.1
    assert share.max() < 0.9


def test_recalibrate_moves_the_codes_to_the_new_domain(digits):
    # The other domain: inverted and brighter digits, on which most bits are stuck.
    foreign = 40 - digits.X
    hasher = small().fit(digits.X, digits.y)
    stuck = abs(hasher.transform(foreign).mean(axis=0) - 0.5).mean()
    codes = hasher.recalibrate(foreign).transform(foreign)
    assert abs(codes.mean(axis=0) - 0.5).mean() < 0.5 * stuck
    np.testing.assert_allclose(hasher.decision_function(foreign).mean(axis=0), 0, atol=1e-4)
    # Variants that differ in the variance only give identical codes (paper, table 6).
    with_variance = small().fit(digits.X, digits.y).recalibrate(foreign, variance=True)
    np.testing.assert_array_equal(with_variance.transform(foreign), codes)
    np.testing.assert_allclose(with_variance.decision_function(foreign).std(axis=0), 1, atol=1e-2)


def test_recalibrate_needs_batch_normalisation(digits):
    with pytest.raises(ValueError, match="recalibrate needs balance='batch_norm', got balance=None"):
        small(balance=None, max_epochs=1).fit(digits.X, digits.y).recalibrate(digits.X)


def test_log_odds_are_those_of_the_training_data_as_it_is_drawn(digits):
    y = np.stack([np.arange(60) % 10 == 0, np.arange(60) % 2 == 0, np.arange(60) % 2 == 1], axis=1).astype(int)
    weights = np.where(y[:, 0], 3.0, 1.0)

    def log_odds(sample_weight=None, **options):
        hasher = small(multilabel_loss="sigmoid_prior", max_epochs=1, centers="bernoulli", **options)
        return hasher.fit(digits.X[:60], y, sample_weight=sample_weight).module_.criterion.log_odds

    targets = torch.tensor(y, dtype=torch.float32)
    torch.testing.assert_close(log_odds(), label_log_odds(targets))
    torch.testing.assert_close(log_odds(weights), label_log_odds(targets, torch.tensor(weights)))
    assert log_odds(class_weight="balanced")[0] > log_odds()[0] + 0.5
    assert (
        small(multilabel_loss="sigmoid_prior", max_epochs=1).fit(digits.X, digits.y).module_.criterion.log_odds is None
    )


def test_sparse_labels_need_a_loss_that_weights_them(digits):
    def labels(n_classes):  # 3 a sample
        return ((digits.y[:100, None] + np.arange(n_classes)) % n_classes < 3).astype(int)

    def fit(n_classes, loss):
        small(max_epochs=1, centers="bernoulli", multilabel_loss=loss).fit(digits.X[:100], labels(n_classes))

    with pytest.warns(UserWarning, match=r"Only 7.5% of the labels are set.*use 'softmax' or 'sigmoid_prior'"):
        fit(40, "sigmoid")
    fit(40, "softmax")  # warns of nothing, as the next two
    fit(40, "sigmoid_imbalanced")
    fit(20, "sigmoid")
