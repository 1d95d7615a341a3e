"""Random weights from a given generator: building a network must not advance torch's global state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def build(factory: Callable[..., _Module], *args: Any, generator: torch.Generator, **kwargs: Any) -> _Module:
    """Build one of the library's networks and draw its weights.

    Parameters
    ----------
    factory : type or callable
        Makes an `nn.Module` of linear, convolution and normalization layers.
    *args
        Arguments of `factory`.
    generator : torch.Generator
        Draws the weights.
    **kwargs
        Keyword arguments of `factory`.

    Returns
    -------
    module : nn.Module
        On the CPU.

    Raises
    ------
    TypeError
        If a layer is of a kind that `initialize` does not know and has no method `initialize` of its own.
    """
    # On the meta device the layers' own initialization computes nothing and draws nothing.
    with torch.device("meta"):
        module = factory(*args, **kwargs)
    module.to_empty(device="cpu")
    values = [*module.named_parameters(), *module.named_buffers()]
    # NaN marks memory that nobody has written: what `to_empty` leaves may look like weights.
    for _, value in values:
        if value.is_floating_point():
            nn.init.constant_(value, math.nan)
    initialize(module, generator)
    for name, value in values:
        if value.isnan().any():
            raise TypeError(
                f"{name} of {type(module).__name__} was not initialized: its layer is of a kind that is not known here "
                "and needs a method `initialize(generator)`."
            )
    return module


def initialize(module: _Module, generator: torch.Generator) -> _Module:
    """Draw the weights of a module's layers: torch's own distributions, from a given generator.

    Parameters
    ----------
    module : nn.Module
        Changed in place. A submodule with a method `initialize(generator)` is called last and may overwrite its layers.
    generator : torch.Generator
        Draws the weights.

    Returns
    -------
    module : nn.Module
        The same object.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.reset_parameters()
    for layer in module.modules():
        if hasattr(layer, "initialize"):
            cast(Any, layer).initialize(generator)
    return module
