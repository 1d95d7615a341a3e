import numpy as np
import pytest
import torch
from torch import nn

from skhash import TBHHasher


def small(**options):
    sizes = {"hidden_features": 256, "continuous_features": 64}
    return TBHHasher(**{"bits": 32, "max_epochs": 6, "random_state": 0, **sizes, **options})


@pytest.mark.parametrize(
    "options",
    [{}, {"random_codes": True}, {"squash": True, "max_epochs": 9}, {"reconstruction": "sum"}, {"output": "relu"}],
    ids=str,
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(small(**options)) > 0.4  # 0.1 by chance


def test_the_paper(digits):
    recipe = small(recipe="paper", max_epochs=1).fit(digits.X[:500]).recipe_
    assert (recipe.batch_size, recipe.optimizer, recipe.learning_rate) == (400, "adam", 1e-4)


def test_labels_change_nothing_but_predict(digits):
    alone, labelled = small(max_epochs=3).fit(digits.X), small(max_epochs=3).fit(digits.X, digits.y)
    np.testing.assert_array_equal(alone.decision_function(digits.X), labelled.decision_function(digits.X))
    assert [row["loss"] for row in alone.history_] == [row["loss"] for row in labelled.history_]
    assert not hasattr(alone, "predict")
    assert (labelled.predict(digits.X) == digits.y).mean() > 0.5


def test_every_bit_is_used(digits):
    shares = small().fit(digits.X).transform(digits.X).mean(axis=0)
    assert 0.1 < shares.min() < shares.max() < 0.9


def test_features_are_reconstructed(digits):
    """Better than by their mean, which leaves a loss of half their number and the critics' 4 log 2."""
    history = small().fit(digits.X).history_
    varying = (digits.X.std(axis=0) > 0).sum()
    assert history[-1]["loss"] < 0.85 * (varying / 2 + 4 * np.log(2))


def test_what_is_reconstructed(digits):
    def length(hasher, X):
        return hasher.fit(X).module_.criterion.decoder[2].out_features

    backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert length(small(max_epochs=1), digits.X[:100]) == 64
    assert length(small(max_epochs=1, backbone="mlp"), digits.X[:100]) == 64
    assert length(small(max_epochs=1), digits.images[:100]) == 64
    assert length(small(max_epochs=1, backbone=backbone), digits.images[:100]) == 10


def test_dropout_comes_before_the_hidden_layer(digits):
    def weights(share):
        return small(max_epochs=1, dropout=share).fit(digits.X[:200]).module_.head.linear.weight

    assert not torch.equal(weights(0.0), weights(0.5))


def test_weights_are_drawn_from_the_seed(digits):
    first, again, other = (
        small(max_epochs=1, random_state=seed).fit(digits.X[:200]).module_.criterion.graph.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_it_goes_on_where_it_was(digits):
    hasher = small(max_epochs=1).partial_fit(digits.X[:300])
    before = hasher.module_.criterion
    loss = hasher.partial_fit(digits.X[:300]).history_[-1]["loss"]
    assert hasher.module_.criterion is before
    assert loss < hasher.history_[0]["loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reconstruction": "max"}, "The 'reconstruction' parameter of TBHHasher must be a str .* Got 'max' instead"),
        ({"continuous_features": 0}, "The 'continuous_features' parameter of TBHHasher must be .* Got 0 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X)


@pytest.mark.parametrize(
    ("n_samples", "max_epochs", "expected"), [(20, None, 200), (800, None, 20), (3500, None, 5), (20, 3, 3)]
)
def test_few_samples_are_seen_more_often(n_samples, max_epochs, expected):
    X = np.random.RandomState(0).standard_normal((n_samples, 4))
    hasher = TBHHasher(4, hidden_features=2, continuous_features=2, max_epochs=max_epochs, random_state=0)
    assert hasher.fit(X).n_iter_ == expected
