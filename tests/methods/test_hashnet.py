import pytest
import torch

from skhash import HashNetHasher
from skhash.losses import hashnet_loss
from skhash.training import RECIPES


def small(**options):
    return HashNetHasher(
        **{"bits": 32, "alpha": "10/bits", "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **options}
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pairs": "halves"},
        {"pairs": "memory"},
        {"alpha": 0.1},
        {"pair_weight": 5.0},
        {"pair_weight": None},
        {"beta_every": 2},
        {"backbone": "mlp"},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > (0.9 if "backbone" in options else 0.78)  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", pairs="halves", max_epochs=None, learning_rate=None, standardize=True)
    assert learnt_map(hasher) > 0.7
    assert (hasher.n_iter_, hasher.recipe_.optimizer, hasher.recipe_.backbone_lr_ratio) == (72, "sgd", 0.1)
    assert hasher.history_[-1]["learning_rate"] == pytest.approx(3e-3 / 2**4)


def test_as_lbhash_trained_it(learnt_map):
    hasher = small(recipe="lbhash", max_epochs=20, learning_rate=None, standardize=True)
    assert learnt_map(hasher) > 0.7
    assert hasher.recipe_.schedule == RECIPES["lbhash"].schedule


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, digits, two_labels):
    y = two_labels if multilabel else digits.y
    options = {"alpha": 0.3, "pair_weight": 2.0}
    hasher = small(beta_every=3, max_epochs=1, **options).fit(digits.X, y)
    criterion = hasher.module_.criterion
    z, targets = torch.randn(len(y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    for epoch, beta in ((2, 1.0), (9, 2.0)):
        expected = hashnet_loss(z, targets, beta=beta, alpha=0.3, class_weight=2.0)
        torch.testing.assert_close(criterion(z, targets, epoch=epoch), expected)


def test_the_tanh_gets_steeper_with_the_epochs(digits):
    def losses(beta_every):
        return [epoch["loss"] for epoch in small(beta_every=beta_every, max_epochs=4).fit(digits.X, digits.y).history_]

    soon, late = losses(2), losses(20)
    assert soon[:2] == late[:2]
    assert soon[2] != late[2]


def test_several_labels(digits, two_labels):
    hasher = small(max_epochs=20).fit(digits.X[:1400], two_labels[:1400])
    predicted = hasher.predict(digits.X[1400:])
    assert predicted.shape == (397, 12)
    assert (predicted[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": "all"}, "The 'pairs' parameter of HashNetHasher must be a str among .* Got 'all' instead"),
        ({"alpha": 0.0}, r"The 'alpha' parameter .* range \(0.0, inf\). Got 0.0 instead"),
        ({"pair_weight": "similar"}, "The 'pair_weight' parameter .* Got 'similar' instead"),
        ({"beta_every": 0}, r"The 'beta_every' parameter .* range \[1, inf\). Got 0 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)


def test_the_default_scale_suits_short_codes(learnt_map):
    short = {"bits": 8, "max_epochs": 30, "learning_rate": 1e-3, "random_state": 0}
    assert learnt_map(HashNetHasher(**short)) > learnt_map(HashNetHasher(**short, alpha=0.1)) + 0.05
