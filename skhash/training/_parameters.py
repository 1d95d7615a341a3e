"""The parameters and attributes that all deep hashers share: what they may be, and what is said of them."""

from dataclasses import fields
from numbers import Integral, Real

import torch

from skhash.nn import BACKBONES
from skhash.training._optim import OPTIMIZERS, SCHEDULES
from skhash.training._recipes import Recipe, Steps
from skhash.utils import Interval, StrOptions, check_values

__all__ = ["TRAINING_CONSTRAINTS", "check_recipe", "document_parameters"]

TRAINING_CONSTRAINTS = {
    "backbone": [StrOptions({"auto", *BACKBONES}), callable, None],
    "image_size": [Interval(Integral, 1, None, closed="left"), tuple, None],
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
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "views": [StrOptions({"auto"}), callable, tuple, None],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "device": [str, torch.device],
    "inference": [StrOptions({"auto", "torch"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

_DOC = {
    "{training_parameters}": """backbone : str, nn.Module, callable or None, default="auto"
        What turns samples into feature vectors. "auto": a small convolutional network for images, nothing for
        features, whose head is then all there is to train; "mlp" adds two hidden layers for features. Other names are
        those of binary networks, `skhash.nn.binary.BINARY_BACKBONES`. A module gives (n, d) vectors; a copy of it is
        trained, on integer pixels divided by 255 or floats as they are. A callable without arguments, such as a class,
        makes one.
    image_size : int or tuple of (int, int), default=None
        Height and width that image files and PIL images are brought to; one number for both. None takes those of the
        first training image, which is right where all are alike and small.
    recipe : str or skhash.training.Recipe, default="skhash"
        How to train: gives the values of the parameters below that are None. "skhash" is the library's own, "paper"
        what the method's authors did (with their backbones, on images); others are in `skhash.training.RECIPES`.
    max_epochs : int, default=None
        Passes over the training data. "skhash" has 100 for images, and for features about 1,200 batches, in 30 to 100
        passes (`skhash.training.epochs_for`).
    batch_size : int, default=None
        Samples in a batch, at least 2.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, default=None
        Optimiser; SGD has Nesterov momentum 0.9.
    learning_rate : float, default=None
        Of the head, at its highest.
    backbone_lr_ratio : float, default=None
        Learning rate of the backbone as a share of the head's: 0.1 suits a pretrained one, 0 freezes it.
    schedule : {"step", "one_cycle", "constant"} or skhash.training.Steps, default=None
        Learning rate over time: a tenth after 80 % of the epochs, torch's one-cycle policy, constant, or other steps.
    weight_decay : float, default=None
        Weight decay: of all parameters, or in a network with binary layers of real weight matrices only.
    standardize : bool, default=None
        Whether features get mean 0 and variance 1, by the training data. None leaves the inputs of a backbone of your
        own as they are. Images always are standardised for the library's backbones.
    dropout : float or "auto", default=None
        Share of the values that is dropped in training before the head and, of features, before a backbone. "auto" is
        half of 1,250 features or more, proportionally less of fewer (`skhash.training.dropout_for`), and nothing for
        images.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm; None leaves them.
    views : "auto", callable, tuple of two callables or None, default="auto"
        Random views (augmentations) to train on: `views(batch, generator)` changes a batch of samples, such as
        `skhash.training.RandomCropFlip()`; one with a single argument, such as a transform of torchvision, changes one
        sample. A pair is weak and strong views, for methods that know both. "auto" is none but for methods that
        compare views of a sample: `skhash.training.FeatureViews` or `ImageViews`.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the training data, to score the codes on it after every epoch
        (mAP@all of each sample against the others), to stop when the score has not risen for `n_iter_no_change`
        epochs, and to keep the best epoch's weights. Needs labels.
    validation_fraction : float, default=0.1
        Share to hold out.
    n_iter_no_change : int, default=10
        Patience in epochs.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the previous `fit`.
    device : str or torch.device, default="auto"
        Where to compute; "auto" takes an accelerator if there is one.
    inference : {"auto", "torch"}, default="auto"
        How to compute codes after training. "auto": on packed words if the network has binary layers, all of it can be
        exported (`to_packed`) and it is on a CPU; otherwise, and with "torch", by torch.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, centers, batches and whatever else is drawn. No global state is touched.
    verbose : int, default=0
        Positive for a progress bar over the epochs.""",
    "{training_attributes}": """module_ : skhash.nn.HashNetwork
        The trained network.
    inference_ : {"packed", "torch"}
        How codes are computed, those of training samples included.
    recipe_ : skhash.training.Recipe
        How it was trained: the recipe, with the parameters that were not None.
    history_ : list of dict
        Per epoch: "epoch", "loss", "learning_rate", "seconds" and, with `early_stopping`, "validation_map".
    n_iter_ : int
        Epochs that the weights have seen in the last `fit`.
    input_shape_ : tuple of int
        Shape of a sample: (n_features,) or (channels, height, width).
    label_index_ : HammingIndex or None
        Training codes with their labels, if `fit` was given labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if `fit` was given labels; column numbers for multi-hot labels.
    multilabel_ : bool
        Whether the labels were multi-hot.
    n_features_in_ : int
        Number of features seen during `fit`, if it was features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.""",
}


def check_recipe(recipe):
    """Refuse a recipe with a value that the parameter of that name does not take.

    Parameters
    ----------
    recipe : Recipe
        How to train. Its epochs may be "auto", and nothing may be None.

    Returns
    -------
    recipe : Recipe
        The same.

    Raises
    ------
    ValueError
        If a value is of the wrong kind or out of range.
    """
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    constraints = {name: [kind for kind in TRAINING_CONSTRAINTS[name] if kind is not None] for name in values}
    constraints["max_epochs"].append(StrOptions({"auto"}))
    check_values("Recipe", values, constraints)
    return recipe


def document_parameters(docstring):
    """Replace {training_parameters} and {training_attributes} in a docstring, so that twenty cannot drift apart.

    Parameters
    ----------
    docstring : str or None
        Of a deep hasher.

    Returns
    -------
    docstring : str or None
        With what all of them share.
    """
    for mark, text in _DOC.items():
        docstring = docstring and docstring.replace(mark, text)
    return docstring
