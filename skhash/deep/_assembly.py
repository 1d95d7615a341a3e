"""Assembly: the recipe, the network and the training loop, from a hasher's parameters and hooks."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from skhash.deep._neighborhoods import choose_loss
from skhash.nn import HashNetwork, Standardize, build, make_backbone, takes_any_size
from skhash.training import (
    LatentClip,
    Ranks,
    Recipe,
    Resizing,
    TrainingLoop,
    binary_layers,
    check_recipe,
    dropout_for,
    epochs_for,
    make_optimizer,
    make_schedule,
    resolve_device,
    resolve_precision,
)
from skhash.utils import check_option

if TYPE_CHECKING:
    from skhash.deep._context import TrainingContext
    from skhash.deep._hasher import DeepHasher
    from skhash.inputs import Samples

# `Standardize` is fitted on at most this many numbers (64 MB) and this many samples.
_STANDARDIZE_VALUES = 2**24
_STANDARDIZE_ROWS = 8192


def resolve_recipe(hasher: DeepHasher, recipes: Mapping[str, Recipe | tuple[Recipe, ...]], samples: Samples) -> Recipe:
    """Return the recipe with the hasher's parameters that are not None in place, and every "auto" resolved."""
    recipe = hasher.recipe
    images = samples.kind == "images"
    if isinstance(recipe, str):
        check_option("recipe", recipe, recipes)
        recipe = recipes[recipe]
    if isinstance(recipe, tuple):
        # A third recipe is for a new `SmallCNN`; a binary network or one of the user's has that of images.
        small = images and isinstance(hasher.backbone, str) and hasher.backbone in ("auto", "small_cnn")
        recipe = recipe[-1 if small else images]
    recipe = check_recipe(recipe.override(hasher))
    # A user's backbone expects unscaled inputs.
    standardizes = hasher._uses_library_backbone() or bool(hasher.standardize)
    recipe = replace(recipe, standardize=standardizes and (images or recipe.standardize))
    if recipe.dropout == "auto":
        recipe = replace(recipe, dropout=0.0 if images else dropout_for(samples.sample_shape[0]))
    if recipe.max_epochs == "auto":
        recipe = replace(recipe, max_epochs=epochs_for(len(samples), recipe.batch_size))
    return recipe


def make_network(hasher: DeepHasher, context: TrainingContext) -> HashNetwork:
    """Build the untrained network and move it to the device."""
    # The criterion is first because `OneBitDeepHasher` trains a classifier for it, which draws from the generator.
    criterion = hasher._make_criterion(context)
    shape, generator = context.sample_shape, context.generator
    backbone = hasher._choose_backbone(shape)
    backbone = copy.deepcopy(backbone) if isinstance(backbone, nn.Module) else backbone
    backbone, in_features = make_backbone(backbone, shape, generator, integer_pixels=context.samples.integer)
    new = hasher._uses_library_backbone() and any(True for _ in backbone.parameters())
    if new and context.recipe.backbone_lr_ratio == 0 and hasher.backbone_lr_ratio is None:
        warnings.warn(
            "The recipe freezes the backbone, but this backbone is new and has random weights: pass a pretrained "
            "backbone, or backbone_lr_ratio=1 to train it.",
            stacklevel=2,
        )
    preprocess = None if getattr(backbone, "takes_pixels", False) else _make_preprocess(hasher, context)
    head = build(hasher._make_head, in_features, generator=generator)
    return HashNetwork(backbone, head, criterion, preprocess).to(resolve_device(hasher.device))


def _make_preprocess(hasher: DeepHasher, context: TrainingContext) -> Standardize | None:
    shape, generator = context.sample_shape, context.generator
    common_scale = not context.recipe.standardize
    if common_scale and not (hasher._centers_features and len(shape) == 1 and hasher._uses_library_backbone()):
        return None
    n_rows = max(min(_STANDARDIZE_VALUES // math.prod(shape), _STANDARDIZE_ROWS), 1)
    rows = torch.randperm(len(context.samples), generator=generator)[:n_rows]
    dtype = torch.float64 if len(shape) == 1 else torch.float32
    return Standardize(shape, common_scale=common_scale).fit(context.samples.batch(rows, dtype))


def choose_precision(
    backbone: nn.Module, precision: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> torch.dtype | None:
    """Resolve a `precision` parameter for a backbone, see `resolve_precision`.

    Parameters
    ----------
    backbone : nn.Module
        The backbone; "auto" is never "bfloat16" for one of the user's.
    precision : {"auto", "float32", "bfloat16"}
        The parameter.
    device : torch.device
        Device to train on.

    Returns
    -------
    dtype : torch.dtype or None
        What the attribute `autocast_dtype` of a `HashNetwork` is set to.
    """
    return resolve_precision(precision, device, automatic=takes_any_size(backbone))


def choose_size(backbone: nn.Module, context: TrainingContext, epochs: int) -> Callable[[int], tuple[int, int]] | None:
    """Return the size of the training images by epoch.

    Parameters
    ----------
    backbone : nn.Module
        The backbone.
    context : TrainingContext
        Its recipe has the plan, its samples have the full size.
    epochs : int
        Number of planned epochs.

    Returns
    -------
    size : callable or None
        `size(epoch)` is (height, width); None if all epochs have full images, as for features and for backbones that
        take images of one size only.
    """
    resizing = context.recipe.resizing
    if not isinstance(resizing, Resizing):
        resizing = Resizing(resizing)
    if len(context.sample_shape) != 3 or resizing.initial == 1 or not takes_any_size(backbone):
        return None
    _, height, width = context.sample_shape
    return lambda epoch: resizing.size(epoch, epochs, (height, width))


def make_loop(hasher: DeepHasher, network: HashNetwork, context: TrainingContext) -> TrainingLoop:
    """Build the training loop of a network: optimizer, schedule, batches, views."""
    recipe = context.recipe
    network.frozen = recipe.backbone_lr_ratio == 0
    assert not isinstance(recipe.dropout, str)  # "auto" is resolved
    network.dropout = recipe.dropout
    device = next(network.parameters()).device
    network.autocast_dtype = None if network.frozen else choose_precision(network.backbone, hasher.precision, device)
    optimizer = make_optimizer(
        recipe.optimizer,
        network,
        learning_rate=recipe.learning_rate,
        backbone_lr_ratio=recipe.backbone_lr_ratio,
        weight_decay=recipe.weight_decay,
    )
    batches = hasher._make_batches(context)
    steps = [batches.steps(len(context.samples), epoch) for epoch in range(context.max_epochs)]
    return TrainingLoop(
        network=network,
        loss=choose_loss(hasher, context),
        optimizer=optimizer,
        schedule=make_schedule(recipe.schedule, optimizer, epochs=context.max_epochs, steps_per_epoch=steps),
        batch_size=recipe.batch_size,
        device=device,
        generator=context.generator,
        max_grad_norm=hasher.max_grad_norm,
        views=context.views,
        batches=batches,
        weights=context.weights,
        size=choose_size(network.backbone, context, context.max_epochs),
        after_step=LatentClip(network) if binary_layers(network) else None,
        ranks=Ranks.find(hasher.device),
        ambient=not hasher._draws_by_generator(),
        compile=hasher.compile,
    )
