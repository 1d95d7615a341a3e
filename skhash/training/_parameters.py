"""Parameters and attributes that all deep hashers share: their types, their constraints and their documentation."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, Literal, TypedDict

import torch
from torch import nn

from skhash.training._optim import OPTIMIZERS, SCHEDULES
from skhash.training._ranks import FabricLike
from skhash.training._recipes import Recipe, Steps
from skhash.training._resizing import Resizing
from skhash.utils import Interval, RandomStateLike, StrOptions, check_values

__all__ = ["TRAINING_CONSTRAINTS", "TrainingParameters", "check_recipe", "document_parameters"]

TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "backbone": [str, callable, None],
    "image_size": [Interval(Integral, 1, None, closed="left"), tuple, None],
    "background": [str, tuple],
    "draft": ["boolean"],
    "recipe": [str, Recipe],
    "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
    "batch_size": [Interval(Integral, 2, None, closed="left"), None],
    "optimizer": [StrOptions(set(OPTIMIZERS)), None],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "backbone_lr_ratio": [Interval(Real, 0, None, closed="left"), None],
    "schedule": [StrOptions(set(SCHEDULES)), Steps, None],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "standardize": ["boolean", None],
    "dropout": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"}), None],
    "resizing": [Interval(Real, 0, 1, closed="right"), Resizing, None],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "views": [StrOptions({"auto"}), callable, tuple, None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "similarity_weight": [Interval(Real, 0, None, closed="left")],
    "checkpoint": [str, os.PathLike, None],
    "warm_start": ["boolean"],
    "device": [str, torch.device, FabricLike],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "compile": ["boolean"],
    "inference": [StrOptions({"auto", "torch"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class TrainingParameters(TypedDict, total=False):
    """Keyword parameters that all deep hashers share, for annotations: `**training: Unpack[TrainingParameters]`.

    Parameters
    ----------
    backbone : str, nn.Module, callable or None, default="auto"
        Network that turns samples into feature vectors. "auto": a small convolutional network for images, and no
        backbone for features, for which only the head is trained; "mlp" adds two hidden layers for features. Other
        names are those of binary networks, `skhash.nn.binary.BINARY_BACKBONES`, and of trained ones, such as
        "torchvision:resnet50", see `skhash.nn.load_pretrained`. A module returns (n, d) vectors; a copy
        of it is trained. Its inputs are integer pixels divided by 255, or floats as they are. A callable without
        arguments, such as a class, returns a module.
    image_size : int or tuple of (int, int), default=None
        Height and width to which image files and PIL images are resized; one number sets both. None takes the size of
        the training images if it is the same for all; otherwise 224 x 224 with a warning.
    background : str or tuple of int, default="white"
        Color on which images with alpha are composited: a name that Pillow knows, or red, green and blue.
    draft : bool, default=False
        Whether JPEG files are decoded at a half, a quarter or an eighth of their size where that leaves at least twice
        the size to which they are resized. Photos are read several times faster, with slightly different pixels.
    recipe : str or skhash.training.Recipe, default="skhash"
        Values of the parameters below that are None. "skhash" is the library's own recipe, "paper" is that of the
        method's authors (for their backbones, on images); others are in `skhash.training.RECIPES`.
    max_epochs : int, default=None
        Passes over the training data. "skhash" has 100 for images, and 30 in most methods with labels if the network is
        the new "small_cnn". For features it has about 1,200 batches, in 30 to 100 passes
        (`skhash.training.epochs_for`).
    batch_size : int, default=None
        Samples in a batch, at least 2.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default=None
        Optimizer; SGD has Nesterov momentum 0.9.
    learning_rate : float, default=None
        Largest learning rate of the head.
    backbone_lr_ratio : float, default=None
        Learning rate of the backbone divided by that of the head: 0.1 suits a pretrained backbone. 0 freezes it:
        without views, its features are computed once.
    schedule : {"step", "one_cycle", "constant"} or skhash.training.Steps, default=None
        Learning rate over time: a tenth after 80 % of the epochs, torch's one-cycle policy, constant, or other steps.
    weight_decay : float, default=None
        Weight decay of all parameters; in a network with binary layers, only of real-valued weight matrices.
    standardize : bool, default=None
        Whether features are scaled to mean 0 and variance 1 of the training data. None does not scale the inputs of a
        backbone of your own. Images are always standardized for the library's backbones.
    dropout : float or "auto", default=None
        Share of the values that is dropped in training before the head and, for features, before a backbone. "auto" is
        one half of 1,250 features or more, proportionally less of fewer (`skhash.training.dropout_for`), and 0 for
        images.
    resizing : float or skhash.training.Resizing, default=None
        Size of the training images over time: a share of the full side, from which it grows to the full one in three
        quarters of the epochs, or another plan. 1 trains on full images throughout. It applies to `fit` and to
        backbones that take images of any size.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm; None does not scale them.
    views : "auto", callable, tuple of two callables or None, default="auto"
        Random views (augmentations) to train on: `views(batch, generator)` changes a batch of samples, such as
        `skhash.training.RandomCropFlip()`; a callable with a single argument, such as a transform of torchvision,
        changes one sample. A pair holds weak and strong views, for methods that use both. "auto" means no views, except
        for methods that compare views of a sample: `skhash.training.FeatureViews` or `ImageViews`.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the training data, to score its codes after every epoch (mAP@all of
        each sample against the others), to stop when the score has not risen for `n_iter_no_change` epochs, and to keep
        the weights of the best epoch. Needs labels.
    validation_fraction : float, default=0.1
        Share of the training data to hold out. Not used if `fit` gets an `eval_set`, whose codes are scored instead.
    n_iter_no_change : int, default=10
        Epochs without a better score before training stops.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in proportion to which their samples are drawn into the batches of an epoch; they
        multiply the `sample_weight` of `fit`. A dict has weights by class, 1 for classes that it lacks; samples of a
        class of weight 0 are left out. "balanced" gives all classes the same total weight. With multi-hot labels,
        classes are column numbers, and the weight of a sample is the mean of those of its labels, 1 if it has none.
        Needs labels. `partial_fit` takes a dict only.
    similarity_weight : float, default=0.0
        Weight of a second loss, which keeps the cosines of features, see `skhash.losses.neighborhood_loss`: for a
        database with classes that are not in the training data. Needs features, or images behind a frozen backbone
        without views.
    checkpoint : str or path-like, default=None
        Folder in which `fit` keeps its state after every epoch, or every second if epochs are shorter. The same `fit`
        (parameters, data, releases of skhash and torch), repeated after it was interrupted or killed, goes on from
        there to the same codes; a finished one is not trained again. Other fits have subfolders of their own. Delete
        the folder to start anew.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the previous `fit`.
    device : str, torch.device or lightning_fabric.Fabric, default="auto"
        Device to compute on; "auto" uses an accelerator if there is one. A launched Fabric of several processes shares
        the work of the backbone among them; all end with the same hasher. It is not pickled or saved.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the backbone's products in training. Weights, head and loss are in single precision, and all of the
        network is when it computes codes. "auto" is "bfloat16" for images if the backbone is "small_cnn" or a binary
        network and the CPU has instructions for it (AVX-512 BF16, AMX or Arm's BF16), and else "float32".
    compile : bool, default=False
        Whether training runs backbone and head compiled by `torch.compile`. This takes minutes at the
        start, needs a C++ compiler on a CPU, and changes the last digits of the weights. Codes are computed without it.
    inference : {"auto", "torch"}, default="auto"
        How to compute codes after training. "auto": on packed words if the network has binary layers, can be exported
        as a whole (`to_packed`) and is on a CPU; otherwise, and with "torch", by torch.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, centers, batches and all other random draws. No global state is changed.
    verbose : int, default=0
        A positive value shows a progress bar over the epochs.
    """

    backbone: str | nn.Module | Callable[[], nn.Module] | None
    image_size: int | tuple[int, int] | None
    background: str | tuple[int, int, int]
    draft: bool
    recipe: str | Recipe
    max_epochs: int | None
    batch_size: int | None
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] | None
    learning_rate: float | None
    backbone_lr_ratio: float | None
    schedule: Literal["step", "one_cycle", "constant"] | Steps | None
    weight_decay: float | None
    standardize: bool | None
    dropout: float | Literal["auto"] | None
    resizing: float | Resizing | None
    max_grad_norm: float | None
    views: Literal["auto"] | Callable[..., Any] | tuple[Callable[..., Any], Callable[..., Any]] | None
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    class_weight: dict[Any, float] | Literal["balanced"] | None
    similarity_weight: float
    checkpoint: str | os.PathLike[str] | None
    warm_start: bool
    device: str | torch.device | FabricLike
    precision: Literal["auto", "float32", "bfloat16"]
    compile: bool
    inference: Literal["auto", "torch"]
    random_state: RandomStateLike
    verbose: int


_ATTRIBUTES = """module_ : skhash.nn.HashNetwork
        The trained network.
    inference_ : {"packed", "torch"}
        How codes are computed, those of training samples included.
    recipe_ : skhash.training.Recipe
        The recipe that was used: with the parameters that were not None.
    history_ : list of dict
        Per epoch: "epoch", "loss", "learning_rate", "seconds" and, with `early_stopping` or an `eval_set`,
        "validation_map".
    n_iter_ : int
        Number of epochs of the last `fit` that the weights are the result of.
    input_shape_ : tuple of int
        Shape of a sample: (n_features,) or (channels, height, width).
    label_index_ : HammingIndex or None
        Training codes with their labels, if `fit` was given labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if `fit` was given labels; column numbers for multi-hot labels.
    multilabel_ : bool
        Whether the labels were multi-hot.
    n_features_in_ : int
        Number of features seen during `fit`, if `fit` was given features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings."""


def check_recipe(recipe: Recipe) -> Recipe:
    """Refuse a recipe with a value that the parameter of that name does not accept.

    Parameters
    ----------
    recipe : Recipe
        Recipe to check. Its `max_epochs` may be "auto"; no value may be None.

    Returns
    -------
    recipe : Recipe
        The same object.

    Raises
    ------
    ValueError
        If a value has the wrong type or is out of range.
    """
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    constraints = {name: [kind for kind in TRAINING_CONSTRAINTS[name] if kind is not None] for name in values}
    constraints["max_epochs"].append(StrOptions({"auto"}))
    check_values("Recipe", values, constraints)
    return recipe


def document_parameters(docstring: str | None, entries: Mapping[str, str] | None = None) -> str | None:
    """Replace short entries of a docstring by the full documentation of the parameters and attributes they stand for.

    The source of a deep hasher has one entry `**training` for the parameters, and one entry `module_, ...` for the
    attributes, that all deep hashers share. Help, documentation pages and scikit-learn see each of them in full.

    Parameters
    ----------
    docstring : str or None
        Docstring of a deep hasher.
    entries : mapping of str to str, default=None
        Full entries, by the beginning of the first line of the short ones. None means those of ``**training`` and
        ``module_,``.

    Returns
    -------
    docstring : str or None
        With the full entries.
    """
    if docstring is None:
        return None
    if entries is None:
        parameters = (TrainingParameters.__doc__ or "").partition("----------\n")[2].strip()
        entries = {"**training": parameters, "module_, ": _ATTRIBUTES}
    for start, text in entries.items():
        # The first line of the entry and its description, which is indented further.
        entry = rf"^    {re.escape(start)}.*\n(?: {{8}}.*\n)+"
        docstring = re.sub(entry, lambda _, text=text: f"    {text}\n", docstring, flags=re.MULTILINE)
    return docstring
