"""Optimisers and learning-rate schedules by name."""

import itertools

import torch
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, OneCycleLR

from skhash.training._binary import binary_layers
from skhash.training._recipes import Steps
from skhash.utils import check_option

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": lambda groups, **options: torch.optim.SGD(groups, momentum=0.9, nesterov=True, **options),
}
SCHEDULES = ("step", "one_cycle", "constant")


def make_optimizer(name, network, *, learning_rate, backbone_lr_ratio=1.0, weight_decay=0.0):
    """Make an optimiser with one group for the backbone and one for the rest: the head and whatever the loss learns.

    Parameters
    ----------
    name : {"adam", "adamw", "rmsprop", "sgd"}
        SGD has Nesterov momentum 0.9.
    network : HashNetwork
        Whose parameters to optimise, without those of a frozen backbone or without gradient. Its criterion may have an
        attribute `lr_ratio`: the learning rate of its parameters as a share of the head's.
    learning_rate : float
        Of the head.
    backbone_lr_ratio : float, default=1.0
        Learning rate of the backbone, as a share of the head's.
    weight_decay : float, default=0.0
        Weight decay. A network with binary layers has it in real weight matrices only: decay of latent weights changes
        no sign but how easily they flip.

    Returns
    -------
    optimizer : torch.optim.Optimizer
        The optimiser.
    """
    check_option("name", name, tuple(OPTIMIZERS))
    loss_ratio = getattr(network.criterion, "lr_ratio", 1.0)
    head, backbone, loss = _split_parameters(network, loss_apart=loss_ratio != 1)
    groups = [{"params": head, "lr": learning_rate}]
    for parameters, ratio in ((backbone, backbone_lr_ratio), (loss, loss_ratio)):
        if parameters:
            groups.append({"params": parameters, "lr": learning_rate * ratio})
    if weight_decay and (layers := binary_layers(network)):
        latent = {id(layer.weight) for layer in layers}
        groups = [part for group in groups for part in _split_decay(group, latent)]
    return OPTIMIZERS[name](groups, weight_decay=weight_decay)


def _split_parameters(network, loss_apart):
    """Split the parameters that receive a gradient into those of the head, the backbone and the loss.

    Without `loss_apart` those of the loss are with the head. A frozen backbone has none.
    """
    backbone = {id(p) for p in network.backbone.parameters()}
    loss = {id(p) for p in network.criterion.parameters()} if loss_apart else set()
    parts = {"head": [], "backbone": [], "loss": []}
    for parameter in network.parameters():
        if parameter.requires_grad:
            part = "backbone" if id(parameter) in backbone else "loss" if id(parameter) in loss else "head"
            parts[part].append(parameter)
    return parts["head"], [] if network.frozen else parts["backbone"], parts["loss"]


def _split_decay(group, latent):
    """Split off the parameters that are spared: latent weights, and vectors, which are thresholds, slopes and norms."""
    parts = {True: [], False: []}
    for parameter in group["params"]:
        spared = id(parameter) in latent or max(parameter.shape, default=1) == parameter.numel()
        parts[spared].append(parameter)
    groups = [{**group, "params": parts[False]}, {**group, "params": parts[True], "weight_decay": 0.0}]
    return [part for part in groups if part["params"]]


def make_schedule(name, optimizer, *, epochs, steps_per_epoch):
    """Make a learning-rate schedule that is stepped after every batch.

    Parameters
    ----------
    name : {"step", "one_cycle", "constant"} or Steps
        A tenth of the learning rate after 80 % of the epochs; torch's one-cycle policy with the learning rate as its
        maximum (up to 30 % of the steps, then down along a cosine); a constant learning rate; or other steps.
    optimizer : torch.optim.Optimizer
        Whose learning rates to change.
    epochs : int
        Planned epochs.
    steps_per_epoch : int or sequence of int
        Batches in each; a sequence has one number per epoch.

    Returns
    -------
    schedule : torch.optim.lr_scheduler.LRScheduler
        The schedule.
    """
    per_epoch = [steps_per_epoch] * epochs if isinstance(steps_per_epoch, int) else steps_per_epoch
    passed = [0, *itertools.accumulate(per_epoch)]  # after so many epochs
    steps = Steps() if name == "step" else name
    if isinstance(steps, Steps):
        ends = range(steps.every, epochs, steps.every) if steps.every else [round(at * epochs) for at in steps.at]
        return MultiStepLR(optimizer, milestones=[passed[end] for end in ends], gamma=steps.factor)
    check_option("name", name, SCHEDULES)
    if name == "one_cycle":
        maxima = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=maxima, total_steps=max(passed[-1], 2))
    return LambdaLR(optimizer, lambda step: 1.0)
