import numpy as np
import pytest
import torch

from skhash import BiHalfHasher
from skhash.losses import SimilarityLoss
from skhash.nn import BiHalf


def small(**options):
    return BiHalfHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [{}, {"gamma": 2.0}, {"center": True}, {"standardize": True, "batch_size": 64}, {"backbone": "mlp"}],
    ids=str,
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(small(**options)) > 0.55  # random hyperplanes: 0.49


def test_the_paper(learnt_map):
    hasher = small(recipe="paper")
    assert learnt_map(hasher) > 0.55
    recipe = hasher.recipe_
    assert (recipe.optimizer, recipe.batch_size, recipe.learning_rate, recipe.schedule.every) == ("sgd", 32, 1e-4, 120)
    assert hasher._recipes["paper"].max_epochs == 300


def test_labels_change_nothing_but_predict(digits):
    without, with_labels = small().fit(digits.X), small().fit(digits.X, digits.y)
    np.testing.assert_array_equal(without.transform(digits.X), with_labels.transform(digits.X))
    assert not hasattr(without, "predict")
    assert (with_labels.predict(digits.X) == digits.y).mean() > 0.8


def test_the_trained_loss_is_the_loss(digits):
    hasher = small(gamma=2.5, max_epochs=1).fit(digits.X)
    assert type(hasher.module_.criterion) is SimilarityLoss
    assert hasher.module_.head[1].gamma == 2.5


def test_training_halves_batches_and_transform_does_not_care(digits):
    hasher = small(max_epochs=2).fit(digits.X)
    X = torch.tensor(digits.X[:30]).float()
    halves = hasher.module_.train()(X)
    assert halves.sum(dim=0).tolist() == [0.0] * 32
    hasher.module_.eval()
    alone = np.concatenate([hasher.transform(row[None]) for row in digits.X[:10]])
    np.testing.assert_array_equal(alone, hasher.transform(digits.X)[:10])


def test_centered_codes_are_balanced_where_others_are_not(digits):
    def imbalance(center):
        # Too short a training, on features that are far from zero, to become balanced by itself.
        hasher = small(center=center, max_epochs=3, learning_rate=1e-7, dropout=0.0).fit(100 + digits.X)
        return np.abs(hasher.transform(100 + digits.X).mean(axis=0) - 0.5).mean()

    assert imbalance(True) < 0.15 < 0.4 < imbalance(False)


def test_the_running_mean_is_that_of_the_training_values(digits):
    hasher = small(center=True, learning_rate=1e-9, max_epochs=20, dropout=0.0).fit(digits.X)
    head = hasher.module_.head
    assert isinstance(head[1], BiHalf)
    mean = head[0].linear(torch.tensor(digits.X).float()).mean(dim=0)
    torch.testing.assert_close(head[1].mean, mean, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": -1.0}, "The 'gamma' parameter of BiHalfHasher must be .* Got -1.0 instead"),
        ({"center": "yes"}, "The 'center' parameter of BiHalfHasher must be .* Got 'yes' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X)
