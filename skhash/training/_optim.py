"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from skhash.training._binary import binary_layers
from skhash.training._recipes import Steps
from skhash.utils import check_option

if TYPE_CHECKING:
    from skhash.nn import HashNetwork

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": lambda groups, **options: torch.optim.SGD(groups, momentum=0.9, nesterov=True, **options),
}
# All with a fused step: one kernel updates all parameters, where the others pass over them once for each operation.
_FUSED = ("adam", "adamw", "sgd")
SCHEDULES = ("step", "one_cycle", "constant")


def make_optimizer(
    name: Literal["adam", "adamw", "rmsprop", "sgd"],
    network: HashNetwork,
    *,
    learning_rate: float,
    backbone_lr_ratio: float = 1.0,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Make an optimizer with one group for the backbone and one for the head and the loss's learned parameters.

    Parameters
    ----------
    name : {"adam", "adamw", "rmsprop", "sgd"}
        Name of the optimizer. SGD has Nesterov momentum 0.9.
    network : HashNetwork
        Network whose parameters are optimized, except those of a frozen backbone and those without gradient. If its
        criterion has an attribute `lr_ratio`, the criterion's parameters have a group of their own, with this share of
        the head's learning rate.
    learning_rate : float
        Learning rate of the head.
    backbone_lr_ratio : float, default=1.0
        Learning rate of the backbone, as a share of the head's.
    weight_decay : float, default=0.0
        Weight decay. In a network with binary layers it applies to real weight matrices only: decay of latent weights
        does not change signs but how easily they flip.

    Returns
    -------
    optimizer : torch.optim.Optimizer
        The optimizer.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    check_option("name", name, tuple(OPTIMIZERS))
    loss_ratio = getattr(network.criterion, "lr_ratio", 1.0)
    head, backbone, loss = _split_parameters(network, loss_apart=loss_ratio != 1)
    groups: list[dict[str, Any]] = [{"params": head, "lr": learning_rate}]
    for parameters, ratio in ((backbone, backbone_lr_ratio), (loss, loss_ratio)):
        if parameters:
            groups.append({"params": parameters, "lr": learning_rate * ratio})
    if weight_decay and (layers := binary_layers(network)):
        latent = {id(layer.weight) for layer in layers}
        groups = [part for group in groups for part in _split_decay(group, latent)]
    fused = _can_fuse(name, network, [parameter for group in groups for parameter in group["params"]])
    return OPTIMIZERS[name](groups, weight_decay=weight_decay, **({"fused": True} if fused else {}))


def _can_fuse(name: str, network: nn.Module, parameters: Sequence[nn.Parameter]) -> bool:
    """Return whether torch can step all these parameters by one kernel."""
    if name not in _FUSED or any(getattr(module, "sparse", False) for module in network.modules()):
        return False  # fused steps refuse sparse gradients
    kinds = {(parameter.device, parameter.dtype) for parameter in parameters}
    return all(_has_fused_step(name, device, dtype) for device, dtype in kinds)


@functools.cache
def _has_fused_step(name: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether torch has a fused step on a device, which only a trial tells: it differs by version."""
    parameter = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))
    parameter.grad = torch.ones_like(parameter)
    try:
        OPTIMIZERS[name]([parameter], lr=1.0, fused=True).step()
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return False
    return True


def _split_parameters(
    network: HashNetwork, loss_apart: bool
) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Split the parameters that receive a gradient into those of the head, the backbone and the loss.

    Without `loss_apart` the parameters of the loss are among those of the head. A frozen backbone's are left out.
    """
    backbone = {id(p) for p in network.backbone.parameters()}
    loss = {id(p) for p in network.criterion.parameters()} if loss_apart else set()
    parts: dict[str, list[nn.Parameter]] = {"head": [], "backbone": [], "loss": []}
    for parameter in network.parameters():
        if parameter.requires_grad:
            part = "backbone" if id(parameter) in backbone else "loss" if id(parameter) in loss else "head"
            parts[part].append(parameter)
    return parts["head"], [] if network.frozen else parts["backbone"], parts["loss"]


def _split_decay(group: dict[str, Any], latent: set[int]) -> list[dict[str, Any]]:
    """Split off the parameters without decay: latent weights, and vectors, which are thresholds, slopes and norms."""
    parts: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in group["params"]:
        # Vectors, also those of shape (1, n) or (n, 1, 1): the longest side has all values.
        spared = id(parameter) in latent or max(parameter.shape, default=1) == parameter.numel()
        parts[spared].append(parameter)
    groups = [{**group, "params": parts[False]}, {**group, "params": parts[True], "weight_decay": 0.0}]
    return [part for part in groups if part["params"]]


def make_schedule(
    name: Literal["step", "one_cycle", "constant"] | Steps,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    steps_per_epoch: int | Sequence[int],
) -> LRScheduler:
    """Make a learning-rate schedule that is stepped after every batch.

    Parameters
    ----------
    name : {"step", "one_cycle", "constant"} or Steps
        A tenth of the learning rate after 80 % of the epochs; torch's one-cycle policy with the learning rate as its
        maximum (up to 30 % of the steps, then down along a cosine); a constant learning rate; or other steps.
    optimizer : torch.optim.Optimizer
        Optimizer whose learning rates are changed.
    epochs : int
        Number of planned epochs.
    steps_per_epoch : int or sequence of int
        Batches in each epoch; a sequence has one number per epoch.

    Returns
    -------
    schedule : torch.optim.lr_scheduler.LRScheduler
        The schedule.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    per_epoch = [steps_per_epoch] * epochs if isinstance(steps_per_epoch, int) else steps_per_epoch
    passed = [0, *itertools.accumulate(per_epoch)]  # passed[k]: batches in the first k epochs
    steps = Steps() if name == "step" else name
    if isinstance(steps, Steps):
        ends = range(steps.every, epochs, steps.every) if steps.every else [round(at * epochs) for at in steps.at]
        return MultiStepLR(optimizer, milestones=[passed[end] for end in ends], gamma=steps.factor)
    check_option("name", name, SCHEDULES)
    if name == "one_cycle":
        maxima = [group["lr"] for group in optimizer.param_groups]
        # A single step would have the rate of the schedule's end, which is nearly 0.
        return OneCycleLR(optimizer, max_lr=maxima, total_steps=max(passed[-1], 2))
    return LambdaLR(optimizer, lambda step: 1.0)
