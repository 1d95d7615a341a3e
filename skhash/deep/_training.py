"""Training of a deep hasher: in full, or one epoch more."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

import numpy as np

from skhash.deep._ambient import isolated_training
from skhash.deep._assembly import make_network
from skhash.deep._checkpoint import describe_seed, open_checkpoint
from skhash.deep._collapse import warn_of_collapse
from skhash.deep._context import TrainingContext
from skhash.deep._data import (
    FEATURE_ATTRIBUTES,
    choose_eval_set,
    hold_out,
    make_validation,
    read_eval_set,
    read_training_data,
)
from skhash.deep._frozen import behind_backbone
from skhash.deep._state import TRAINING_PARAMETERS, fitted_state, network_to_continue, training_generator
from skhash.deep._weights import finish_weights, keep_weighted, read_weights
from skhash.inputs import SampleSubset
from skhash.training import (
    EarlyStopping,
    FitTask,
    Ranks,
    binary_layers,
    reestimate_batch_norm,
    run_epochs,
    with_callbacks,
)
from skhash.utils import fit_context, local_random_state, restore_on_error

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from skhash.deep._hasher import DeepHasher
    from skhash.deep._weights import FitWeights
    from skhash.inputs import Samples
    from skhash.nn import HashNetwork
    from skhash.utils import Labels, SamplesLike

    _HasherT = TypeVar("_HasherT", bound=DeepHasher)

# Attributes that are set before training succeeds. The network of an earlier fit still needs the old values.
_SET_EARLY = (*FEATURE_ATTRIBUTES, "_made_with")


@with_callbacks
@fit_context(prefer_skip_nested_validation=True)
@isolated_training()
def train(
    hasher: _HasherT,
    X: SamplesLike,
    y: ArrayLike | None = None,
    *,
    eval_set: tuple[SamplesLike, ArrayLike | None] | None = None,
    X_val: SamplesLike | None = None,
    y_val: ArrayLike | None = None,
    wrap_criterion: Callable[[nn.Module, TrainingContext], nn.Module] | None = None,
    wrapper: dict[str, Any] | None = None,
    **weights: Unpack[FitWeights],
) -> _HasherT:
    """Fit a deep hasher, optionally with another loss around its own.

    `DeepHasher.fit` is this function without `wrap_criterion`.

    Parameters
    ----------
    hasher : DeepHasher
        Fitted in place.
    X : array-like of shape (n_samples, n_features), images or torch Dataset
        As in `DeepHasher.fit`.
    y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        As in `DeepHasher.fit`.
    eval_set : tuple of (X_val, y_val), default=None
        As in `DeepHasher.fit`.
    X_val, y_val : array-like, default=None
        As in `DeepHasher.fit`.
    wrap_criterion : callable, default=None
        `wrap_criterion(criterion, context)` returns the criterion of a new network, from the hasher's own criterion and
        the `TrainingContext`. With `warm_start`, a trained network keeps the criterion that it has.
    wrapper : dict, default=None
        Parameters that `wrap_criterion` depends on; training does not go on from checkpoints of others.
    **weights
        As in `DeepHasher.fit`: `sample_weight`.

    Returns
    -------
    hasher : DeepHasher
        The same object.
    """
    resume = hasher.warm_start and hasher.__sklearn_is_fitted__()
    chosen = choose_eval_set(eval_set, X_val, y_val)
    ranks = Ranks.find(hasher.device)
    random_state = _shared_random_state(hasher, ranks)
    seed = describe_seed(hasher, random_state)
    with (
        restore_on_error(hasher, _SET_EARLY),
        training_generator(hasher, random_state) as generator,
        ExitStack() as stack,
    ):
        samples, labels = read_training_data(hasher, X, y, classes=_known_classes(hasher, resume), resume=resume)
        given = read_weights(hasher, weights, labels, len(samples))
        validation = None if chosen is None else read_eval_set(hasher, chosen, samples, labels)
        _check_equal(hasher, samples, labels, given, ranks, validation)
        checkpoint = open_checkpoint(
            hasher,
            samples,
            labels,
            random_state,
            generator,
            weights=given,
            eval_set=validation,
            start=seed,
            wrapper=wrapper,
            resume=resume,
            ranks=ranks,
        )
        if checkpoint is not None:
            stack.callback(checkpoint.close)
        samples, labels, given = keep_weighted(hasher, samples, labels, given, whole=True)
        train_samples, train_labels, train_weights = samples, labels, given
        if hasher.early_stopping and validation is None:
            # Drawn first, so that a warm start with the same seed holds out the same samples.
            kept, held = hold_out(labels, len(samples), hasher.validation_fraction, random_state)
            train_samples, train_labels = _rows_of(samples, labels, kept)
            train_weights = None if given is None else given[kept]
            validation = _rows_of(samples, labels, held)
        context = _make_context(hasher, samples, labels, random_state, generator)
        drawn = finish_weights(hasher, train_weights, train_labels)
        context = replace(context, samples=train_samples, labels=train_labels, checkpoint=checkpoint, weights=drawn)
        network = _get_network(hasher, labels, context, resume=resume, wrap_criterion=wrap_criterion)
        if ranks is not None:
            ranks.start_equal(network)
        task = FitTask(hasher, X, y, context.max_epochs, lambda: _complete_state(hasher, network, samples, labels))
        stopping = EarlyStopping(hasher.n_iter_no_change) if hasher.early_stopping else None
        trained, trained_context = behind_backbone(network, context)
        loop = hasher._make_loop(trained, trained_context)
        history = run_epochs(
            loop,
            trained_context.samples,
            context.targets(loop.device),
            epochs=context.max_epochs,
            validate=None if validation is None else make_validation(network, *validation),
            early_stopping=stopping,
            describe=hasher._make_description(network, context),
            task=task,
            checkpoint=checkpoint,
            verbose=hasher.verbose,
        )
        network.frozen, network.dropout = trained.frozen, trained.dropout
        if binary_layers(network.backbone) and not network.frozen:
            reestimate_batch_norm(network.encoder, train_samples, generator=generator, weights=drawn)
    with restore_on_error(hasher):
        hasher.recipe_ = context.recipe
        hasher.history_ = [*(hasher.history_ if resume else []), *history]
        hasher.n_iter_ = stopping.best_epoch if stopping else len(history)
        hasher._finish(network, replace(context, samples=samples, labels=labels))
    warn_of_collapse(hasher, samples, labels)
    task.end()
    return hasher


@isolated_training()
def train_epoch(
    hasher: DeepHasher, X: SamplesLike, y: ArrayLike | None, classes: ArrayLike | None, weights: FitWeights
) -> None:
    """Train for one epoch at a constant learning rate: a new network, or the one of the last call."""
    if isinstance(hasher.class_weight, str):
        raise ValueError(
            f"class_weight={hasher.class_weight!r} is not supported in partial_fit, which sees a part of the "
            "data: pass a dict, such as one made of the result of sklearn.utils.class_weight.compute_class_weight."
        )
    resume = hasher.__sklearn_is_fitted__()
    if resume or classes is None:
        classes = _known_classes(hasher, resume)
    parameters = {name: getattr(hasher, name) for name in TRAINING_PARAMETERS}
    loop, loop_parameters = getattr(hasher, "_loop", None) or (None, None)
    ranks = Ranks.find(hasher.device)
    random_state = _shared_random_state(hasher, ranks)
    old_generator = None if loop is None else loop.generator
    with restore_on_error(hasher, _SET_EARLY), training_generator(hasher, random_state, old_generator) as generator:
        samples, labels = read_training_data(hasher, X, y, classes=classes, resume=resume)
        given = read_weights(hasher, weights, labels, len(samples))
        _check_equal(hasher, samples, labels, given, ranks)
        samples, labels, given = keep_weighted(hasher, samples, labels, given, whole=False)
        context = _make_context(hasher, samples, labels, random_state, generator)
        drawn = finish_weights(hasher, given, labels)
        context = replace(context, recipe=replace(context.recipe, schedule="constant", resizing=1.0), weights=drawn)
        if loop is not None:
            network_to_continue(hasher, labels)
            network = loop.network
        else:
            network = _get_network(hasher, labels, context, resume=resume)
            if ranks is not None:
                ranks.start_equal(network)
        if loop is None or parameters != loop_parameters:
            loop = hasher._make_loop(network, context)
        loop.weights = drawn  # those of this call's samples
        epoch = len(hasher.history_) if resume else 0
        before = copy.deepcopy(network.state_dict())
        try:
            loss = loop.run_epoch(samples, context.targets(loop.device), epoch)
        except BaseException:
            network.load_state_dict(before)
            network.eval()
            hasher._loop = None
            raise
    with restore_on_error(hasher):
        hasher.recipe_ = replace(context.recipe, max_epochs=1)
        hasher.history_ = [*(hasher.history_ if resume else []), {"epoch": epoch + 1, "loss": loss}]
        hasher.n_iter_ = 1
        hasher._finish(network, context)
        hasher._loop = loop, parameters


def become_fitted(hasher: DeepHasher, network: HashNetwork, context: TrainingContext) -> None:
    """Set the attributes of a fitted hasher, with the codes of all samples of the context."""
    samples, labels = context.samples, context.labels
    network.eval()
    hasher._loop = None
    vars(hasher).pop("classes_", None)
    vars(hasher).update(_complete_state(hasher, network, samples, labels))
    hasher._remember_labels(samples, None if labels is None else labels.decode())
    if labels is not None:
        hasher.classes_ = labels.classes  # `y` of a partial_fit may lack some of them


def _shared_random_state(hasher: DeepHasher, ranks: Ranks | None) -> np.random.RandomState:
    random_state = local_random_state(hasher.random_state)
    return random_state if ranks is None else ranks.share(random_state)


def _check_equal(
    hasher: DeepHasher,
    samples: Samples,
    labels: Labels | None,
    weights: NDArray[np.float64] | None,
    ranks: Ranks | None,
    eval_set: tuple[Samples, Labels] | None = None,
) -> None:
    """Refuse to train together on data that differ between the processes, as far as is seen without reading all."""
    if ranks is None:
        return
    parts = (type(hasher).__qualname__, hasher.bits, len(samples), tuple(samples.sample_shape), labels is None)
    key = hashlib.sha256(repr(parts).encode())
    if labels is not None:
        key.update(repr(labels.classes.tolist()).encode() + np.asarray(labels.codes, dtype=np.int64).tobytes())
    if weights is not None:
        key.update(b"weights" + weights.tobytes())
    if eval_set is not None:  # another score would stop one process earlier
        key.update(f"eval_set {len(eval_set[0])}".encode() + np.asarray(eval_set[1].codes, dtype=np.int64).tobytes())
    ranks.check_equal(key.digest())


def _make_context(
    hasher: DeepHasher,
    samples: Samples,
    labels: Labels | None,
    random_state: np.random.RandomState,
    generator: torch.Generator,
) -> TrainingContext:
    recipe = hasher._choose_recipe(samples, labels)
    return TrainingContext(samples, labels, recipe, random_state, generator, hasher._choose_views(samples))


def _get_network(
    hasher: DeepHasher,
    labels: Labels | None,
    context: TrainingContext,
    *,
    resume: bool,
    wrap_criterion: Callable[[nn.Module, TrainingContext], nn.Module] | None = None,
) -> HashNetwork:
    """Return a copy of the trained network, or a new one that is ready for training."""
    if resume:
        return copy.deepcopy(network_to_continue(hasher, labels))
    network = make_network(hasher, context)
    if wrap_criterion is not None:
        device = next(network.parameters()).device
        network.criterion = wrap_criterion(network.criterion, context).to(device)
    hasher._made_with = hasher._network_parameters()
    hasher._prepare(network, context)
    return network


def _complete_state(
    hasher: DeepHasher, network: HashNetwork, samples: Samples, labels: Labels | None
) -> dict[str, Any]:
    inference = hasher._choose_inference(network, samples)
    return {**fitted_state(hasher, network, samples, labels), "inference_": inference}


def _known_classes(hasher: DeepHasher, resume: bool) -> ArrayLike | None:
    return getattr(hasher, "classes_", None) if resume else None


def _rows_of(samples: Samples, labels: Labels | None, rows: NDArray[np.int64]) -> tuple[Samples, Labels]:
    assert labels is not None  # `hold_out` has checked it
    return cast("Samples", SampleSubset(samples, rows)), labels[rows]
