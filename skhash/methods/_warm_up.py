"""ODH's warm-up: it trains a classifier with real weights, from whose class embeddings the hash centers are made."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn

from skhash.deep import choose_precision, choose_size
from skhash.losses import ClassEmbeddings, soft_cross_entropy, to_multi_hot
from skhash.nn import HashNetwork, Standardize, build, make_backbone
from skhash.training import ShuffledBatches, TrainingLoop, make_optimizer, make_schedule

if TYPE_CHECKING:
    from skhash.deep import TrainingContext
    from skhash.inputs import Samples
    from skhash.training import Checkpoint, Ranks

MAX_GRAD_NORM = 5.0  # of the authors, for centers and classifier

_BATCH_SIZE = 64
_MEAN_ROWS = 4096
_OWN: dict[str, Any] = {"learning_rate": 1e-2, "schedule": "one_cycle", "weight_decay": 1e-4}
# The authors never step their one-cycle schedule: learning rate and beta1 keep the values at the start of the cycle.
_PAPER: dict[str, Any] = {
    "learning_rate": 4e-5,
    "schedule": "constant",
    "weight_decay": 1e-5,
    "beta1": 0.95,
    "max_grad_norm": MAX_GRAD_NORM,
}


class _CrossEntropy(nn.Module):
    def forward(self, z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return soft_cross_entropy(z, targets)


def train_classifier(
    backbone: str | nn.Module | Callable[[], nn.Module] | None,
    context: TrainingContext,
    *,
    epochs: int,
    device: torch.device,
    paper: bool,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    ranks: Ranks | None = None,
    compile: bool = False,
) -> HashNetwork:
    """Build and train the classifier.

    Parameters
    ----------
    backbone : {"auto", "small_cnn", "mlp"}, nn.Module, callable or None
        As in `make_classifier`.
    context : TrainingContext
        Its samples, labels, generator and views are used.
    epochs : int
        Passes over the samples.
    device : torch.device
        Device to train on.
    paper : bool
        Whether to train with the settings of the authors.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        As in `DeepHasher`; the classifier keeps it, so that it also teaches in it.
    ranks : Ranks, default=None
        Processes that share the work, see `TrainingLoop`.
    compile : bool, default=False
        Whether its backbone runs compiled in training.

    Returns
    -------
    classifier : HashNetwork
        Trained and frozen, on the CPU.
    """
    classifier = make_classifier(backbone, context.samples, context.n_classes, context.generator).to(device)
    targets = context.targets(device)
    assert targets is not None  # the method requires labels
    if backbone is None:
        start_at_class_means(classifier, context.samples, targets, context.weights)
    options = _PAPER if paper else _OWN
    views, generator = context.views, context.generator
    classifier.autocast_dtype = choose_precision(classifier.backbone, precision, device)
    size = choose_size(classifier.backbone, context, epochs)
    warm_up(
        classifier,
        context.samples,
        targets,
        epochs=epochs,
        views=views,
        generator=generator,
        weights=context.weights,
        size=size,
        ranks=ranks,
        compile=compile,
        checkpoint=context.checkpoint,
        **options,
    )
    return classifier.cpu()


def make_classifier(
    backbone: str | nn.Module | Callable[[], nn.Module] | None,
    samples: Samples,
    n_classes: int,
    generator: torch.Generator,
) -> HashNetwork:
    """Build the untrained classifier.

    Parameters
    ----------
    backbone : {"auto", "small_cnn", "mlp"}, nn.Module, callable or None
        As in `DeepHasher`; "auto" is "small_cnn" for images and "mlp" for features. A module gets inputs without
        standardization.
    samples : Samples
        Training samples.
    n_classes : int
        Number of classes.
    generator : torch.Generator
        Draws weights, and the samples that standardization is computed from.

    Returns
    -------
    classifier : HashNetwork
        Network whose "continuous codes" are logits.
    """
    shape = tuple(samples.sample_shape)
    if isinstance(backbone, str) and backbone == "auto":
        backbone = "small_cnn" if len(shape) == 3 else "mlp"
    backbone = copy.deepcopy(backbone) if isinstance(backbone, nn.Module) else backbone
    network, in_features = make_backbone(backbone, shape, generator, name="warm_up")
    preprocess = None
    if backbone is None or isinstance(backbone, str):
        rows = torch.randperm(len(samples), generator=generator)[: max(2**24 // math.prod(shape), 1)]
        preprocess = Standardize(shape).fit(samples.batch(rows, torch.float64 if len(shape) == 1 else torch.float32))
    head = build(ClassEmbeddings, in_features, n_classes, generator=generator)
    return HashNetwork(network, head, _CrossEntropy(), preprocess)


@torch.no_grad()
def start_at_class_means(
    classifier: HashNetwork, samples: Samples, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> None:
    """Set the embeddings of a classifier without a backbone to the class means of its inputs, minus the overall mean.

    Classes without samples keep their embeddings.

    Parameters
    ----------
    classifier : HashNetwork
        Changed in place.
    samples : Samples
        Training samples.
    targets : Tensor
        Class indices or multi-hot labels, on the device.
    weights : Tensor of shape (n_samples,), default=None
        Weights of the samples in all means; None if they are equal.
    """
    embeddings = cast("ClassEmbeddings", classifier.head).embeddings
    member = to_multi_hot(targets, len(embeddings)).to(embeddings.dtype)
    share = torch.ones_like(member[:, :1])
    if weights is not None:
        share = (weights * (len(weights) / weights.sum())).to(share)[:, None]
        member = member * share
    sums, total = torch.zeros_like(embeddings), 0.0
    for start in range(0, len(samples), _MEAN_ROWS):
        rows = torch.arange(start, min(start + _MEAN_ROWS, len(samples)))
        features = classifier.eval().features(samples.batch(rows, classifier.input_dtype).to(embeddings.device))
        sums += member[rows].T @ features
        total = total + (share[rows] * features).sum(dim=0)
    sizes = member.sum(dim=0)[:, None]
    embeddings.copy_(torch.where(sizes > 0, sums / sizes.where(sizes > 0, 1) - total / len(samples), embeddings))


def warm_up(
    classifier: HashNetwork,
    samples: Samples,
    targets: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    schedule: Any,
    weight_decay: float,
    views: tuple[Any, Any],
    generator: torch.Generator,
    weights: torch.Tensor | None = None,
    size: Callable[[int], tuple[int, int]] | None = None,
    beta1: float = 0.9,
    max_grad_norm: float | None = None,
    checkpoint: Checkpoint | None = None,
    ranks: Ranks | None = None,
    compile: bool = False,
) -> None:
    """Train the classifier.

    Parameters
    ----------
    classifier : HashNetwork
        Trained in place, on the device where it is.
    samples : Samples
        Training samples.
    targets : Tensor
        Class indices or multi-hot labels, on the device.
    epochs : int
        Passes over the samples.
    learning_rate : float
        Largest learning rate.
    schedule : str or Steps
        Schedule of the learning rate, see `make_schedule`.
    weight_decay : float
        Weight decay.
    views : tuple of (callable or None, callable or None)
        Weak and strong random views; training uses the strong ones.
    generator : torch.Generator
        Shuffles the samples and draws views.
    weights : Tensor, default=None
        Weights of the samples, see `TrainingLoop`.
    size : callable, default=None
        Height and width of the images of an epoch, see `TrainingLoop`.
    beta1 : float, default=0.9
        Adam's decay rate of the mean gradient; a one-cycle schedule sets its own.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm.
    checkpoint : Checkpoint, default=None
        Where the state is kept after every epoch.
    ranks : Ranks, default=None
        Processes that share the work, see `TrainingLoop`.
    compile : bool, default=False
        Whether the backbone runs compiled.
    """
    optimizer = make_optimizer("adam", classifier, learning_rate=learning_rate, weight_decay=weight_decay)
    for group in optimizer.param_groups:
        group["betas"] = beta1, group["betas"][1]
    batches = ShuffledBatches(_BATCH_SIZE)
    steps = batches.steps(len(samples), 0)
    loop = TrainingLoop(
        network=classifier,
        loss=lambda network, batch: network.criterion(network(batch.view(), batch.generator), batch.targets),
        optimizer=optimizer,
        schedule=make_schedule(schedule, optimizer, epochs=epochs, steps_per_epoch=steps),
        batch_size=_BATCH_SIZE,
        device=next(classifier.parameters()).device,
        generator=generator,
        max_grad_norm=max_grad_norm,
        views=views,
        batches=batches,
        weights=weights,
        size=size,
        ranks=ranks,
        compile=compile,
    )
    history = [] if checkpoint is None else checkpoint.restore("warm_up", loop)[0]
    for epoch in range(len(history), epochs):
        history.append({"loss": loop.run_epoch(samples, targets, epoch)})
        if checkpoint is not None:
            checkpoint.save("warm_up", loop, history, final=epoch + 1 == epochs)
    classifier.eval()
    classifier.frozen = True
    classifier.backbone.requires_grad_(False)
