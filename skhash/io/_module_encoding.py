"""From torch modules to descriptions: layers of the table in full, others by name with their tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from skhash.io._layers import TORCH_LAYERS, layer_name
from skhash.io._trust import describe_name

if TYPE_CHECKING:
    from skhash.io._encode import Encoder

__all__ = ["INTERNALS", "describe", "plain_losses", "settings_of"]

# What every module has: parameters, buffers, children, hooks and so on.
INTERNALS = frozenset(vars(nn.Module()))
_OF_A_TRAINING = frozenset({"autocast_dtype"})  # the next one sets them by the machine on which it runs


def describe(encoder: Encoder, value: Any, where: str) -> dict[str, Any]:
    """Describe a module, a tensor or another object of torch."""
    if isinstance(value, nn.Module):
        return _describe_module(encoder, value, where)
    if isinstance(value, torch.Tensor):
        return _describe_tensor(encoder, value, where)
    if isinstance(value, torch.device):
        return {"type": "device", "name": str(value)}
    if type(value).__name__ == "Pairing":  # its memory belongs to a training run
        return {"type": "pairing", "pairs": value.pairs}
    if type(value).__name__ == "PairMemory":
        return {"type": "pair memory"}
    if callable(value):  # a class of modules
        return {"type": "named", "name": describe_name(value, where)}
    raise TypeError(f"Cannot save {where}: a value of the type {type(value).__name__} is not in the format.")


def settings_of(module: nn.Module) -> dict[str, Any]:
    """Return the constructor arguments of a layer of torch."""
    names = TORCH_LAYERS[type(module).__name__]
    return {name: getattr(module, name) is not None if name == "bias" else getattr(module, name) for name in names}


def plain_losses(network: nn.Module) -> set[int]:
    """Return the `id` of each part of a network's criterion that is not the library's and has plain attributes.

    Such a module comes back without a call of its constructor, which could not know the centers of the classes.
    """
    parts = getattr(network, "criterion", nn.Identity()).modules()
    return {id(part) for part in parts if layer_name(part) is None and _is_plain(part)}


def _is_plain(module: nn.Module) -> bool:
    attributes = [value for key, value in vars(module).items() if key not in INTERNALS | _OF_A_TRAINING]
    while attributes:
        value = attributes.pop()
        if type(value) in (list, tuple):
            attributes.extend(value)
        elif type(value) is dict:
            attributes.extend([*value, *value.values()])
        elif value is not None and type(value) not in (bool, int, float, str):
            return False
    return not type(module).__module__.startswith("torch.")


def _describe_module(encoder: Encoder, module: nn.Module, where: str) -> dict[str, Any]:
    name = layer_name(module)
    if id(module) in encoder.losses:
        name = describe_name(type(module), where)
    pretrained = encoder.pretrained.get(id(module))
    if pretrained is not None or name is None:
        return _describe_own(encoder, module, pretrained, where)
    state = dict(module.__getstate__())  # pyright: ignore[reportArgumentType]  # a dict of all attributes
    if any(value for key, value in state.items() if key.endswith(("_hooks", "_hooks_with_kwargs", "_pre_hooks"))):
        raise TypeError(f"Cannot save {where}: a layer of the class {type(module).__name__} has hooks.")
    attributes = {key: value for key, value in state.items() if key not in INTERNALS | _OF_A_TRAINING}
    node: dict[str, Any] = {"type": "module", "class": name, "training": module.training}
    if name.startswith("torch."):
        node["settings"] = {key: encoder.value(value, where) for key, value in settings_of(module).items()}
        with torch.device("meta"):  # no memory, no random numbers
            built = vars(type(module)(**settings_of(module)))
        attributes = {key: value for key, value in attributes.items() if key not in built}
    own = f"a layer of the class {type(module).__name__} in {where}"
    node["attributes"] = {key: encoder.value(value, f"{key} of {own}") for key, value in attributes.items()}
    for kind in ("parameters", "buffers"):
        tensors = getattr(module, f"_{kind}")
        node[kind] = {key: encoder.value(value, f"{key} of {own}") for key, value in tensors.items()}
    node["transient"] = sorted(module._non_persistent_buffers_set)
    node["children"] = {key: encoder.value(child, where) for key, child in module._modules.items()}
    return node


def _describe_own(encoder: Encoder, module: nn.Module, pretrained: str | None, where: str) -> dict[str, Any]:
    """Describe a module of somebody else: its name, and its tensors as in `state_dict`."""
    name = describe_name(type(module), where) if pretrained is None else pretrained
    tensors = {}
    for key, value in module.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"Cannot save {where}: {key} of {name} is not a tensor.")
        tensors[key] = _describe_tensor(encoder, value, where)
    return {
        "type": "own module",
        "source": "import" if pretrained is None else "pretrained",
        "name": name,
        "training": module.training,
        "tensors": tensors,
        "frozen": [key for key, parameter in module.named_parameters() if not parameter.requires_grad],
    }


def _describe_tensor(encoder: Encoder, tensor: torch.Tensor, where: str) -> dict[str, Any]:
    if type(tensor) not in (torch.Tensor, nn.Parameter) or tensor.layout != torch.strided:
        raise TypeError(f"Cannot save {where}: a tensor of the type {type(tensor).__name__} is not in the format.")
    node: dict[str, Any] = {"type": "tensor", "requires_grad": tensor.requires_grad}
    if isinstance(tensor, nn.Parameter):
        node["parameter"] = True
    values = tensor.detach().cpu()
    if values.dtype == torch.bfloat16:  # numpy has no such type
        node["bfloat16"], values = True, values.view(torch.int16)
    if values.is_complex() or values.is_quantized:
        raise TypeError(f"Cannot save {where}: a tensor of the type {tensor.dtype} is not in the format.")
    return {**node, **encoder.tensor(values.numpy())}
