import numpy as np
import pytest
import torch

from skhash import JMLHHasher
from skhash.losses import jmlh_loss


def small(**options):
    return JMLHHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options", [{}, {"random_codes": False}, {"kl_weight": 0.2}, {"kl_weight": 0.0}, {"backbone": "mlp"}], ids=str
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > 0.65  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.75


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", max_epochs=None, kl_weight=0.2, random_codes=False)
    assert learnt_map(hasher) > 0.7
    assert (hasher.recipe_.batch_size, hasher.recipe_.learning_rate, hasher.recipe_.schedule) == (400, 1e-4, "constant")


@pytest.mark.parametrize("multilabel_loss", ["softmax", "sigmoid"])
def test_several_labels(multilabel_loss, digits, two_labels):
    options = {"multilabel_loss": multilabel_loss, "kl_weight": 0.02}
    hasher = small(max_epochs=25, random_codes=False, **options).fit(digits.X, two_labels)
    assert (hasher.predict(digits.X)[:, 10:] == two_labels[:, 10:]).mean() > 0.85
    criterion = hasher.module_.criterion
    z, targets = torch.randn(len(digits.y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(two_labels)
    torch.testing.assert_close(criterion(z, targets), jmlh_loss(z, targets, criterion.classifier, **options))


@pytest.mark.parametrize("random_codes", [True, False])
def test_codes_are_drawn_in_training(random_codes, digits):
    criterion = small(random_codes=random_codes).fit(digits.X, digits.y).module_.criterion
    z, y, generator = torch.zeros(len(digits.y), 32), torch.tensor(digits.y), torch.Generator().manual_seed(0)
    first, second = (criterion(z, y, generator=generator) for _ in range(2))
    assert (first != second) == random_codes


def test_kl_weight_keeps_bits_near_fair_coins(digits):
    def size(weight):
        return np.abs(small(kl_weight=weight).fit(digits.X, digits.y).decision_function(digits.X)).mean()

    assert size(2.0) < 0.8 * size(0.0)


def test_predict_classifies_the_code(digits):
    hasher = small().fit(digits.X, digits.y)
    classifier = hasher.module_.criterion.classifier
    scores = hasher.transform(digits.X) @ classifier.weight.detach().numpy().T.astype(float)
    scores += classifier.bias.detach().numpy()
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kl_weight": -0.1}, r"The 'kl_weight' parameter .* range \[0.0, inf\). Got -0.1 instead"),
        ({"multilabel_loss": "bce"}, "The 'multilabel_loss' parameter of JMLHHasher must be .* Got 'bce' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
