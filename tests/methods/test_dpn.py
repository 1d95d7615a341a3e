import numpy as np
import pytest
import torch

from skhash import DPNHasher
from skhash.losses import dpn_loss
from skhash.training import Steps


def small(**options):
    return DPNHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"centers": "bernoulli"},
        {"margin": 0.5},
        {"reduction": "mean"},
        {"norm_weight": 0.1},
        {"backbone": "mlp"},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > 0.68  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    hasher = DPNHasher(bits=32, centers="bernoulli", recipe="paper", random_state=0)
    assert learnt_map(hasher) > 0.78
    assert (hasher.n_iter_, hasher.recipe_.optimizer, hasher.recipe_.schedule) == (200, "sgd", Steps(at=(0.5,)))


@pytest.mark.parametrize("multilabel", ["sum", "merge"])
def test_several_labels(multilabel, digits, two_labels):
    hasher = small(multilabel=multilabel, max_epochs=20).fit(digits.X, two_labels)
    criterion = hasher.module_.criterion
    z, targets = torch.randn(len(digits.y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(two_labels)
    options = {"ties": criterion.ties, "multilabel": multilabel, "likelihood_weight": 5.0}
    expected = dpn_loss(z, targets, torch.tensor(hasher.centers_), **options)
    torch.testing.assert_close(criterion(z, targets), expected)
    assert (hasher.predict(digits.X)[:, 10:] == two_labels[:, 10:]).mean() > 0.85


def test_reduction(digits):
    z, y = torch.zeros(10, 32), torch.arange(10)
    losses = {
        r: small(reduction=r, margin=2.0).fit(digits.X, digits.y).module_.criterion(z, y) for r in ("sum", "mean")
    }
    assert losses == {"sum": 64.0, "mean": 2.0}


def test_margin_and_norm_weight_set_the_size_of_the_codes(digits):
    def size(**options):
        return np.abs(small(max_epochs=25, **options).fit(digits.X, digits.y).decision_function(digits.X)).mean()

    assert size(margin=4.0) > 2 * size(margin=1.0)
    assert size(norm_weight=20.0) < 0.8 * size()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"margin": 0},
            r"The 'margin' parameter of DPNHasher must be a float in the range \(0.0, inf\). Got 0 instead",
        ),
        ({"multilabel": "mean"}, "The 'multilabel' parameter of DPNHasher must be a str among .* Got 'mean' instead"),
        ({"reduction": "max"}, "The 'reduction' parameter of DPNHasher must be a str among .* Got 'max' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
