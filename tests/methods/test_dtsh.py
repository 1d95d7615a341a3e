import dataclasses

import numpy as np
import pytest
import torch

from skhash import DTSHHasher
from skhash.losses import dtsh_loss

PAPER = {"margin": "bits/2", "scale": 0.5, "self_positives": False, "quantization_weight": 0.0044 * 32}


def small(**options):
    return DTSHHasher(**{"bits": 32, "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **options})


@pytest.mark.parametrize("options", [{}, PAPER, {"quantization_weight": 0.0}, {"backbone": "mlp"}], ids=str)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > (0.9 if "backbone" in options else 0.6)  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", max_epochs=20, learning_rate=0.01, standardize=True, **PAPER)
    # 5e-4 is for sums over triplets.
    assert learnt_map(hasher) > 0.7
    paper = DTSHHasher._recipes["paper"]
    assert hasher.recipe_ == dataclasses.replace(paper, max_epochs=20, learning_rate=0.01, standardize=True)
    assert (paper.max_epochs, paper.optimizer, paper.learning_rate, paper.schedule.every) == (100, "sgd", 5e-4, 20)


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, digits, two_labels):
    y = two_labels[:100] if multilabel else digits.y[:100]
    criterion = small(max_epochs=1, **PAPER).fit(digits.X[:100], y).module_.criterion
    z, targets = torch.randn(100, 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    torch.testing.assert_close(criterion(z, targets), dtsh_loss(z, targets, **PAPER))


def test_quantization_weight_pulls_values_to_their_signs(digits):
    def gap(weight):
        z = small(quantization_weight=weight).fit(digits.X, digits.y).decision_function(digits.X)
        return np.square(np.abs(z) - 1).mean()

    assert gap(10.0) < 0.7 * gap(0.0)


def test_several_labels(digits, two_labels):
    hasher = small().fit(digits.X[:1400], two_labels[:1400])
    assert (hasher.predict(digits.X[1400:])[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": "bits"}, "The 'margin' parameter of DTSHHasher must be a str among .* Got 'bits' instead"),
        ({"scale": 0}, r"The 'scale' parameter .* range \(0.0, inf\). Got 0 instead"),
        ({"quantization_weight": -1}, "The 'quantization_weight' parameter .* Got -1 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
