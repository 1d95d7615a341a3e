"""Binary layers of a network, and batch statistics that fit their final signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from skhash.nn.binary import BinaryConv2d, BinaryLinear
from skhash.training._batches import draw_weighted_rows

if TYPE_CHECKING:
    from skhash.inputs import Samples

_Module = TypeVar("_Module", bound=nn.Module)

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def binary_layers(module: nn.Module) -> list[BinaryConv2d | BinaryLinear]:
    """List the layers of a module that have one-bit weights.

    Parameters
    ----------
    module : nn.Module
        Any network.

    Returns
    -------
    layers : list of BinaryConv2d and BinaryLinear
        The layers, in the order of `module.modules()`.
    """
    return [layer for layer in module.modules() if isinstance(layer, (BinaryConv2d, BinaryLinear))]


class LatentClip:
    """`clip_latent_weights_` of one network, whose layers are looked for once instead of in each step.

    Parameters
    ----------
    network : nn.Module
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        self._layers = [layer for layer in binary_layers(network) if layer.rule.clips_latent]

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> None:
        """Clip latent weights to [-1, 1] in those of the layers that train with binary weights."""
        for layer in self._layers:
            if layer.binarize_weights:
                layer.weight.clamp_(-1, 1)


@torch.no_grad()
def reestimate_batch_norm(
    module: _Module,
    samples: Samples,
    *,
    generator: torch.Generator,
    batch_size: int = 256,
    weights: torch.Tensor | None = None,
) -> _Module:
    """Compute the running statistics of all batch normalizations again, as plain means over the batches of one pass.

    When signs flip late in training, the moving averages are still those of the earlier signs.

    Parameters
    ----------
    module : nn.Module
        Network that is changed in place and left in evaluation mode.
    samples : Samples
        Training samples.
    generator : torch.Generator
        Shuffles the samples.
    batch_size : int, default=256
        Samples in a batch, at least 2.
    weights : Tensor of float64 of shape (n_samples,), default=None
        Positive weights of the samples, in proportion to which they are drawn, as in `TrainingLoop`.

    Returns
    -------
    module : nn.Module
        The same object.
    """
    # Everything else stays in evaluation mode, so that dropout and the bi-half layer act as they will in inference.
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, _BATCH_NORMS) and layer.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    device = next(module.parameters()).device
    far = any(getattr(layer, "input_dtype", None) == torch.float64 for layer in module.modules())
    dtype = torch.float64 if far else torch.float32
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's convention for the plain mean
        norm.train()
    order = torch.randperm(len(samples), generator=generator)
    if weights is not None:
        order = draw_weighted_rows(weights, generator)[order]
    for rows in order.split(batch_size):
        if len(rows) > 1:
            module(samples.batch(rows, dtype).to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    return module
