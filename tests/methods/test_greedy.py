import numpy as np
import pytest
import torch

from skhash import GreedyHasher, HammingIndex
from skhash.losses import GreedySimilarityLoss, greedy_hash_loss, greedy_similarity_loss


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


@pytest.mark.parametrize("options", [{}, {"penalty_weight": 1.0}, {"p": 2.0}, {"backbone": "mlp"}], ids=str)
def test_every_option_learns_without_labels(options, digits):
    hasher = small(**options).fit(digits.X[:1400])
    assert isinstance(hasher.module_.criterion, GreedySimilarityLoss)
    codes = hasher.transform(digits.X)
    assert HammingIndex().fit(codes[:1400], digits.y[:1400]).score(codes[1400:], digits.y[1400:]) > 0.55


def test_without_labels_there_is_nothing_to_predict(digits):
    hasher = small(max_epochs=1).fit(digits.X, digits.y)
    assert hasattr(hasher, "predict")
    assert hasattr(hasher.module_.criterion, "class_scores")
    hasher.fit(digits.X)
    assert not hasattr(hasher, "predict")
    assert not hasattr(hasher.module_.criterion, "class_scores")


def test_the_trained_loss_without_labels_is_the_loss(digits):
    criterion = small(penalty_weight=0.7, p=2.0, max_epochs=1).fit(digits.X).module_.criterion
    z, x = torch.randn(30, 32, generator=torch.Generator().manual_seed(0)), torch.tensor(digits.X[:30]).float()
    torch.testing.assert_close(criterion(z, x), greedy_similarity_loss(z, x, penalty_weight=0.7, p=2.0))


def test_recipes_with_and_without_labels(digits):
    def recipe(y, **options):
        return small(max_epochs=1, **options).fit(digits.X, y).recipe_

    assert (recipe(digits.y).batch_size, recipe(digits.y).weight_decay) == (128, 5e-4)
    assert (recipe(None).batch_size, recipe(None).weight_decay) == (512, 0.2)
    assert recipe(None, recipe="paper").learning_rate == 1e-4
    assert recipe(digits.y, recipe="paper").learning_rate == 1e-3


def test_a_backbone_of_ones_own_is_trained_with_labels_only(digits):
    backbone = torch.nn.Sequential(torch.nn.Linear(64, 20), torch.nn.ReLU())

    def moves(y):
        trained = small(backbone=backbone, max_epochs=1).fit(digits.X / 16, y).module_.backbone
        return not torch.equal(trained[0].weight, backbone[0].weight)

    assert moves(digits.y)
    assert not moves(None)


@pytest.mark.parametrize("first", [True, False])
def test_training_goes_on_as_it_began(first, digits):
    labels = {True: digits.y, False: None}
    hasher = small(max_epochs=1, warm_start=True).fit(digits.X, labels[first])
    codes = hasher.transform(digits.X)
    kinds = ("without", "with")
    message = f"Training began {kinds[first]} labels in y and cannot continue {kinds[not first]}"
    with pytest.raises(ValueError, match=message):
        hasher.fit(digits.X, labels[not first])
    np.testing.assert_array_equal(hasher.transform(digits.X), codes)
    assert len(hasher.fit(digits.X, labels[first]).history_) == 2
    for n_epochs in (3, 4):
        with pytest.raises(ValueError, match=message):
            hasher.partial_fit(digits.X, labels[not first])
        assert len(hasher.partial_fit(digits.X, labels[first]).history_) == n_epochs


def test_what_is_given_as_labels_must_be_labels(digits):
    with pytest.raises(ValueError, match="at least 2 classes, or no labels, got 1 class: 0"):
        small().fit(digits.X, np.zeros(len(digits.X), int))
    with pytest.raises(ValueError, match="continuous"):
        small().fit(digits.X, digits.y + 0.5)
