"""The template of all deep methods: validate, targets, module, loop.

A method says which head, which loss, which targets.
"""

import copy
import math
import threading
import warnings
from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skhash.base import BaseHasher, was_given_labels
from skhash.codes import binarize
from skhash.deep._packed import PackedInference
from skhash.inputs import DatasetSamples, Samples, SampleSubset, read_images
from skhash.metrics import mean_average_precision
from skhash.nn import HashHead, HashNetwork, Standardize, build, encode, make_backbone
from skhash.nn.binary import clip_latent_weights_
from skhash.training import (
    RECIPES,
    TRAINING_CONSTRAINTS,
    CallbackSupport,
    EarlyStopping,
    FitTask,
    ShuffledBatches,
    TrainingLoop,
    binary_layers,
    check_recipe,
    document_parameters,
    dropout_for,
    epochs_for,
    make_optimizer,
    make_schedule,
    reestimate_batch_norm,
    resolve_device,
    resolve_views,
    run_epochs,
    with_callbacks,
)
from skhash.utils import are_labels, check_option, fit_context, inherit_parameters, local_random_state, read_labels

__all__ = ["DeepHasher"]

_STANDARDIZE_VALUES = 2**24  # numbers of which the channels' mean and variance are taken: 64 MB
_STANDARDIZE_ROWS = 8192

# What may change between two calls that train one network. Everything else made the network.
_TRAINING_PARAMETERS = {
    "recipe", "max_epochs", "batch_size", "optimizer", "learning_rate", "backbone_lr_ratio", "schedule", "weight_decay",
    "dropout", "max_grad_norm", "views", "early_stopping", "validation_fraction", "n_iter_no_change", "warm_start",
    "device", "inference", "random_state", "verbose",
}  # fmt: skip
_NAMES = ("n_features_in_", "feature_names_in_")
_GLOBAL_STATE = threading.RLock()


class DeepHasher(PackedInference, CallbackSupport, BaseHasher):
    """Base class of the hashers that train a network.

    A subclass supplies `_make_criterion`, the loss as a module, and where it differs from the plain case `_make_head`,
    `_loss` and `_recipes`. Its `__init__` takes its own parameters and `**training`, which it hands on. A criterion
    with a method `class_scores(z)` predicts by class; others by a vote of training codes.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _needs_labels = True

    # Whether the method compares random views of a sample, so that `views="auto"` gives some.
    _compares_views = False

    # Whether `LowerBoundHasher` adds to the method's own loss, or puts another one in its place.
    _keeps_own_loss = True

    # What a method adds to `skhash.training.RECIPES` or changes there; a pair is for features and for images.
    _recipes: dict = {}

    _parameter_constraints: dict = {
        **BaseHasher._parameter_constraints,
        **TRAINING_CONSTRAINTS,
    }

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__doc__ = document_parameters(cls.__doc__)
        cls.__init__ = inherit_parameters(cls.__init__, super(cls, cls).__init__)
        cls._recipes = {**RECIPES, **super(cls, cls)._recipes, **vars(cls).get("_recipes", {})}

    @abstractmethod
    def __init__(
        self,
        bits=64,
        *,
        backbone="auto",
        image_size=None,
        recipe="skhash",
        max_epochs=None,
        batch_size=None,
        optimizer=None,
        learning_rate=None,
        backbone_lr_ratio=None,
        schedule=None,
        weight_decay=None,
        standardize=None,
        dropout=None,
        max_grad_norm=None,
        views="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        device="auto",
        inference="auto",
        random_state=None,
        verbose=0,
    ):
        self.bits = bits
        self.backbone = backbone
        self.image_size = image_size
        self.recipe = recipe
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.backbone_lr_ratio = backbone_lr_ratio
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.standardize = standardize
        self.dropout = dropout
        self.max_grad_norm = max_grad_norm
        self.views = views
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.inference = inference
        self.random_state = random_state
        self.verbose = verbose

    # What a method may say -------------------------------------------------------------------------------------------

    @abstractmethod
    def _make_criterion(self, labels, random_state):
        """Make the loss of continuous codes and targets, an `nn.Module`, for training labels (None without)."""

    def _make_head(self, in_features):
        """Make the layers between the backbone's features and the continuous codes."""
        return HashHead(in_features, self.bits)

    def _prepare(self, network, samples, generator):
        """Learn what the method must know of the training samples before a new network is trained."""

    def _loss(self, network, batch):
        """Compute the loss of a `Batch`, of which the criterion gets what it asks for."""
        z = network(batch.view(), batch.generator)
        return network.criterion(z, batch.targets, **batch.extra_arguments(network.criterion))

    def _choose_backbone(self, sample_shape):
        """Say which backbone `make_backbone` is to make."""
        return self.backbone

    def _make_batches(self, samples, recipe):
        """Make what draws the rows of each batch."""
        return ShuffledBatches(recipe.batch_size)

    def _make_description(self, network, samples, labels, generator):
        """Make a function that gives a dict for each epoch of `history_`, or None."""

    # What they all do ------------------------------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Features; or images as an array (n, height, width), (n, height, width, channels) or (n, channels, height,
            width), a list of file paths or of PIL images; or a Dataset of either.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix. May be left out for a Dataset that has labels.

        Returns
        -------
        self : object
            The fitted hasher.
        """
        return self._fit(X, y)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X, y, wrap_criterion=None):
        """Do what `fit` does; `wrap_criterion` may put a new criterion round that of a new network."""
        resume = self.warm_start and self.__sklearn_is_fitted__()
        random_state = local_random_state(self.random_state)
        with self._unchanged_on_failure(), self._random(random_state) as generator:
            samples, labels = self._read_training(X, y, classes=self._known_classes(resume), reset=not resume)
            # Drawn first, so that a warm start with the same seed holds out the same samples.
            kept, held = self._hold_out(samples, labels, random_state)
            train = SampleSubset(samples, kept) if len(held) else samples
            train_labels = None if labels is None else labels[kept]
            recipe = self._choose_recipe(samples)
            if resume:
                network = copy.deepcopy(self._resumed_module(labels))
            else:
                network = self._make_network(train, train_labels, recipe, random_state, generator, wrap_criterion)
                self._prepare(network, train, generator)
            validate = self._make_validation(network, samples, labels, held) if len(held) else None
            task = FitTask(self, X, y, recipe.max_epochs, lambda: self._fitted_state(network, samples, labels))
            stopping = EarlyStopping(self.n_iter_no_change) if self.early_stopping else None
            history = run_epochs(
                self._make_loop(network, train, recipe, generator),
                train,
                self._to_targets(train_labels, network),
                epochs=recipe.max_epochs,
                validate=validate,
                early_stopping=stopping,
                describe=self._make_description(network, train, train_labels, generator),
                task=task,
                verbose=self.verbose,
            )
            if binary_layers(network.backbone) and not network.frozen:
                reestimate_batch_norm(network.encoder, train, generator=generator)
        self.recipe_ = recipe
        self.history_ = [*(self.history_ if resume else []), *history]
        self.n_iter_ = stopping.best_epoch if stopping else len(history)
        self._finish(network, samples, labels)
        task.end()
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on some samples, starting or continuing, at a constant learning rate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All class labels that will ever come; needed in the first call if its `y` lacks some.

        Returns
        -------
        self : object
            The hasher. What is said of training codes, such as their votes in `predict`, is of the last call's samples.
        """
        resume = self.__sklearn_is_fitted__()
        if resume or classes is None:
            classes = self._known_classes(resume)
        parameters = {name: getattr(self, name) for name in _TRAINING_PARAMETERS}
        loop, loop_parameters = getattr(self, "_loop", None) or (None, None)
        random_state = local_random_state(self.random_state)
        with self._unchanged_on_failure(), self._random(random_state, loop and loop.generator) as generator:
            samples, labels = self._read_training(X, y, classes=classes, reset=not resume)
            recipe = replace(self._choose_recipe(samples), max_epochs=1, schedule="constant")
            if resume:
                network = copy.deepcopy(self._resumed_module(labels)) if loop is None else loop.network
            else:
                network = self._make_network(samples, labels, recipe, random_state, generator)
                self._prepare(network, samples, generator)
            if loop is None or parameters != loop_parameters:
                loop = self._make_loop(network, samples, recipe, generator)
            epoch = len(self.history_) if resume else 0
            before = copy.deepcopy(network.state_dict())
            try:
                loss = loop.run_epoch(samples, self._to_targets(labels, network), epoch)
            except BaseException:
                network.load_state_dict(before)
                network.eval()
                self._loop = None
                raise
        self.recipe_ = recipe
        self.history_ = [*(self.history_ if resume else []), {"epoch": epoch + 1, "loss": loss}]
        self.n_iter_ = 1
        self._finish(network, samples, labels)
        self._loop = loop, parameters
        return self

    @available_if(was_given_labels)
    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            As in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For a method that learns classes and single labels, the class with the highest score; otherwise a vote of
            the nearest training codes, see `HammingIndex.predict`.
        """
        check_is_fitted(self)
        criterion = self.module_.criterion
        if not hasattr(criterion, "class_scores") or self.multilabel_:
            return super().predict(X)
        z = torch.from_numpy(self.decision_function(X)).to(self._device())
        if z.dtype == torch.float64:  # features are encoded so; then a classifier that was learnt must be, too
            criterion = copy.deepcopy(criterion).double()
        scores = criterion.class_scores(z)
        return self.classes_[scores.argmax(dim=1).cpu().numpy()]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def __getstate__(self):
        state = dict(super().__getstate__())  # a copy: since Python 3.11 it may be the living `__dict__`
        state.pop("_loop", None)
        # A model trained on an accelerator must load where there is none.
        if "module_" in state and self._device().type != "cpu":
            state["module_"] = copy.deepcopy(self.module_).cpu()
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._needs_labels
        return tags

    # How ------------------------------------------------------------------------------------------------------------

    def _device(self):
        return next(self.module_.parameters()).device

    def _has_own_backbone(self):
        return self.backbone is None or isinstance(self.backbone, str)

    def _draws_by_generator(self):
        """Whether nothing foreign takes part, which might draw from global states."""
        return self._has_own_backbone() and (self.views is None or isinstance(self.views, str))

    def _known_classes(self, resume):
        return getattr(self, "classes_", None) if resume else None

    def _read(self, X, *, reset):
        """Bring `X` to samples; on `reset` remember what it looks like, else compare."""
        samples = read_images(X, None if reset else self.input_shape_, size=self.image_size)
        if samples is None:
            X = X.detach().cpu().numpy() if hasattr(X, "detach") else X
            if not reset and len(self.input_shape_) == 3:
                raise ValueError(
                    f"X is no images ({type(X).__name__} of shape {np.shape(X)}), but images of shape "
                    f"{self.input_shape_} were seen in fit. One image goes into a list or an array of one."
                )
            return Samples(validate_data(self, X, dtype=[np.float64, np.float32], reset=reset))
        if reset:
            for name in _NAMES:
                vars(self).pop(name, None)
        elif samples.kind == "images" and samples.integer != self._integer_pixels:
            seen = "integer pixels, which are divided by 255" if self._integer_pixels else "floating-point pixels"
            raise ValueError(f"X has {'integer' if samples.integer else 'floating-point'} pixels; fit has seen {seen}.")
        return samples

    def _read_training(self, X, y, *, classes, reset):
        """Bring training data to samples and labels, the latter None where a method needs none and has none."""
        samples = self._read(X, reset=reset)
        if y is None and isinstance(samples, DatasetSamples):
            y = samples.targets()
        if y is None and self._needs_labels:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if len(samples) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 training samples, got n_samples={len(samples)}.")
        if not self._needs_labels and not are_labels(y):
            if y is not None:
                check_consistent_length(samples, y)
            return samples, None
        labels = read_labels(y, n_samples=len(samples), classes=None if classes is None else np.unique(classes))
        if self._needs_labels and len(labels.classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes, got 1 class: {labels.classes[0]}. "
                "(partial_fit takes all that will come as classes=.)"
            )
        return samples, labels

    def _resumed_module(self, labels):
        """Give the network that training goes on with, if it is still what the parameters ask for."""
        for name, value in self._network_parameters().items():
            old = self._made_with[name]
            if not (value is old or np.array_equal(value, old)):
                raise ValueError(
                    f"{name} was {old!r} when the network was made and is {value!r} now: training cannot go on with "
                    "it. Set warm_start=False to start anew."
                )
        if labels is not None and labels.multilabel != self.multilabel_:
            kinds = ("class labels", "multi-hot labels")
            raise ValueError(f"y holds {kinds[labels.multilabel]}; training began with {kinds[self.multilabel_]}.")
        return self.module_

    def _network_parameters(self):
        return {k: v for k, v in self.get_params(deep=False).items() if k not in _TRAINING_PARAMETERS}

    @contextmanager
    def _unchanged_on_failure(self):
        """Put back what was noted on the way if training fails: the old network still needs it."""
        noted = (*_NAMES, "_made_with")
        before = {name: vars(self)[name] for name in noted if name in vars(self)}
        try:
            yield
        except BaseException:
            if self.__sklearn_is_fitted__():
                for name in noted:
                    vars(self).pop(name, None)
                vars(self).update(before)
            raise

    @contextmanager
    def _random(self, random_state, generator=None):
        """Give a generator for all that is drawn in training: `generator` if there is one, else a new one."""
        seed = int(random_state.randint(2**31 - 1))
        if generator is None:
            generator = torch.Generator().manual_seed(seed)
        else:
            seed = int(torch.randint(2**31 - 1, (), generator=generator))
        if self._draws_by_generator():
            yield generator
            return
        # A foreign backbone may draw weights and dropout, and foreign views what they want, from torch's global state:
        # it finds a seeded one, the user finds the old one afterwards, and fits in other threads wait for each other.
        with _GLOBAL_STATE, torch.random.fork_rng():
            torch.manual_seed(seed)
            yield generator

    def _choose_recipe(self, samples):
        """Say how to train: the recipe, with the parameters that are not None."""
        recipe = self.recipe
        if isinstance(recipe, str):
            check_option("recipe", recipe, self._recipes)
            recipe = self._recipes[recipe]
        if isinstance(recipe, tuple):
            recipe = recipe[samples.kind == "images"]
        recipe = check_recipe(recipe.override(self))
        images = samples.kind == "images"
        takes_standardized = self._has_own_backbone() or bool(self.standardize)  # others know their inputs as they are
        recipe = replace(recipe, standardize=takes_standardized and (images or recipe.standardize))
        if recipe.dropout == "auto":
            recipe = replace(recipe, dropout=0.0 if images else dropout_for(samples.sample_shape[0]))
        if recipe.max_epochs == "auto":
            recipe = replace(recipe, max_epochs=epochs_for(len(samples), recipe.batch_size))
        return recipe

    def _make_network(self, samples, labels, recipe, random_state, generator, wrap_criterion=None):
        """Build the untrained network and move it to the device."""
        shape, integer = tuple(samples.sample_shape), samples.integer
        backbone = self._choose_backbone(shape)
        backbone = copy.deepcopy(backbone) if isinstance(backbone, torch.nn.Module) else backbone
        backbone, in_features = make_backbone(backbone, shape, generator, integer_pixels=integer)
        fresh = isinstance(self.backbone, str) and any(True for _ in backbone.parameters())
        if fresh and recipe.backbone_lr_ratio == 0 and self.backbone_lr_ratio is None:
            warnings.warn(
                "The recipe freezes the backbone, which is a new one with random weights here: pass a pretrained one, "
                "or backbone_lr_ratio=1 to train it.",
                stacklevel=2,
            )
        preprocess = None
        if recipe.standardize and not getattr(backbone, "takes_pixels", False):
            n_rows = max(min(_STANDARDIZE_VALUES // math.prod(samples.sample_shape), _STANDARDIZE_ROWS), 1)
            rows = torch.randperm(len(samples), generator=generator)[:n_rows]
            preprocess = Standardize(samples.sample_shape).fit(samples.batch(rows))
        head = build(self._make_head, in_features, generator=generator)
        criterion = self._make_criterion(labels, random_state)
        if wrap_criterion is not None:
            criterion = wrap_criterion(criterion, labels, recipe, random_state, generator)
        self._made_with = self._network_parameters()
        return HashNetwork(backbone, head, criterion, preprocess).to(resolve_device(self.device))

    def _make_loop(self, network, samples, recipe, generator):
        network.frozen = recipe.backbone_lr_ratio == 0
        network.dropout = recipe.dropout
        optimizer = make_optimizer(
            recipe.optimizer,
            network,
            learning_rate=recipe.learning_rate,
            backbone_lr_ratio=recipe.backbone_lr_ratio,
            weight_decay=recipe.weight_decay,
        )
        batches = self._make_batches(samples, recipe)
        steps = [batches.steps(len(samples), epoch) for epoch in range(recipe.max_epochs)]
        return TrainingLoop(
            network=network,
            loss=self._loss,
            optimizer=optimizer,
            schedule=make_schedule(recipe.schedule, optimizer, epochs=recipe.max_epochs, steps_per_epoch=steps),
            batch_size=recipe.batch_size,
            device=next(network.parameters()).device,
            generator=generator,
            max_grad_norm=self.max_grad_norm,
            views=self._resolve_views(samples),
            batches=batches,
            after_step=clip_latent_weights_ if binary_layers(network) else None,
        )

    def _resolve_views(self, samples):
        views = resolve_views(self.views, tuple(samples.sample_shape), wanted=self._compares_views)
        if self._compares_views and None in views:
            raise ValueError(
                f"{type(self).__name__} compares random views of a sample, but views={self.views!r} gives none: use "
                '"auto", a callable or a pair of callables.'
            )
        return views

    def _hold_out(self, samples, labels, random_state):
        """Draw validation samples; give the rows to train on and the rows held out."""
        rows = np.arange(len(samples))
        if not self.early_stopping:
            return rows, rows[:0]
        if labels is None:
            raise ValueError("early_stopping=True scores codes by their labels, but fit was given none.")
        n_held = math.ceil(self.validation_fraction * len(samples))
        if n_held < 2 or len(samples) - n_held < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of n_samples={len(samples)} holds out {n_held}: at "
                "least 2 samples are needed on either side."
            )
        stratify = None
        enough = min(n_held, len(samples) - n_held) >= len(labels.classes)
        if enough and not labels.multilabel and np.bincount(labels.codes).min() > 1:
            stratify = labels.codes
        return train_test_split(rows, test_size=n_held, stratify=stratify, random_state=random_state)

    def _make_validation(self, network, samples, labels, held):
        """Make the function that scores a network in training: mAP@all of each held-out sample against the others."""
        validation, truth = SampleSubset(samples, held), labels[held].codes

        def validate():
            codes = np.concatenate([binarize(z) for z in encode(network.encoder, validation)])
            return mean_average_precision(codes, codes, truth, truth, exclude_self=True)

        return validate

    def _to_targets(self, labels, network):
        """Bring labels to the device as the losses take them."""
        if labels is None:
            return None
        dtype = torch.float32 if labels.multilabel else torch.int64
        return torch.as_tensor(labels.codes, dtype=dtype, device=next(network.parameters()).device)

    def _fitted_state(self, network, samples, labels):
        """List the attributes that make a hasher with a trained network a fitted one."""
        state = {"module_": network, "input_shape_": tuple(samples.sample_shape), "_n_features_out": self.bits}
        state["_integer_pixels"] = samples.integer
        state["inference_"] = self._choose_inference(network, samples)
        return state if labels is None else {**state, "classes_": labels.classes, "multilabel_": labels.multilabel}

    def _finish(self, network, samples, labels):
        """Become a fitted hasher."""
        network.eval()
        self._loop = None
        vars(self).pop("classes_", None)
        vars(self).update(self._fitted_state(network, samples, labels))
        self._remember_labels(samples, None if labels is None else labels.decode())
        if labels is not None:
            self.classes_ = labels.classes  # `y` of a partial_fit may not hold them all

    def _validate(self, X):
        return self._read(X, reset=False)
