"""The base class of all deep hashers: parameters, hooks and public methods.

A method supplies a loss and, where it differs, a head, targets or a recipe. Training is in `_training`, network and
loop in `_assembly`, reading of data in `_data`, pickling and continued training in `_state`, inference in `_packed`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Unpack, cast

import torch
from sklearn.utils.validation import check_is_fitted

from skhash.base import BaseHasher, was_given_labels
from skhash.deep._assembly import make_loop, resolve_recipe
from skhash.deep._packed import PackedInference
from skhash.deep._packed_classes import predict_by_scores
from skhash.deep._state import DeepState
from skhash.deep._training import become_fitted, train, train_epoch
from skhash.nn import HashHead
from skhash.training import (
    RECIPES,
    TRAINING_CONSTRAINTS,
    CallbackSupport,
    ShuffledBatches,
    document_parameters,
    resolve_views,
)
from skhash.utils import available_if, fit_context, inherit_parameters, is_dask

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from skhash.deep._context import TrainingContext
    from skhash.deep._weights import FitWeights
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.training import Batch, FabricLike, Recipe, Resizing, Steps, TrainingLoop
    from skhash.utils import Labels, RandomStateLike, SamplesLike

__all__ = ["DeepHasher"]


class DeepHasher(PackedInference, CallbackSupport, DeepState):
    """Base class of the hashers that train a network.

    A subclass supplies `_make_criterion`, the loss as a module, and where it differs from the plain case other hooks.
    If it has parameters of its own, its `__init__` takes them and ``**training``, which it passes on. A criterion with
    a method `class_scores(z)` predicts the class with the highest score; with any other criterion, training codes vote.

    Warning: this class should not be used directly. Use derived classes instead.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    **training
        Parameters of training that all deep hashers share, see `skhash.training.TrainingParameters`.

    Attributes
    ----------
    module_, recipe_, history_, ... : object
        Attributes that all deep hashers share.
    """

    # Whether `fit` requires labels.
    _needs_labels: ClassVar[bool] = True

    # Whether labels take part in training where `fit` does not require them.
    _learns_labels: ClassVar[bool] = False

    # Whether `LowerBoundHasher` adds its loss to the method's own loss, or replaces it.
    _keeps_own_loss: ClassVar[bool] = True

    # Recipes that a method adds to `skhash.training.RECIPES` or changes; a pair is for features and for images.
    _recipes: ClassVar[Mapping[str, Any]] = {}

    _parameter_constraints: dict[str, Any] = {
        **BaseHasher._parameter_constraints,
        **TRAINING_CONSTRAINTS,
    }

    # `sample_weight` is no parameter of the signature, see `FitWeights`, but can be requested.
    __metadata_request__fit: ClassVar[dict[str, None]] = {"sample_weight": None}
    __metadata_request__partial_fit: ClassVar[dict[str, None]] = {"sample_weight": None}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = document_parameters(cls.__doc__)
        cls.__init__ = inherit_parameters(cls.__init__, super(cls, cls).__init__)
        inherited = cast("type[DeepHasher]", super(cls, cls))._recipes
        cls._recipes = {**RECIPES, **inherited, **vars(cls).get("_recipes", {})}

    def __init__(
        self,
        bits: int = 64,
        *,
        backbone: str | nn.Module | Callable[[], nn.Module] | None = "auto",
        image_size: int | tuple[int, int] | None = None,
        background: str | tuple[int, int, int] = "white",
        draft: bool = False,
        recipe: str | Recipe = "skhash",
        max_epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] | None = None,
        learning_rate: float | None = None,
        backbone_lr_ratio: float | None = None,
        schedule: Literal["step", "one_cycle", "constant"] | Steps | None = None,
        weight_decay: float | None = None,
        standardize: bool | None = None,
        dropout: float | Literal["auto"] | None = None,
        resizing: float | Resizing | None = None,
        max_grad_norm: float | None = None,
        views: Literal["auto"] | Callable[..., Any] | tuple[Callable[..., Any], Callable[..., Any]] | None = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        similarity_weight: float = 0.0,
        checkpoint: str | os.PathLike[str] | None = None,
        warm_start: bool = False,
        device: str | torch.device | FabricLike = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        compile: bool = False,
        inference: Literal["auto", "torch"] = "auto",
        random_state: RandomStateLike = None,
        verbose: int = 0,
    ) -> None:
        self.bits = bits
        self.backbone = backbone
        self.image_size = image_size
        self.background = background
        self.draft = draft
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
        self.resizing = resizing
        self.max_grad_norm = max_grad_norm
        self.views = views
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight: dict[Any, float] | Literal["balanced"] | None = class_weight
        self.similarity_weight = similarity_weight
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.device = device
        self.precision: Literal["auto", "float32", "bfloat16"] = precision
        self.compile = compile
        self.inference = inference
        self.random_state = random_state
        self.verbose = verbose

    # Hooks -----------------------------------------------------------------------------------------------------------
    # `context` is one `TrainingContext`; it holds the training samples and everything that was decided about training.

    @property
    def _compares_views(self) -> bool:
        """Whether the method compares random views of a sample, so that `views="auto"` means random views."""
        return False

    @property
    def _centers_features(self) -> bool:
        """Whether the network gets features that are not standardized centered and divided by one number."""
        return False

    @abstractmethod
    def _make_criterion(self, context: TrainingContext) -> nn.Module:
        """Build the loss of continuous codes and targets, before the rest of a new network is built."""

    def _make_head(self, in_features: int) -> nn.Module:
        """Build the layers between the backbone's features and the continuous codes."""
        return HashHead(in_features, self.bits)

    def _choose_backbone(self, sample_shape: tuple[int, ...]) -> Any:
        """Return the backbone for `skhash.nn.make_backbone`."""
        return self.backbone

    def _choose_recipe(self, samples: Samples, labels: Labels | None) -> Recipe:
        """Return the recipe with the parameters that are not None in place; `labels` is None without labels."""
        return resolve_recipe(self, self._recipes_for(labels), samples)

    def _recipes_for(self, labels: Labels | None) -> Mapping[str, Any]:
        """Return the recipes that the parameter `recipe` may name."""
        return self._recipes

    def _choose_views(self, samples: Samples) -> tuple[Any, Any]:
        """Return the weak and the strong random views that the parameter `views` stands for."""
        views = resolve_views(self.views, tuple(samples.sample_shape), wanted=self._compares_views)
        if self._compares_views and None in views:
            raise ValueError(
                f"{type(self).__name__} compares random views of a sample, but views={self.views!r} contains no views: "
                'use "auto", a callable or a pair of callables.'
            )
        return views

    def _check_labels(self, y: ArrayLike | None, labels: Labels | None, *, resume: bool) -> None:
        """Refuse labels that the method cannot train on; `labels` is None if the method trains without labels."""
        if self._needs_labels and labels is not None and len(labels.classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes, got 1 class: {labels.classes[0]}. "
                "(Pass all classes to partial_fit as classes=.)"
            )

    def _prepare(self, network: HashNetwork, context: TrainingContext) -> None:
        """Set what a new network must know of the training samples, before it is trained."""

    def _make_batches(self, context: TrainingContext) -> ShuffledBatches:
        """Build the object that draws the rows of each batch."""
        return ShuffledBatches(context.recipe.batch_size)

    def _make_loop(self, network: HashNetwork, context: TrainingContext) -> TrainingLoop:
        """Build the training loop."""
        return make_loop(self, network, context)

    def _loss(self, network: HashNetwork, batch: Batch) -> torch.Tensor:
        """Compute the loss of a batch."""
        z = network(batch.view(), batch.generator)
        return network.criterion(z, batch.targets, **batch.extra_arguments(network.criterion))

    def _make_description(self, network: HashNetwork, context: TrainingContext) -> Callable[[], dict[str, Any]] | None:
        """Return a function whose dict is added to `history_` after each epoch, or None."""

    def _finish(self, network: HashNetwork, context: TrainingContext) -> None:
        """Set the fitted attributes; the context holds all samples, those held out for validation included."""
        become_fitted(self, network, context)

    # Public API ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: SamplesLike,
        y: ArrayLike | None = None,
        *,
        eval_set: tuple[SamplesLike, ArrayLike | None] | None = None,
        X_val: SamplesLike | None = None,
        y_val: ArrayLike | None = None,
        **weights: Unpack[FitWeights],
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            Features; or images as an array (n, height, width), (n, height, width, channels) or (n, channels, height,
            width), a list of file paths or of PIL images, or what `skhash.inputs.read_images` returns; or a Dataset of
            features or images.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix. Optional for a Dataset that has labels.
        eval_set : tuple of (X_val, y_val), default=None
            Samples and labels, like `X` and `y`, to score codes on after every epoch, in place of samples held out by
            `early_stopping`. Without `early_stopping` the scores are recorded only.
        X_val, y_val : array-like, default=None
            The same, one by one, as a `Pipeline` with ``transform_input=["X_val"]`` passes them.
        **weights
            `sample_weight`, array-like of shape (n_samples,): in each epoch, samples are drawn in proportion to their
            weights; those of weight 0 are left out. See `FitWeights`.

        Returns
        -------
        self : object
            The fitted hasher.
        """
        return train(self, X, y, eval_set=eval_set, X_val=X_val, y_val=y_val, **weights)

    if TYPE_CHECKING:  # scikit-learn's method has no annotations

        def fit_transform(
            self,
            X: SamplesLike,
            y: ArrayLike | None = None,
            *,
            eval_set: tuple[SamplesLike, ArrayLike | None] | None = None,
            X_val: SamplesLike | None = None,
            y_val: ArrayLike | None = None,
            **weights: Unpack[FitWeights],
        ) -> NDArray[np.uint8]:
            """Fit, and compute the codes of the training samples."""
            ...

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: SamplesLike,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        **weights: Unpack[FitWeights],
    ) -> Self:
        """Train for one epoch on some samples at a constant learning rate; the first call builds the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), images or torch Dataset
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All class labels of all calls; required in the first call if its `y` lacks some.
        **weights
            As in `fit`: `sample_weight`.

        Returns
        -------
        self : object
            The hasher. Attributes of training codes, such as the votes in `predict`, are those of the last call's
            samples.
        """
        train_epoch(self, X, y, classes, weights)
        return self

    @available_if(was_given_labels)
    def predict(self, X: SamplesLike) -> NDArray[Any]:
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
        criterion: Any = self.module_.criterion
        if is_dask(X) or not hasattr(criterion, "class_scores") or self.multilabel_:
            return super().predict(X)
        return predict_by_scores(self, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._needs_labels
        return tags


DeepHasher.__doc__ = document_parameters(DeepHasher.__doc__)
