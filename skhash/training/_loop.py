"""One pass over the data: batches, loss, gradient, step. All methods train through here."""

import functools
import inspect
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skhash.training._batches import ShuffledBatches


@dataclass(frozen=True)
class Batch:
    """What a method's loss is given.

    Parameters
    ----------
    inputs : Tensor
        Samples as they are, on the device.
    targets : Tensor or None
        Class indices or multi-hot labels.
    rows : ndarray of int64
        Positions of the samples in the training set.
    epoch : int
        Epochs finished before this one.
    generator : torch.Generator
        For whatever the loss draws.
    learning_rate : float
        Of the head, in this step.
    views : tuple of (callable or None, callable or None), default=(None, None)
        Weak and strong, see `resolve_views`.
    """

    inputs: Tensor
    targets: Tensor | None
    rows: np.ndarray
    epoch: int
    generator: torch.Generator
    learning_rate: float
    views: tuple = (None, None)

    def view(self, strength="strong"):
        """Draw a random view of the inputs.

        Parameters
        ----------
        strength : {"strong", "weak"}, default="strong"
            Which of the two kinds.

        Returns
        -------
        inputs : Tensor
            A new one at every call, of the inputs' type of float; the inputs themselves if there are no views.

        Raises
        ------
        TypeError
            If the view is not a tensor of floats.
        ValueError
            If it has other samples, or other channels or features than the inputs.
        """
        draw = self.views[strength == "strong"]
        if draw is None:
            return self.inputs
        view = draw(self.inputs, self.generator)
        if not isinstance(view, Tensor) or not view.is_floating_point():
            got = view.dtype if isinstance(view, Tensor) else type(view).__name__
            raise TypeError(f"views: {draw!r} must give a tensor of floats, got {got}.")
        if view.ndim != self.inputs.ndim or view.shape[:2] != self.inputs.shape[:2]:
            raise ValueError(
                f"views: {draw!r} must keep the samples and their channels or features, got a view of shape "
                f"{tuple(view.shape)} of a batch of shape {tuple(self.inputs.shape)}."
            )
        return view.to(self.inputs)

    def extra_arguments(self, criterion):
        """Choose what a criterion wants to know beside codes and targets.

        Parameters
        ----------
        criterion : nn.Module
            Whose `forward` may have parameters `rows`, `epoch`, `generator` or `batch`, which is all of this.

        Returns
        -------
        arguments : dict
            Values of those that it has.
        """
        return {name: self if name == "batch" else getattr(self, name) for name in _extra_names(type(criterion))}


@functools.cache
def _extra_names(criterion_class):
    parameters = inspect.signature(criterion_class.forward).parameters
    return [name for name in ("rows", "epoch", "generator", "batch") if name in parameters]


@dataclass
class TrainingLoop:
    """Everything that takes part in training; `run_epoch` does it.

    Parameters
    ----------
    network : HashNetwork
        Trained in place, on `device`.
    loss : callable
        `loss(network, batch)` gives a scalar.
    optimizer : torch.optim.Optimizer
        Steps after every batch.
    schedule : torch.optim.lr_scheduler.LRScheduler
        Steps after the optimiser.
    batch_size : int
        Samples in a batch.
    device : torch.device
        Where to compute.
    generator : torch.Generator
        Shuffles, draws views, and is handed to the loss.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm.
    views : tuple of (callable or None, callable or None), default=(None, None)
        What draws weak and strong views of a batch.
    batches : ShuffledBatches, default=None
        Draws the rows of every batch; None shows every row once in an epoch.
    before_step : callable, default=None
        `before_step(network)` sees the gradients before every step.
    after_step : callable, default=None
        `after_step(network)` follows every step, such as `skhash.nn.binary.clip_latent_weights_`.
    """

    network: torch.nn.Module
    loss: object
    optimizer: torch.optim.Optimizer
    schedule: object
    batch_size: int
    device: torch.device
    generator: torch.Generator
    max_grad_norm: float | None = None
    views: tuple = (None, None)
    batches: ShuffledBatches | None = None
    before_step: object = None
    after_step: object = None

    def run_epoch(self, samples, targets, epoch):
        """Train on all batches of an epoch.

        Parameters
        ----------
        samples : Samples
            Training samples.
        targets : Tensor or None
            Their labels, on the device.
        epoch : int
            Epochs finished before.

        Returns
        -------
        loss : float
            Mean over the batches.

        Raises
        ------
        ValueError
            If the loss is no longer finite.
        """
        self.network.train()
        batches = ShuffledBatches(self.batch_size) if self.batches is None else self.batches
        drawn = batches.draw(len(samples), targets, epoch, self.generator)
        losses = [self._step(samples, targets, rows, epoch) for rows in drawn]
        loss = torch.stack(losses).mean().item()
        if not math.isfinite(loss):
            raise ValueError(
                f"The loss became {loss} in epoch {epoch + 1}. Lower learning_rate, set max_grad_norm, or, for "
                "features of a large scale, standardize=True."
            )
        return loss

    def _step(self, samples, targets, rows, epoch):
        inputs = samples.batch(rows).to(self.device)
        batch_targets = None if targets is None else targets[rows.to(self.device)]
        learning_rate = self.optimizer.param_groups[0]["lr"]
        batch = Batch(inputs, batch_targets, rows.numpy(), epoch, self.generator, learning_rate, self.views)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.network, batch)
        loss.backward()
        if self.max_grad_norm is not None:
            trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(trained, self.max_grad_norm)
        if self.before_step is not None:
            self.before_step(self.network)
        self.optimizer.step()
        self.schedule.step()
        if self.after_step is not None:
            self.after_step(self.network)
        return loss.detach()
