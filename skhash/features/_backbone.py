"""The network that a parameter `backbone` names, and the number of its features."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from skhash.nn import load_pretrained

if TYPE_CHECKING:
    from skhash.inputs import Samples
    from skhash.nn import Inference

__all__ = ["BackboneFunction", "count_features", "make_backbone"]


class BackboneFunction(nn.Module):
    """A function of the user as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        out = self.function(x)
        return out if isinstance(out, Tensor) else torch.as_tensor(np.asarray(out))


class _Method(nn.Module):
    """A method of a module as a module: it has weights and a mode, as the module itself has."""

    def __init__(self, owner: nn.Module, name: str) -> None:
        super().__init__()
        self.owner, self.name = owner, name

    def forward(self, x: Tensor) -> Any:
        return getattr(self.owner, self.name)(x)


def make_backbone(backbone: str | nn.Module | Callable[..., Any]) -> nn.Module:
    """Return the network of a parameter `backbone`, in evaluation mode."""
    if isinstance(backbone, str):
        module = load_pretrained(backbone)
    elif isinstance(backbone, nn.Module):
        module = copy.deepcopy(backbone)
    elif isinstance(backbone, type) and issubclass(backbone, nn.Module):
        module = backbone()
    elif isinstance(getattr(backbone, "__self__", None), nn.Module):  # a method of a module, such as encode_image
        module = _Method(copy.deepcopy(cast("Any", backbone).__self__), cast("Any", backbone).__name__)
    else:
        module = BackboneFunction(backbone)
    if next(module.parameters(), None) is None:
        module = nn.Sequential(module)
        module.register_parameter("place", nn.Parameter(torch.empty(0), requires_grad=False))  # says where it is
    return module.eval()


def count_features(inference: Inference, samples: Samples) -> int:
    """Run the network on the first sample, and return the number of its features."""
    inputs = samples.batch(range(1), inference.dtype)
    try:
        out = inference.run_freely(inputs)
        out = inference.run(inputs) if isinstance(out, Tensor) else out
    except Exception as error:
        raise ValueError(f"backbone does not take inputs of shape {tuple(samples.sample_shape)}: {error}") from error
    if not isinstance(out, Tensor):
        raise ValueError(
            f"backbone must return one tensor, got {type(out).__name__}; wrap it in a module that returns its features."
        )
    if out.ndim != 2:
        raise ValueError(f"backbone must return one vector per sample, of shape (n, d), got {tuple(out.shape)}.")
    return out.shape[1]
