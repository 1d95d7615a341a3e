"""Published training settings: epochs, batches, optimizer, learning rates, schedule, decay."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any, Literal

from skhash.training._resizing import Resizing

__all__ = ["RECIPES", "Recipe", "Steps", "adapt_to_features", "dropout_for", "epochs_for"]


@dataclass(frozen=True)
class Steps:
    """Learning-rate schedule that falls in steps.

    Parameters
    ----------
    factor : float, default=0.1
        Factor by which the learning rate is multiplied at each step, positive.
    at : tuple of float, default=(0.8,)
        Times of the steps, as shares of the planned epochs in [0, 1].
    every : int, default=None
        Epochs between steps; replaces `at`.

    Raises
    ------
    ValueError
        If `factor` is not positive, a share is outside of [0, 1], or `every` is not a positive integer.

    Examples
    --------
    >>> from skhash.training import Steps
    >>> Steps(0.5, every=10)  # half as high after every tenth epoch
    Steps(factor=0.5, at=(0.8,), every=10)
    """

    factor: float = 0.1
    at: tuple[float, ...] = (0.8,)
    every: int | None = None

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ValueError(f"factor must be positive, got {self.factor!r}.")
        if not isinstance(self.at, tuple | list) or not all(0 <= share <= 1 for share in self.at):
            raise ValueError(f"at must be a tuple of shares of the epochs in [0, 1], got {self.at!r}.")
        if self.every is not None and not (isinstance(self.every, Integral) and self.every >= 1):
            raise ValueError(f"every must be an integer >= 1 or None, got {self.every!r}.")


@dataclass(frozen=True)
class Recipe:
    """Training settings; each field is the default of the deep hashers' parameter of that name.

    Parameters
    ----------
    max_epochs : int or "auto", default=100
        Passes over the training data; "auto" is for features, see `epochs_for`.
    batch_size : int, default=128
        Samples in a batch.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"}, default="adam"
        Optimizer.
    learning_rate : float, default=1e-3
        Highest learning rate of the head.
    backbone_lr_ratio : float, default=1.0
        Learning rate of the backbone as a share of the head's.
    schedule : {"step", "one_cycle", "constant"} or Steps, default="step"
        Learning rate over time.
    weight_decay : float, default=5e-4
        Weight decay of all parameters.
    standardize : bool, default=False
        Whether features get mean 0 and variance 1. Images that go to one of the library's backbones always do.
    dropout : float or "auto", default=0.0
        Share of the values before the head that is dropped in training; "auto" is for features, see `dropout_for`.
    resizing : Resizing or float, default=1.0
        Size of the training images over time; a number is the initial share of the full side.

    Examples
    --------
    >>> from skhash.training import RECIPES
    >>> RECIPES["lbhash"].batch_size
    64
    """

    max_epochs: int | Literal["auto"] = 100
    batch_size: int = 128
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    backbone_lr_ratio: float = 1.0
    schedule: Literal["step", "one_cycle", "constant"] | Steps = "step"
    weight_decay: float = 5e-4
    standardize: bool = False
    dropout: float | Literal["auto"] = 0.0
    resizing: Resizing | float = 1.0

    def override(self, estimator: object) -> Recipe:
        """Return the recipe with those parameters of an estimator that are not None.

        Parameters
        ----------
        estimator : object
            Estimator with an attribute for each field.

        Returns
        -------
        recipe : Recipe
            The changed recipe.
        """
        given = {field.name: getattr(estimator, field.name) for field in fields(self)}
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def epochs_for(n_samples: int, batch_size: int) -> int:
    """Return the number of epochs for training on features: about 1,200 batches, in 30 to 100 epochs.

    A head on features needs some hundreds of steps even for few samples, and overfits many samples if it sees them too
    often.

    Parameters
    ----------
    n_samples : int
        Number of training samples.
    batch_size : int
        Samples in a batch.

    Returns
    -------
    max_epochs : int
        Number of epochs, from 30 to 100.

    Examples
    --------
    >>> from skhash.training import epochs_for
    >>> epochs_for(5000, 128), epochs_for(500, 128)
    (31, 100)
    """
    return min(max(-(-1200 * batch_size // n_samples), 30), 100)


def dropout_for(n_features: int) -> float:
    """Return the share of features to drop in training: one half of 1,250 or more, proportionally less of fewer.

    A linear head on many features overfits the training data unless some of them are dropped; of few features each is
    needed.

    Parameters
    ----------
    n_features : int
        Number of features.

    Returns
    -------
    dropout : float
        Share from 0 to 0.5.

    Examples
    --------
    >>> from skhash.training import dropout_for
    >>> dropout_for(2048), dropout_for(64)
    (0.5, 0.0256)
    """
    return min(n_features / 2500, 0.5)


# methods.md section 13. Where the settings of a paper's authors differ, they are with the method.
RECIPES: dict[str, Recipe | tuple[Recipe, ...]] = {
    # For features, for images, and for images if the network is a new `SmallCNN`. The first was chosen on parts held
    # out of the training data, of CIFAR-10 as features of a trained network, of Fashion-MNIST's pixels and of digits:
    # `examples/benchmarks/bench_supervised.py`. The last was chosen on digits, where it takes less than half the time
    # of the second. A pretrained network would not survive its learning rate.
    "skhash": (
        Recipe(max_epochs="auto", standardize=True, dropout="auto"),
        Recipe(),
        Recipe(max_epochs=30, batch_size=64, learning_rate=5e-3, schedule="one_cycle"),
    ),
    "orthohash": Recipe(batch_size=256, learning_rate=1e-4, backbone_lr_ratio=0.1),
    "orthohash-instance": Recipe(max_epochs=10, batch_size=256, schedule=Steps(at=(0.4, 0.7))),
    "lbhash": Recipe(batch_size=64, schedule=Steps(every=10), weight_decay=0.0),
    "deephash-pytorch": Recipe(
        max_epochs=150, batch_size=64, optimizer="rmsprop", learning_rate=1e-5, schedule="constant", weight_decay=1e-5
    ),
    "sdc": Recipe(batch_size=64, learning_rate=1e-4, backbone_lr_ratio=0.0),
    "sdc-instance": Recipe(
        max_epochs=20, batch_size=256, learning_rate=1e-4, backbone_lr_ratio=0.0, schedule=Steps(at=(0.5,))
    ),
}


def adapt_to_features(**changes: Any) -> tuple[Recipe, Recipe]:
    """Return the library's own recipe with changes for features, and one recipe for all images.

    Parameters
    ----------
    **changes
        Values of fields of `Recipe`.

    Returns
    -------
    recipes : tuple of (Recipe, Recipe)
        Recipes for features and for images; the latter is that of networks that are not new, and slower.

    Examples
    --------
    >>> from skhash.training import adapt_to_features
    >>> adapt_to_features(learning_rate=1e-4)[0].learning_rate
    0.0001
    """
    recipes = RECIPES["skhash"]
    assert isinstance(recipes, tuple)
    features, images, _ = recipes
    return replace(features, **changes), images
