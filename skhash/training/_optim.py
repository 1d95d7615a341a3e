"""Optimisers and learning-rate schedules by name."""

import torch
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, OneCycleLR

from skhash.utils import check_option

_OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda groups, **options: torch.optim.SGD(groups, momentum=0.9, nesterov=True, **options),
}
_STEP_AT, _STEP_BY = 0.8, 0.1


def make_optimizer(name, network, *, learning_rate, backbone_lr_ratio=1.0, weight_decay=0.0):
    """Make an optimiser with one group for the backbone and one for the rest: the head and whatever the loss learns.

    Parameters
    ----------
    name : {"adam", "adamw", "sgd"}
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
    check_option("name", name, tuple(_OPTIMIZERS))
    backbone = list(network.backbone.parameters())
    taken = {id(parameter) for parameter in backbone}
    backbone = [parameter for parameter in backbone if parameter.requires_grad]
    rest = [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
    groups = [{"params": rest, "lr": learning_rate}]
    if backbone and not network.frozen:
        groups.append({"params": backbone, "lr": learning_rate * backbone_lr_ratio})
    return _OPTIMIZERS[name](groups, weight_decay=weight_decay)


def make_schedule(name, optimizer, *, epochs, steps_per_epoch):
    """Make a learning-rate schedule that is stepped after every batch.

    Parameters
    ----------
    name : {"step", "one_cycle"} or None
        A tenth of the learning rate after 80 % of the epochs; torch's one-cycle policy with the learning rate as its
        maximum (up to 30 % of the steps, then down along a cosine); or a constant learning rate.
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
    check_option("name", name, ("step", "one_cycle", None))
    if name == "one_cycle":
        maxima = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, max_lr=maxima, total_steps=max(epochs * steps_per_epoch, 2))
    if name == "step":
        return MultiStepLR(optimizer, milestones=[round(_STEP_AT * epochs) * steps_per_epoch], gamma=_STEP_BY)
    return LambdaLR(optimizer, lambda step: 1.0)
