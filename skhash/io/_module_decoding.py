"""From descriptions to torch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from skhash.io._checks import check_keys
from skhash.io._layers import find_layer
from skhash.io._module_encoding import INTERNALS
from skhash.io._tables import is_foreign

if TYPE_CHECKING:
    from skhash.io._decode import Decoder

    Node = dict[str, Any]

__all__ = ["MAKERS"]

_LARGEST_SETTING = 2**24  # of an integer: sizes, paddings, strides


def _make_module(decoder: Decoder, node: Node) -> nn.Module:
    keys = ("class", "training", "attributes", "parameters", "buffers", "transient", "children")
    check_keys(node, *keys, optional=("settings",))
    name, cls = node["class"], find_layer(node["class"]) if isinstance(node["class"], str) else None
    if cls is None and isinstance(name, str) and is_foreign(name):
        cls = decoder.trust.find(name, "import")
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise ValueError(f"{name} stands for {cls!r}, expected a class of torch modules")
    if cls is None:
        raise ValueError(f"{name!r} is not a layer that this release can load")
    if name.startswith("torch."):
        module = _build(cls, {key: decoder.value(value) for key, value in node["settings"].items()})
    else:
        module = cls.__new__(cls)
        nn.Module.__init__(module)
    for key, value in node["attributes"].items():
        _check_name(cls, key)
        vars(module)[key] = _checked(key, decoder.value(value))
    for kind in ("parameters", "buffers"):
        _set_tensors(decoder, module, kind, node[kind])
    if not set(node["transient"]) <= set(module._buffers):
        raise ValueError(f"{node['transient']!r} are not buffers of {name}")
    module._non_persistent_buffers_set = set(node["transient"])
    for key, child in node["children"].items():
        _check_name(cls, key, numbered=True)
        made = decoder.value(child)
        if made is not None and not isinstance(made, nn.Module):
            raise ValueError(f"{key} of {name} is not a layer")
        module._modules[key] = made
    module.training = node["training"] is True
    return module


def _build(cls: type[nn.Module], settings: dict[str, Any]) -> nn.Module:
    """Make a layer of torch without memory for its tensors."""
    for key, value in settings.items():
        _checked(key, value)
    try:
        with torch.device("meta"):
            return cls(**settings)
    except Exception as error:
        raise ValueError(f"{cls.__name__} cannot be made of {settings} ({error})") from None


def _set_tensors(decoder: Decoder, module: nn.Module, kind: str, nodes: Node) -> None:
    """Set parameters or buffers; those that the layer has already must have the same shapes."""
    owned = getattr(module, f"_{kind}")
    if not set(owned) <= set(nodes):
        raise ValueError(f"{type(module).__name__} lacks {sorted(set(owned) - set(nodes))}")
    for key, node in nodes.items():
        built, tensor = owned.get(key), decoder.value(node)
        if key not in owned:
            _check_name(type(module), key)
        elif (built is None) != (tensor is None):
            raise ValueError(f"{key} of {type(module).__name__} is there or not, against its settings")
        if tensor is not None and not isinstance(tensor, nn.Parameter if kind == "parameters" else torch.Tensor):
            raise ValueError(f"{key} of {type(module).__name__} is not a tensor")
        if built is not None and tensor is not None and built.shape != tensor.shape:
            raise ValueError(
                f"{key} of {type(module).__name__} has shape {tuple(tensor.shape)}, not {tuple(built.shape)}"
            )
        owned[key] = tensor


def _check_name(cls: type[nn.Module], name: str, *, numbered: bool = False) -> None:
    """Refuse names that would hide a method or what every module has."""
    plain = bool(name) and "." not in name and not name.startswith("__") and name not in INTERNALS
    hidden = getattr(cls, name, None)
    if numbered and name.isdecimal():
        return
    if not plain or callable(hidden) or hasattr(hidden, "__get__"):
        raise ValueError(f"{cls.__name__} cannot have an attribute {name!r}")


def _checked(name: str, value: Any) -> Any:
    """Refuse integers, also within others, that are larger than any size of a layer."""
    for each in value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, dict) else [value]:
        if type(each) is int and abs(each) > _LARGEST_SETTING:
            raise ValueError(f"{name} is {each}, which is too large for a layer")
        if isinstance(each, nn.Module):
            raise ValueError(f"{name} is a layer among attributes")
    return value


def _make_own(decoder: Decoder, node: Node) -> nn.Module:
    """Make a module of somebody else, by what the caller gave or trusts."""
    check_keys(node, "source", "name", "training", "tensors", "frozen")
    name = node["name"]
    factory = decoder.trust.find(name, node["source"])
    if isinstance(factory, nn.Module):
        raise ValueError(f"{name} is given as a module: pass a function that makes it, such as lambda: module")
    try:
        module = factory()
    except Exception as error:
        raise ValueError(
            f"{name} could not be made without arguments ({error}): pass allow={{{name!r}: factory}} with a function "
            "that makes it"
        ) from error
    if not isinstance(module, nn.Module):
        raise ValueError(f"{name} made an object of the type {type(module).__name__}, expected a torch module")
    tensors = {key: decoder.value({"type": "tensor", **tensor}) for key, tensor in node["tensors"].items()}
    try:
        module.load_state_dict(tensors, strict=True)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{name} does not have the tensors of the file: {error}") from error
    for key, parameter in module.named_parameters():
        parameter.requires_grad_(key not in node["frozen"])
    return module.train(node["training"] is True)


def _make_tensor(decoder: Decoder, node: Node) -> torch.Tensor:
    check_keys(node, "tensor", "requires_grad", optional=("axes", "parameter", "bfloat16"))
    tensor = torch.from_numpy(decoder.tensor(node))
    if node.get("bfloat16"):
        tensor = tensor.view(torch.bfloat16)
    learns = node["requires_grad"] is True
    return nn.Parameter(tensor, learns) if node.get("parameter") else tensor.requires_grad_(learns)


def _make_device(decoder: Decoder, node: Node) -> torch.device:
    check_keys(node, "name")
    return torch.device(node["name"])


def _make_pairing(decoder: Decoder, node: Node) -> Any:
    from skhash.losses import Pairing, PairMemory

    if node["type"] == "pair memory":
        check_keys(node)
        return PairMemory()
    check_keys(node, "pairs")
    return Pairing(node["pairs"])


MAKERS: dict[str, Callable[[Decoder, Node], Any]] = {
    "device": _make_device,
    "module": _make_module,
    "own module": _make_own,
    "pair memory": _make_pairing,
    "pairing": _make_pairing,
    "tensor": _make_tensor,
}
