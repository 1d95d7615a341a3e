import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from skhash import CEHasher
from skhash.nn import BiHalf
from skhash.training import RECIPES


def small(**options):
    return CEHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    ("balance", "layer", "least"),
    [(None, torch.nn.Identity, 0.63), ("batch_norm", torch.nn.BatchNorm1d, 0.72), ("bihalf", BiHalf, 0.63)],
)
def test_every_balance_learns(balance, layer, least, learnt_map, digits):
    hasher = small(balance=balance)
    assert learnt_map(hasher) > least  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8
    assert isinstance(hasher.module_.head.balance, layer)
    # What balances the bits makes a bias superfluous.
    assert (hasher.module_.head.linear.bias is None) == (balance is not None)


def test_balanced_bits_are(digits):
    def imbalance(balance):
        codes = small(balance=balance, standardize=False).fit(digits.X, digits.y).transform(digits.X)
        return np.abs(codes.mean(axis=0) - 0.5).mean()

    assert max(imbalance("batch_norm"), imbalance("bihalf")) < 0.6 * imbalance(None)


def test_predict_is_the_classifier(digits):
    hasher = small().fit(digits.X, digits.y)
    z, classifier = hasher.decision_function(digits.X), hasher.module_.criterion.classifier
    scores = z @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))
    criterion, y = hasher.module_.criterion, torch.tensor(digits.y)
    torch.testing.assert_close(
        criterion(torch.tensor(z, dtype=torch.float32), y).double(), cross_entropy(torch.tensor(scores), y)
    )


def test_several_labels(digits, two_labels):
    predicted = small(balance="batch_norm", max_epochs=15).fit(digits.X, two_labels).predict(digits.X)
    assert (predicted[:, 10:] == two_labels[:, 10:]).mean() > 0.85


def test_the_paper_has_a_recipe_for_features_and_one_for_images(learnt_map, digits):
    hasher = small(recipe="paper", max_epochs=None, balance="batch_norm")
    assert learnt_map(hasher) > 0.65
    assert hasher.recipe_ == RECIPES["orthohash-instance"]
    assert small(recipe="paper", max_epochs=1).fit(digits.images, digits.y).recipe_.backbone_lr_ratio == 0.1


def test_errors(digits):
    with pytest.raises(ValueError, match=r"The 'balance' parameter of CEHasher must be .* Got 'bn' instead"):
        small(balance="bn").fit(digits.X, digits.y)
