import numpy as np
import pytest
import torch

from skhash import DBDHHasher
from skhash.losses import dbdh_loss


def small(**options):
    return DBDHHasher(
        **{"bits": 32, "pairs": "batch", "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **options}
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pairs": "halves"},
        {"pairs": "memory"},
        {"relax": "ste", "backbone": "mlp", "learning_rate": 1e-3},
        {"balance_axis": "bit"},
        {"p": 1.0},
        {"backbone": "mlp", "learning_rate": 1e-3},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > (0.85 if "backbone" in options else 0.67)  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    # 1e-5 is for a pretrained network of millions of weights.
    hasher = small(recipe="paper", scale=0.5, max_epochs=None, pairs="memory", learning_rate=1e-3, standardize=True)
    assert learnt_map(hasher) > 0.7
    assert (hasher.n_iter_, hasher.recipe_.optimizer, hasher.recipe_.batch_size) == (150, "rmsprop", 128)
    assert hasher.history_[-1]["learning_rate"] == pytest.approx(1e-5)


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, digits, two_labels):
    y = two_labels if multilabel else digits.y
    options = {"balance_weight": 0.7, "p": 1.5, "balance_axis": "bit", "relax": "ste", "scale": 0.3}
    criterion = small(max_epochs=1, **options).fit(digits.X, y).module_.criterion
    z, targets = torch.randn(len(y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    torch.testing.assert_close(criterion(z, targets), dbdh_loss(z, targets, **options))


@pytest.mark.parametrize(("balance_axis", "axis"), [("sample", 1), ("bit", 0)])
def test_the_penalty_balances(balance_axis, axis, digits):
    unequal = {"standardize": False, "relax": "ste"}  # outputs of standardised features are balanced as they are

    def imbalance(weight):
        # Of one digit against the rest: nine in ten codes are alike unless the penalty keeps them from it.
        hasher = small(balance_weight=weight, balance_axis=balance_axis, **unequal).fit(digits.X, digits.y == 0)
        return np.square(hasher.transform(digits.X).mean(axis=axis) - 0.5).mean()

    assert imbalance(30.0) < 0.7 * imbalance(0.0)


def test_several_labels(digits, two_labels):
    hasher = small(max_epochs=20).fit(digits.X[:1400], two_labels[:1400])
    assert (hasher.predict(digits.X[1400:])[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relax": "tanh"}, "The 'relax' parameter of DBDHHasher must be a str among .* Got 'tanh' instead"),
        ({"p": 0.5}, r"The 'p' parameter .* range \[1.0, inf\). Got 0.5 instead"),
        ({"balance_axis": 0}, "The 'balance_axis' parameter .* Got 0 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)


def test_the_defaults_are_above_the_scale_of_the_paper(learnt_map):
    assert (
        learnt_map(DBDHHasher(bits=64, random_state=0)) > 0.82
    )  # 0.79 with scale=0.5, learning_rate=1e-4, and 0.72 with the latter alone
