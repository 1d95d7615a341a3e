"""One pass over the data for all methods: batches, loss, gradient, step."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skhash.training._batches import ShuffledBatches, draw_weighted_rows
from skhash.training._compilation import compile_parts
from skhash.training._memory import keep_freed_memory
from skhash.training._resizing import resize

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LRScheduler

    from skhash.inputs import Samples
    from skhash.training._ranks import Ranks

Views: TypeAlias = "Callable[[Tensor, torch.Generator], Tensor]"


@dataclass(frozen=True)
class Batch:
    """Argument of a method's loss: a batch and its circumstances.

    Parameters
    ----------
    inputs : Tensor
        Samples as they are, on the device.
    targets : Tensor or None
        Class indices or multi-hot labels.
    rows : ndarray of int64
        Positions of the samples in the training set.
    epoch : int
        Number of epochs finished before this one.
    generator : torch.Generator
        Generator for all random draws of the loss.
    learning_rate : float
        Learning rate of the head in this step.
    views : tuple of (callable or None, callable or None), default=(None, None)
        Weak and strong views, see `resolve_views`.
    size : tuple of (int, int), default=None
        Height and width to which views of images are scaled; None leaves them as they are.
    """

    inputs: Tensor
    targets: Tensor | None
    rows: NDArray[np.int64]
    epoch: int
    generator: torch.Generator
    learning_rate: float
    views: tuple[Views | None, Views | None] = (None, None)
    size: tuple[int, int] | None = None

    def view(self, strength: Literal["strong", "weak"] = "strong") -> Tensor:
        """Draw a random view (augmentation) of the inputs.

        Parameters
        ----------
        strength : {"strong", "weak"}, default="strong"
            Which of the two kinds.

        Returns
        -------
        inputs : Tensor
            A new view at every call, of the inputs' dtype; without views the inputs themselves. Scaled to `size`.

        Raises
        ------
        TypeError
            If the view is not a tensor of floats.
        ValueError
            If it differs from the inputs in the number of samples, channels or features.
        """
        draw = self.views[strength == "strong"]
        if draw is None:
            return resize(self.inputs, self.size)
        view = draw(self.inputs, self.generator)
        if not isinstance(view, Tensor) or not view.is_floating_point():
            got = view.dtype if isinstance(view, Tensor) else type(view).__name__
            raise TypeError(f"views: {draw!r} must return a tensor of floats, got {got}.")
        if view.ndim != self.inputs.ndim or view.shape[:2] != self.inputs.shape[:2]:
            raise ValueError(
                f"views: {draw!r} must keep the number of samples and of their channels or features, got a view of "
                f"shape {tuple(view.shape)} of a batch of shape {tuple(self.inputs.shape)}."
            )
        return resize(view.to(self.inputs), self.size)

    def extra_arguments(self, criterion: nn.Module) -> dict[str, Any]:
        """Return the arguments that a criterion accepts in addition to codes and targets.

        Parameters
        ----------
        criterion : nn.Module
            Criterion whose `forward` may have parameters `rows`, `epoch`, `generator` and `batch` (this object).

        Returns
        -------
        arguments : dict
            Values of those parameters that it has.
        """
        return {name: self if name == "batch" else getattr(self, name) for name in _extra_names(type(criterion))}


@functools.cache
def _extra_names(criterion_class: type[nn.Module]) -> list[str]:
    parameters = inspect.signature(criterion_class.forward).parameters
    return [name for name in ("rows", "epoch", "generator", "batch") if name in parameters]


@dataclass
class TrainingLoop:
    """Training of one epoch: the network, its loss, and everything that takes part.

    Parameters
    ----------
    network : HashNetwork
        Trained in place, on `device`.
    loss : callable
        `loss(network, batch)` returns a scalar.
    optimizer : torch.optim.Optimizer
        Steps after every batch.
    schedule : torch.optim.lr_scheduler.LRScheduler
        Steps after the optimizer.
    batch_size : int
        Samples in a batch.
    device : torch.device
        Device on which to train.
    generator : torch.Generator
        Shuffles the rows, draws views, and is passed to the loss.
    max_grad_norm : float, default=None
        Longer gradients are scaled down to this norm.
    views : tuple of (callable or None, callable or None), default=(None, None)
        Weak and strong views of a batch.
    batches : ShuffledBatches, default=None
        Draws the rows of every batch; None draws every row once in an epoch.
    weights : Tensor of float64 of shape (n_samples,), default=None
        Positive weights of the samples. An epoch consists of as many samples, drawn in proportion to their weights: one
        comes `n * weight / sum(weights)` times, rounded down or up. None is each sample once.
    size : callable, default=None
        `size(epoch)` returns height and width of the images of an epoch; None leaves them as they are.
    before_step : callable, default=None
        `before_step(network)` is called before every step, when the gradients are known.
    after_step : callable, default=None
        `after_step(network)` is called after every step, such as `skhash.nn.binary.clip_latent_weights_`.
    ranks : Ranks, default=None
        The processes that share the work of the backbone.
    ambient : bool, default=False
        Whether the network may draw from torch's global generator; of interest if there are `ranks`.
    compile : bool, default=False
        Whether backbone and head run compiled by `torch.compile`.
    """

    network: nn.Module
    loss: Callable[[Any, Batch], Tensor]
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    batch_size: int
    device: torch.device
    generator: torch.Generator
    max_grad_norm: float | None = None
    views: tuple[Views | None, Views | None] = (None, None)
    batches: ShuffledBatches | None = None
    weights: Tensor | None = None
    size: Callable[[int], tuple[int, int]] | None = None
    before_step: Callable[[Any], object] | None = None
    after_step: Callable[[Any], object] | None = None
    ranks: Ranks | None = None
    ambient: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.compile and self.ranks is not None:
            raise ValueError("compile=True cannot be combined with a device that is a Fabric of several processes.")
        self._compiled = compile_parts(self.network) if self.compile else {}
        backbone = getattr(self.network, "backbone", None)
        self._shared = {id(parameter) for parameter in (() if backbone is None else backbone.parameters())}

    def run_epoch(self, samples: Samples, targets: Tensor | None, epoch: int) -> float:
        """Train on all batches of an epoch.

        Parameters
        ----------
        samples : Samples
            Training samples.
        targets : Tensor or None
            Their labels, on the device.
        epoch : int
            Number of epochs finished before.

        Returns
        -------
        loss : float
            Mean loss over the batches.

        Raises
        ------
        ValueError
            If the loss is no longer finite, or a trained parameter is not after the last step.
        """
        keep_freed_memory()
        self.network.train()
        drawn = self._draw(len(samples), targets, epoch)
        dtype = getattr(self.network, "input_dtype", torch.float32)
        size = None if self.size is None else self.size(epoch)
        with self._equipped():
            losses = [self._step(samples.batch(rows, dtype), targets, rows, epoch, size) for rows in drawn]
        loss = torch.stack(losses).mean().item()
        trouble = None if math.isfinite(loss) else f"The loss became {loss}"
        # The last step may diverge after the last loss was computed.
        finite = [parameter.detach().isfinite().all() for parameter in self._trained()]
        if trouble is None and finite and not torch.stack(finite).all():
            trouble = "The weights became infinite or NaN"
        if trouble is not None:
            raise ValueError(
                f"{trouble} in epoch {epoch + 1}. Lower learning_rate, set max_grad_norm, or, for features of a large "
                "scale, standardize=True."
            )
        return loss

    @contextmanager
    def _equipped(self) -> Iterator[None]:
        """Let the network run compiled, and on a share of each batch, until the end of the block."""
        equipment: dict[str, Any] = dict(self._compiled)
        if self.ranks is not None and self._shared:
            equipment["run_share"] = functools.partial(self.ranks.run, ambient=self.ambient)
        vars(self.network).update(equipment)
        try:
            yield
        finally:
            for name in equipment:
                vars(self.network).pop(name, None)

    def _draw(self, n_samples: int, targets: Tensor | None, epoch: int) -> list[Tensor]:
        """Draw the rows of the batches of an epoch."""
        batches = ShuffledBatches(self.batch_size) if self.batches is None else self.batches
        if self.weights is None:
            return batches.draw(n_samples, targets, epoch, self.generator)
        # Batches, groups of a class included, are those of the data with rows repeated and left out.
        rows = draw_weighted_rows(self.weights, self.generator)
        targets = None if targets is None else targets[rows.to(targets.device)]
        return [rows[batch] for batch in batches.draw(n_samples, targets, epoch, self.generator)]

    def _trained(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _step(
        self, inputs: Tensor, targets: Tensor | None, rows: Tensor, epoch: int, size: tuple[int, int] | None
    ) -> Tensor:
        inputs = inputs.to(self.device)
        batch_targets = None if targets is None else targets[rows.to(self.device)]
        learning_rate = self.optimizer.param_groups[0]["lr"]
        batch = Batch(inputs, batch_targets, rows.numpy(), epoch, self.generator, learning_rate, self.views, size)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.network, batch)
        loss.backward()
        if self.ranks is not None:
            self.ranks.add_gradients(self._trained(), self._shared)
        if self.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._trained(), self.max_grad_norm)
        if self.before_step is not None:
            self.before_step(self.network)
        self.optimizer.step()
        self.schedule.step()
        if self.after_step is not None:
            self.after_step(self.network)
        # Still a tensor: `item()` would wait for the device after every batch.
        return loss.detach()
