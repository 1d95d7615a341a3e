"""ODH's warm-up: a network of real weights that classifies, whose class embeddings the hash centers come from."""

import copy
import math

import torch
from torch import nn

from skhash.losses import ClassEmbeddings, soft_cross_entropy, to_multi_hot
from skhash.nn import HashNetwork, Standardize, build, make_backbone
from skhash.training import ShuffledBatches, TrainingLoop, make_optimizer, make_schedule

_BATCH_SIZE = 64
_MEAN_ROWS = 4096


class _CrossEntropy(nn.Module):
    def forward(self, z, targets):
        return soft_cross_entropy(z, targets)


def make_classifier(backbone, samples, n_classes, generator):
    """Make the untrained classifier.

    Parameters
    ----------
    backbone : {"auto", "small_cnn", "mlp"}, nn.Module, callable or None
        As of `DeepHasher`; "auto" is "small_cnn" for images and "mlp" for features. A module gets inputs as they are.
    samples : Samples
        Training samples.
    n_classes : int
        Number of classes.
    generator : torch.Generator
        Draws weights, and the samples to standardise by.

    Returns
    -------
    classifier : HashNetwork
        Whose "continuous codes" are logits.
    """
    shape = tuple(samples.sample_shape)
    if isinstance(backbone, str) and backbone == "auto":
        backbone = "small_cnn" if len(shape) == 3 else "mlp"
    backbone = copy.deepcopy(backbone) if isinstance(backbone, nn.Module) else backbone
    network, in_features = make_backbone(backbone, shape, generator, name="warm_up")
    preprocess = None
    if backbone is None or isinstance(backbone, str):
        rows = torch.randperm(len(samples), generator=generator)[: max(2**24 // math.prod(shape), 1)]
        preprocess = Standardize(shape).fit(samples.batch(rows))
    head = build(ClassEmbeddings, in_features, n_classes, generator=generator)
    return HashNetwork(network, head, _CrossEntropy(), preprocess)


@torch.no_grad()
def start_at_class_means(classifier, samples, targets):
    """Give a classifier without a backbone the class means of its inputs for embeddings, less the mean of all.

    Classes without samples keep those that they have.

    Parameters
    ----------
    classifier : HashNetwork
        Changed in place.
    samples : Samples
        Training samples.
    targets : Tensor
        Class indices or multi-hot labels, on the device.
    """
    embeddings = classifier.head.embeddings
    member = to_multi_hot(targets, len(embeddings)).to(embeddings.dtype)
    sums, total = torch.zeros_like(embeddings), 0.0
    for start in range(0, len(samples), _MEAN_ROWS):
        rows = torch.arange(start, min(start + _MEAN_ROWS, len(samples)))
        features = classifier.eval().features(samples.batch(rows).to(embeddings.device))
        sums += member[rows].T @ features
        total = total + features.sum(dim=0)
    sizes = member.sum(dim=0)[:, None]
    embeddings.copy_(torch.where(sizes > 0, sums / sizes.clamp(min=1) - total / len(samples), embeddings))


def warm_up(
    classifier,
    samples,
    targets,
    *,
    epochs,
    learning_rate,
    schedule,
    weight_decay,
    views,
    generator,
    beta1=0.9,
    max_grad_norm=None,
):
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
        At its highest.
    schedule : str or Steps
        Of the learning rate, see `make_schedule`.
    weight_decay : float
        Weight decay.
    views : tuple of (callable or None, callable or None)
        Weak and strong; the strong ones are trained on.
    generator : torch.Generator
        Shuffles, and draws views.
    beta1 : float, default=0.9
        Adam's share of the mean gradient that it keeps; a one-cycle schedule sets its own.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm.
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
    )
    for epoch in range(epochs):
        loop.run_epoch(samples, targets, epoch)
    classifier.eval()
    classifier.frozen = True
    classifier.backbone.requires_grad_(False)
