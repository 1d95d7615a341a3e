import numpy as np
import pytest
import torch

from skhash import CIBHasher
from skhash.losses import bernoulli_divergence, cib_loss
from skhash.training import FeatureViews


def small(**options):
    return CIBHasher(**{"bits": 32, "hidden_features": 128, "max_epochs": 15, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [{}, {"random_codes": True, "max_epochs": 30}, {"temperature": 0.5}, {"views": FeatureViews(0.3, 0.0)}],
    ids=str,
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(small(**options)) > 0.55  # random hyperplanes: 0.49


def test_the_paper(digits):
    recipe = small(recipe="paper", max_epochs=None).fit(digits.X[:200]).recipe_
    assert (recipe.max_epochs, recipe.batch_size, recipe.optimizer, recipe.schedule) == (60, 64, "adam", "constant")


def test_labels_change_nothing_but_predict(digits):
    alone, labelled = small(max_epochs=3).fit(digits.X), small(max_epochs=3).fit(digits.X, digits.y)
    np.testing.assert_array_equal(alone.decision_function(digits.X), labelled.decision_function(digits.X))
    assert [row["loss"] for row in alone.history_] == [row["loss"] for row in labelled.history_]
    assert not hasattr(alone, "predict")
    assert (labelled.predict(digits.X) == digits.y).mean() > 0.5


def test_the_trained_loss_is_the_loss(digits):
    # One batch, so that the loss of the first epoch is that of the untrained network; views that change nothing.
    options = {"kl_weight": 0.5, "temperature": 0.7, "views": lambda batch, generator: batch}
    hasher = small(batch_size=1797, max_epochs=1, dropout=0.0, learning_rate=1e-12, **options).fit(digits.X)
    z = torch.tensor(hasher.decision_function(digits.X))
    expected = cib_loss(z, z, kl_weight=0.5, temperature=0.7)
    assert hasher.history_[0]["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_two_views_are_drawn_for_every_batch(digits):
    drawn = []

    def views(batch, generator):
        view = batch + torch.randn(batch.shape, generator=generator)
        drawn.append(view)
        return view

    small(batch_size=1797, max_epochs=3, views=views).fit(digits.X)
    assert len(drawn) == 6
    assert not torch.equal(drawn[0], drawn[1])


def test_the_divergence_keeps_views_together(digits):
    def divergence(weight):
        hasher = small(kl_weight=weight, max_epochs=5).fit(digits.X)
        X = torch.tensor(digits.X, dtype=torch.float32)
        generator = torch.Generator().manual_seed(0)
        z, others = (hasher.decision_function(FeatureViews()(X, generator).numpy()) for _ in range(2))
        return bernoulli_divergence(torch.tensor(z), torch.tensor(others)).item()

    assert divergence(1.0) < 0.5 * divergence(0.0)


def test_images(digits):
    hasher = small(max_epochs=2).fit(digits.images[:300])
    assert hasher.transform(digits.images[:300]).shape == (300, 32)
    assert hasher.recipe_.backbone_lr_ratio == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": None}, "CIBHasher compares random views of a sample, but views=None contains no views"),
        (
            {"temperature": 0.0},
            r"The 'temperature' parameter of CIBHasher must be .* range \(0.0, inf\) or None. Got 0.0",
        ),
        ({"hidden_features": 0}, "The 'hidden_features' parameter of CIBHasher must be an int .* Got 0 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X)
