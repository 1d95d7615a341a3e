"""Changes to a binary network between the steps of its training."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import nn

from skhash.nn.binary._layers import BinaryConv2d, BinaryLinear

_Module = TypeVar("_Module", bound=nn.Module)


@torch.no_grad()
def clip_latent_weights_(module: _Module) -> _Module:
    """Clip latent weights to [-1, 1] where they have no gradient outside; call it after each update.

    Parameters
    ----------
    module : nn.Module
        Network whose binary layers are changed in place. Layers whose rule has a gradient everywhere are left as they
        are, and so are layers that train with real weights, see `binarize_weights_`.

    Returns
    -------
    module : nn.Module
        The same object.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryLinear, clip_latent_weights_
    >>> layer = BinaryLinear(2, 1, weight_rule="bnn")
    >>> layer.weight.data = torch.tensor([[0.5, -3.0]])
    >>> clip_latent_weights_(layer).weight.tolist()
    [[0.5, -1.0]]
    """
    # Beyond 1 the gradient is 0, so momentum or weight decay alone would decide whether a weight ever comes back.
    for layer in module.modules():
        if isinstance(layer, (BinaryConv2d, BinaryLinear)) and layer.binarize_weights and layer.rule.clips_latent:
            layer.weight.clamp_(-1, 1)
    return module


def binarize_weights_(module: _Module, binary: bool = True) -> _Module:
    """Choose whether binary layers train with binary weights, or with their latent ones while inputs are binary.

    ReActNet was trained in these two steps, real weights first. In evaluation weights are always binary.

    Parameters
    ----------
    module : nn.Module
        Network whose binary layers are changed in place.
    binary : bool, default=True
        Whether weights are binary in training.

    Returns
    -------
    module : nn.Module
        The same object.

    References
    ----------
    Liu et al., "ReActNet", ECCV 2020, section 5.1.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryLinear, binarize_weights_
    >>> layer = BinaryLinear(2, 1, weight_rule="bnn")
    >>> layer.weight.data = torch.tensor([[0.5, -0.25]])
    >>> x = torch.tensor([[1.0, 1.0]])
    >>> binarize_weights_(layer, False)(x).item(), layer.eval()(x).item()
    (0.25, 0.0)
    """
    for layer in module.modules():
        if isinstance(layer, (BinaryConv2d, BinaryLinear)):
            layer.binarize_weights = binary
    return module


def set_progress_(module: _Module, fraction: float) -> _Module:
    """Set the progress of the training, on which some quantizers and weight rules depend.

    Parameters
    ----------
    module : nn.Module
        Network that is changed in place: all parts that have a method `set_progress(fraction)`.
    fraction : float
        Finished share of the training, from 0 to 1.

    Returns
    -------
    module : nn.Module
        The same object.

    Raises
    ------
    ValueError
        If `fraction` is outside of [0, 1].

    Examples
    --------
    >>> from skhash.nn.binary import Sign, set_progress_
    >>> round(set_progress_(Sign("ede"), 0.5).t, 6)
    1.0
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be in [0, 1], got {fraction}.")
    for part in module.modules():
        if hasattr(part, "set_progress"):
            cast(Any, part).set_progress(fraction)
    return module
