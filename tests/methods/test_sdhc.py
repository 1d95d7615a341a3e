import numpy as np
import pytest
import torch

from skhash import SDHCHasher
from skhash.losses import sdhc_loss
from skhash.training import RECIPES


def small(**options):
    return SDHCHasher(**{"bits": 32, "max_epochs": 80, "random_state": 0, **options})


@pytest.mark.parametrize("options", [{}, {"variance": "sum"}, {"backbone": "mlp"}], ids=str)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > 0.72  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", max_epochs=None)
    assert learnt_map(hasher) > 0.62
    assert hasher.recipe_ == RECIPES["orthohash-instance"]


def test_each_weight_serves_its_term(digits):
    def terms(**options):
        hasher = small(**options).fit(digits.X, digits.y)
        u = np.tanh(hasher.decision_function(digits.X))
        w = hasher.module_.head.linear.weight.detach().numpy()
        quantization, projection = np.square(np.abs(u) - 1).mean(), np.square(w @ w.T - np.eye(32)).mean()
        return {
            "quantization_weight": quantization,
            "variance_weight": -np.square(u).mean(),
            "projection_weight": projection,
        }

    base = terms()
    for name in base:
        assert terms(**{name: 100.0})[name] < base[name]


def test_the_trained_loss_is_the_loss(digits, two_labels):
    # One batch, so that the loss of the first epoch is that of the untrained network.
    options = {"quantization_weight": 0.1, "variance_weight": 0.2, "projection_weight": 0.3, "variance": "sum"}
    hasher = small(batch_size=1797, max_epochs=1, dropout=0.0, learning_rate=1e-12, **options).fit(digits.X, two_labels)
    z = torch.tensor(hasher.decision_function(digits.X), dtype=torch.float32)
    network = hasher.module_
    expected = sdhc_loss(
        z, torch.tensor(two_labels), network.criterion.classifier, network.head.linear.weight, **options
    )
    assert hasher.history_[0]["loss"] == pytest.approx(expected.item(), rel=1e-4)


def test_predict_is_the_classifier(digits):
    hasher = small().fit(digits.X, digits.y)
    classifier = hasher.module_.criterion.classifier
    u = np.tanh(hasher.decision_function(digits.X))
    scores = u @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))


def test_several_labels(digits, two_labels):
    predicted = small(max_epochs=25).fit(digits.X, two_labels).predict(digits.X)
    assert (predicted[:, 10:] == two_labels[:, 10:]).mean() > 0.85


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variance": "max"}, "The 'variance' parameter of SDHCHasher must be a str among .* Got 'max' instead"),
        ({"variance_weight": -1}, r"The 'variance_weight' parameter .* range \[0.0, inf\). Got -1 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
