import numpy as np
import pytest
import torch

from skhash import GreedyHasher
from skhash.losses import greedy_hash_loss


def small(**options):
    return GreedyHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty_weight": 1.0},
        {"p": 2.0},
        {"classifier_bias": True},
        {"train_classifier": False, "max_epochs": 25},
        {"backbone": "mlp"},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > 0.65  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.75


def test_the_paper(learnt_map):
    hasher = small(recipe="paper", max_epochs=None)
    assert learnt_map(hasher) > 0.8
    assert (hasher.n_iter_, hasher.recipe_.optimizer, hasher.recipe_.batch_size) == (50, "sgd", 32)
    assert hasher.recipe_.schedule.every == 30


def test_predict_classifies_the_code(digits):
    hasher = small(classifier_bias=True).fit(digits.X, digits.y)
    classifier = hasher.module_.criterion.classifier
    codes = 2.0 * hasher.transform(digits.X) - 1
    scores = codes @ classifier.weight.detach().numpy().T + classifier.bias.detach().numpy()
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))
    assert small().fit(digits.X, digits.y).module_.criterion.classifier.bias is None


@pytest.mark.parametrize("train", [True, False])
def test_a_classifier_that_stays(train, digits):
    def weights(epochs):
        hasher = small(train_classifier=train, max_epochs=epochs).fit(digits.X, digits.y)
        return hasher.module_.criterion.classifier.weight

    assert torch.equal(weights(1), weights(3)) != train


def test_the_trained_loss_is_the_loss(digits, two_labels):
    hasher = small(penalty_weight=0.7, p=2.0).fit(digits.X, two_labels)
    criterion = hasher.module_.criterion
    z, targets = torch.randn(len(digits.y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(two_labels)
    expected = greedy_hash_loss(z, targets, criterion.classifier, penalty_weight=0.7, p=2.0)
    torch.testing.assert_close(criterion(z, targets), expected)


def test_the_penalty_keeps_values_near_one(digits):
    def gap(weight):
        z = small(penalty_weight=weight).fit(digits.X, digits.y).decision_function(digits.X)
        return np.square(np.abs(z) - 1).mean()

    assert gap(10.0) < 0.5 * gap(0.0)


def test_several_labels(digits, two_labels):
    predicted = small(max_epochs=25).fit(digits.X, two_labels).predict(digits.X)
    assert (predicted[:, 10:] == two_labels[:, 10:]).mean() > 0.85


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 0.5}, r"The 'p' parameter of GreedyHasher must be a float in the range \[1.0, inf\). Got 0.5 instead"),
        ({"train_classifier": "no"}, "The 'train_classifier' parameter of GreedyHasher must be .* Got 'no' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
