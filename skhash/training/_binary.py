"""Beside gradients, binary networks need batch statistics that fit their last signs; here is how to find and do it."""

import torch
from torch import nn

from skhash.nn.binary import BinaryConv2d, BinaryLinear

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def binary_layers(module):
    """List the layers of a module that have one-bit weights.

    Parameters
    ----------
    module : nn.Module
        Any network.

    Returns
    -------
    layers : list of nn.Module
        Its `BinaryConv2d` and `BinaryLinear` layers.
    """
    return [layer for layer in module.modules() if isinstance(layer, (BinaryConv2d, BinaryLinear))]


@torch.no_grad()
def reestimate_batch_norm(module, samples, *, generator, batch_size=256):
    """Take the running statistics of all batch normalisations anew, as plain means over the batches of one pass.

    When signs flip late in training, moving averages lag behind them.

    Parameters
    ----------
    module : nn.Module
        Changed in place; left in evaluation mode.
    samples : Samples
        Training samples.
    generator : torch.Generator
        Shuffles them.
    batch_size : int, default=256
        Samples in a batch, at least 2.

    Returns
    -------
    module : nn.Module
        The same.
    """
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, _BATCH_NORMS) and layer.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    device = next(module.parameters()).device
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the plain mean
        norm.train()
    for rows in torch.randperm(len(samples), generator=generator).split(batch_size):
        if len(rows) > 1:
            module(samples.batch(rows).to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    return module
