from dataclasses import FrozenInstanceError, asdict, fields, replace
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from skhash import (
    BiHalfHasher,
    CEHasher,
    CSQHasher,
    DBDHHasher,
    DCHHasher,
    DPNHasher,
    DSDHHasher,
    DTSHHasher,
    GreedyHasher,
    HashNetHasher,
    JMLHHasher,
    OrthoHasher,
    SDCHasher,
    SDHCHasher,
    SSDHHasher,
)
from skhash.nn import SmallCNN
from skhash.training import (
    RECIPES,
    TRAINING_CONSTRAINTS,
    Recipe,
    Steps,
    adapt_to_features,
    check_recipe,
    dropout_for,
    epochs_for,
)

NAMES = [field.name for field in fields(Recipe)]


def test_every_field_is_a_parameter_of_deep_hashers_that_is_none_by_default():
    parameters = signature(OrthoHasher).parameters
    assert {parameters[name].default for name in NAMES} == {None}
    assert set(NAMES) <= set(TRAINING_CONSTRAINTS)


# Methods specification, section 13: epochs, batch, optimiser, head's rate, backbone's share, schedule, decay.
@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("orthohash", (100, 256, "adam", 1e-4, 0.1, "step", 5e-4)),
        ("orthohash-instance", (10, 256, "adam", 1e-3, 1.0, Steps(at=(0.4, 0.7)), 5e-4)),
        ("lbhash", (100, 64, "adam", 1e-3, 1.0, Steps(every=10), 0.0)),
        ("deephash-pytorch", (150, 64, "rmsprop", 1e-5, 1.0, "constant", 1e-5)),
        ("sdc", (100, 64, "adam", 1e-4, 0.0, "step", 5e-4)),
        ("sdc-instance", (20, 256, "adam", 1e-4, 0.0, Steps(at=(0.5,)), 5e-4)),
    ],
)
def test_published_recipes(name, row):
    assert tuple(asdict(RECIPES[name]).values())[:5] == row[:5]
    assert (RECIPES[name].schedule, RECIPES[name].weight_decay) == row[5:]
    assert (RECIPES[name].standardize, RECIPES[name].dropout) == (False, 0.0)


def test_all_recipes_of_all_methods_are_sound():
    for method in (OrthoHasher, CSQHasher, DBDHHasher, GreedyHasher, JMLHHasher):
        assert {*RECIPES, "paper"} == set(method._recipes)
        for recipe in method._recipes.values():
            for one in recipe if isinstance(recipe, tuple) else [recipe]:
                assert check_recipe(one) is one


def test_parameters_that_are_not_none_override():
    given = SimpleNamespace(**dict.fromkeys(NAMES), recipe="lbhash")
    assert RECIPES["lbhash"].override(given) == RECIPES["lbhash"]
    given.weight_decay, given.standardize, given.batch_size = 0.0, False, 7  # what is false is not None
    changed = Recipe(standardize=True).override(given)
    assert changed == Recipe(weight_decay=0.0, batch_size=7)
    with pytest.raises(FrozenInstanceError):
        changed.batch_size = 8


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "expected"),
    [(2, 128, 100), (1536, 128, 100), (1537, 128, 100), (1600, 128, 96), (5000, 128, 31), (5120, 128, 30),
     (10**6, 128, 30), (5000, 64, 30), (5000, 256, 62)],
)  # fmt: skip
def test_epochs_are_about_1200_batches_within_30_to_100(n_samples, batch_size, expected):
    assert epochs_for(n_samples, batch_size) == expected


@pytest.mark.parametrize(
    ("n_features", "expected"), [(1, 0.0004), (250, 0.1), (1249, 0.4996), (1250, 0.5), (4096, 0.5)]
)
def test_dropout_grows_with_the_features_up_to_a_half(n_features, expected):
    assert dropout_for(n_features) == pytest.approx(expected)


def test_adapting_changes_the_side_of_features_only():
    features, images = adapt_to_features(learning_rate=1e-4, dropout=0.1)
    assert features == replace(RECIPES["skhash"][0], learning_rate=1e-4, dropout=0.1)
    assert images == RECIPES["skhash"][1]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"factor": 0}, "factor must be positive, got 0"),
        ({"at": 0.5}, r"at must be a tuple of shares of the epochs in \[0, 1\], got 0.5"),
        ({"at": (0.5, 80)}, r"at must be a tuple .* got \(0.5, 80\)"),
        ({"every": 0}, "every must be an integer >= 1 or None, got 0"),
        ({"every": 2.5}, "every must be an integer >= 1 or None, got 2.5"),
    ],
)
def test_refused_steps(steps, message):
    with pytest.raises(ValueError, match=message):
        Steps(**steps)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_epochs": 0}, "The 'max_epochs' parameter of Recipe must be .* Got 0 instead"),
        ({"max_epochs": None}, "The 'max_epochs' parameter of Recipe must be .* Got None instead"),
        ({"batch_size": 1}, "The 'batch_size' parameter of Recipe"),
        ({"optimizer": "lion"}, "The 'optimizer' parameter of Recipe must be a str among .* Got 'lion' instead"),
        ({"schedule": "cosine"}, "The 'schedule' parameter of Recipe"),
        ({"dropout": 1.0}, "The 'dropout' parameter of Recipe"),
    ],
)
def test_recipes_that_cannot_be_followed(values, message, digits):
    with pytest.raises(ValueError, match=message):
        CSQHasher(8, recipe=Recipe(**values)).fit(digits.X, digits.y)


def recipe_of(digits, *, method=CSQHasher, X="X", **options):
    samples = getattr(digits, X)[:100]
    return method(8, **{"max_epochs": 1, "random_state": 0, **options}).fit(samples, digits.y[:100])


def test_the_default_has_a_side_for_features_and_one_for_images(digits):
    features = recipe_of(digits, max_epochs=None, batch_size=20).recipe_
    assert features == replace(RECIPES["skhash"][0], max_epochs=100, batch_size=20, dropout=dropout_for(64))
    images = recipe_of(digits, X="images").recipe_
    assert images == replace(RECIPES["skhash"][2], max_epochs=1, standardize=True)
    assert recipe_of(digits, X="images", dropout="auto").recipe_.dropout == 0.0


def test_the_fast_recipe_of_images_is_for_the_new_small_network(digits):
    fast, slow = (replace(recipe, max_epochs=1, standardize=True) for recipe in RECIPES["skhash"][:0:-1])
    assert recipe_of(digits, X="images", backbone="small_cnn").recipe_ == fast
    assert recipe_of(digits, X="images", backbone="bireal_tiny").recipe_ == slow
    own = recipe_of(digits, X="images", backbone=lambda: SmallCNN(1)).recipe_
    assert own == replace(slow, standardize=False)


@pytest.mark.parametrize(
    ("method", "part"),
    [(CEHasher, 2), (CSQHasher, 2), (DCHHasher, 2), (DTSHHasher, 2), (GreedyHasher, 2), (JMLHHasher, 2),
     (OrthoHasher, 2), (DBDHHasher, 2), (DSDHHasher, 2), (DPNHasher, 1), (HashNetHasher, 1), (SDHCHasher, 1)],
)  # fmt: skip
def test_methods_that_lost_by_the_fast_recipe_keep_the_slow_one(digits, method, part):
    expected = replace(RECIPES["skhash"][part], max_epochs=1, standardize=True)
    assert recipe_of(digits, X="images", method=method).recipe_ == expected


@pytest.mark.parametrize("method", [BiHalfHasher, GreedyHasher, SDCHasher, SSDHHasher])
def test_without_labels_images_keep_the_slow_recipe(digits, method):
    hasher = method(8, max_epochs=1, random_state=0).fit(digits.images[:60])
    assert hasher.recipe_ == replace(RECIPES["skhash"][1], max_epochs=1, standardize=True)


def test_a_recipe_of_ones_own_may_leave_epochs_and_dropout_to_the_data(digits):
    own = Recipe(max_epochs="auto", batch_size=3, dropout="auto", learning_rate=1e-2)
    hasher = recipe_of(digits, recipe=own, max_epochs=None)
    assert hasher.recipe_ == replace(own, max_epochs=epochs_for(100, 3), dropout=dropout_for(64))
    assert len(hasher.history_) == hasher.recipe_.max_epochs == 36


def test_unknown_names_are_refused_with_those_that_are_known(digits):
    with pytest.raises(ValueError, match=r"recipe must be one of \['skhash', .*'lbhash', .*'paper'\], got 'soup'"):
        recipe_of(digits, recipe="soup")


class Linear(nn.Sequential):
    """A foreign backbone for features and images of digits."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 8))


@pytest.mark.parametrize("X", ["X", "images"])
@pytest.mark.parametrize(
    ("options", "standardized"),
    [
        ({"backbone": Linear()}, False),
        ({"backbone": Linear, "recipe": Recipe(standardize=True)}, False),
        ({"backbone": Linear(), "standardize": True}, True),
        ({"backbone": Linear(), "standardize": False}, False),
    ],
)
def test_a_foreign_backbone_gets_inputs_as_they_are_unless_told_otherwise(X, options, standardized, digits):
    hasher = recipe_of(digits, X=X, **options)
    assert hasher.recipe_.standardize is standardized
    assert isinstance(hasher.module_.preprocess, nn.Identity) is not standardized


@pytest.mark.parametrize(
    ("X", "options", "standardized"),
    [
        ("X", {}, True),
        ("X", {"backbone": "mlp"}, True),
        ("X", {"standardize": False}, False),
        ("X", {"recipe": "lbhash"}, False),
        ("X", {"recipe": "lbhash", "standardize": True}, True),
        ("images", {}, True),
        ("images", {"standardize": False}, True),
    ],
)
def test_what_is_standardized_for_backbones_of_the_library(X, options, standardized, digits):
    hasher = recipe_of(digits, X=X, **options)
    assert hasher.recipe_.standardize is standardized
    assert isinstance(hasher.module_.preprocess, nn.Identity) is not standardized


def test_a_recipe_that_freezes_a_backbone_of_random_weights_is_a_warning(digits):
    with pytest.warns(UserWarning, match="this backbone is new and has random weights"):
        recipe_of(digits, X="images", recipe="sdc")
    # Nothing to freeze, a backbone that may be pretrained, and what was asked for.
    recipe_of(digits, recipe="sdc")
    recipe_of(digits, recipe="sdc", backbone=Linear())
    frozen = recipe_of(digits, X="images", recipe="sdc", backbone_lr_ratio=0.0)
    assert frozen.recipe_.backbone_lr_ratio == 0.0
    assert recipe_of(digits, X="images", recipe="sdc", backbone_lr_ratio=1.0).recipe_.backbone_lr_ratio == 1.0


def test_features_of_a_large_scale_under_another_recipe_say_what_helps(digits):
    with pytest.raises(ValueError, match=r"The (loss|weights) became .* standardize=True"):
        recipe_of(digits, recipe=Recipe(optimizer="sgd", learning_rate=1e30), max_epochs=3)
    assert np.isfinite(recipe_of(digits, recipe="lbhash", standardize=True).history_[-1]["loss"])
