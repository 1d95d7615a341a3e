"""The facts of one training run that every hook of a deep hasher receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from skhash.nn import build

if TYPE_CHECKING:
    import numpy as np

    from skhash.inputs import Samples
    from skhash.training import Checkpoint, Recipe
    from skhash.utils import Labels

_ModuleT = TypeVar("_ModuleT", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class TrainingContext:
    """Everything that one training run of a deep hasher depends on.

    The hooks of `DeepHasher` receive it. Samples and labels are those to train on, without held-out validation samples.

    Parameters
    ----------
    samples : Samples
        Training samples; or another class of `skhash.inputs` with the same interface.
    labels : Labels or None
        Their labels; None if the method trains without labels.
    recipe : Recipe
        Epochs, batch size, optimizer and so on, with every "auto" resolved. In `partial_fit`, `max_epochs` is the
        number of epochs that `fit` would train.
    random_state : RandomState instance
        Draws centers and seeds the weights of criteria.
    generator : torch.Generator
        Draws the weights of the network, batches, views and dropout.
    views : tuple of (callable or None, callable or None)
        Random views (augmentations), weak and strong, see `skhash.training.resolve_views`.
    checkpoint : Checkpoint, default=None
        Where the state of each stage of the training is kept.
    weights : Tensor of float64 of shape (n_samples,), default=None
        Positive weights of the samples, in proportion to which `TrainingLoop` draws them; None if all are equal.
    """

    samples: Samples
    labels: Labels | None
    recipe: Recipe
    random_state: np.random.RandomState
    generator: torch.Generator
    views: tuple[Callable[..., torch.Tensor] | None, Callable[..., torch.Tensor] | None]
    checkpoint: Checkpoint | None = None
    weights: torch.Tensor | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of a sample: (n_features,) or (channels, height, width)."""
        return tuple(self.samples.sample_shape)

    @property
    def max_epochs(self) -> int:
        """Number of epochs of the recipe."""
        assert not isinstance(self.recipe.max_epochs, str)  # "auto" is resolved
        return self.recipe.max_epochs

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 without labels."""
        return 0 if self.labels is None else len(self.labels.classes)

    def targets(self, device: torch.device) -> torch.Tensor | None:
        """Return the labels as the tensor that losses take.

        Parameters
        ----------
        device : torch.device
            Where the network is.

        Returns
        -------
        targets : Tensor or None
            Class indices, or a multi-hot matrix of floats; None without labels.
        """
        if self.labels is None:
            return None
        dtype = torch.float32 if self.labels.multilabel else torch.int64
        return torch.as_tensor(self.labels.codes, dtype=dtype, device=device)

    def build(self, factory: Callable[..., _ModuleT], *args: Any, **options: Any) -> _ModuleT:
        """Build a module with weights from a new generator that `random_state` seeds.

        For criteria: the network's `generator` is not advanced.

        Parameters
        ----------
        factory : type or callable
            Makes an `nn.Module`, see `skhash.nn.build`.
        *args
            Arguments of `factory`.
        **options
            Keyword arguments of `factory`.

        Returns
        -------
        module : nn.Module
            On the CPU.
        """
        generator = torch.Generator().manual_seed(int(self.random_state.randint(2**31 - 1)))
        return build(factory, *args, generator=generator, **options)
