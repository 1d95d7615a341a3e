"""Optimisers and learning-rate schedules by name."""

import torch
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, OneCycleLR

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
        Whose parameters to optimise, without those of a frozen backbone or without gradient.
    learning_rate : float
        Of the head.
    backbone_lr_ratio : float, default=1.0
        Learning rate of the backbone, as a share of the head's.
    weight_decay : float, default=0.0
        Weight decay.

    Returns
    -------
    optimizer : torch.optim.Optimizer
        The optimiser.
    """
    check_option("name", name, tuple(OPTIMIZERS))
    backbone = list(network.backbone.parameters())
    taken = {id(parameter) for parameter in backbone}
    backbone = [parameter for parameter in backbone if parameter.requires_grad]
    rest = [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
    groups = [{"params": rest, "lr": learning_rate}]
    if backbone and not network.frozen:
        groups.append({"params": backbone, "lr": learning_rate * backbone_lr_ratio})
    return OPTIMIZERS[name](groups, weight_decay=weight_decay)


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
    steps_per_epoch : int
        Batches in each.

    Returns
    -------
    schedule : torch.optim.lr_scheduler.LRScheduler
        The schedule.
    """
    steps = Steps() if name == "step" else name
    if isinstance(steps, Steps):
        ends = range(steps.every, epochs, steps.every) if steps.every else [round(at * epochs) for at in steps.at]
        return MultiStepLR(optimizer, milestones=[end * steps_per_epoch for end in ends], gamma=steps.factor)
    check_option("name", name, SCHEDULES)
    if name == "one_cycle":
        maxima = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=maxima, total_steps=max(epochs * steps_per_epoch, 2))
    return LambdaLR(optimizer, lambda step: 1.0)
