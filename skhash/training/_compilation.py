"""Backbone and head of a network, compiled by torch for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["compile_parts"]


def compile_parts(network: Any) -> dict[str, Callable[..., torch.Tensor]]:
    """Compile what a network runs in training; the network itself stays as it is.

    Parameters
    ----------
    network : HashNetwork
        The network.

    Returns
    -------
    compiled : dict
        Functions by the attribute of `HashNetwork` that they are set as while it trains.
    """
    parts = {"compiled_backbone": network.backbone}
    if not network._head_draws:
        parts["compiled_head"] = network.head
    return {name: _compiled(part) for name, part in parts.items() if any(True for _ in part.parameters())}


def _compiled(part: nn.Module) -> Callable[..., torch.Tensor]:
    # Of a function, not of the module: the wrapper of a module is a module, which would become part of the network.
    def run(inputs: torch.Tensor) -> torch.Tensor:
        return part(inputs)

    # Imported here: it takes a second, which most trainings need not spend.
    from torch._dynamo.exc import TorchDynamoException

    compiled = torch.compile(run)

    def call(inputs: torch.Tensor) -> torch.Tensor:
        try:
            return compiled(inputs)
        except TorchDynamoException as error:
            reason = " ".join(str(error).split("\n")[:2]).strip()
            raise ValueError(
                f"compile=True: torch.compile cannot compile {type(part).__name__} here ({reason}). It needs a C++ "
                "compiler on a CPU, and layers that it knows; use compile=False."
            ) from error

    return call
