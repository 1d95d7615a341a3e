"""A digest of the content of a network: what it is, its code, its settings and its weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import joblib
import torch
from torch import Tensor, nn

__all__ = ["digest_network", "digest_object"]

_PLAIN = (type(None), bool, int, float, str, bytes)
_OWN = frozenset(vars(nn.Module()))  # what every module has: parameters, submodules, hooks
# Of TorchScript: numbers that classes get in the order of loading, addresses, and places in files.
_PASSING = re.compile(r"\.?___torch_mangle_\d+| object at 0x[0-9a-f]+| # \S+:\d+:\d+$", re.MULTILINE)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def digest_network(module: nn.Module, *, named: bool) -> bytes:
    """Return a digest of everything in a module that its outputs depend on.

    These are, of all its submodules, the class with the code of its methods, attributes, hooks, parameters and buffers.
    Functions that methods call are not followed.

    Parameters
    ----------
    module : nn.Module
        The module.
    named : bool
        Whether the user has named the network. Attributes whose content is unknown are left out then.

    Returns
    -------
    digest : bytes
        16 bytes, the same in other processes.

    Raises
    ------
    ValueError
        If the content of an attribute is unknown and `named` is false.
    """
    key = hashlib.blake2b(digest_size=16)
    for name, layer in module.named_modules():
        if isinstance(layer, torch.jit.ScriptModule):
            parts: Iterator[bytes] = iter([_describe_script(layer)])
        else:
            parts = _describe(layer, named)
        for part in (name.encode(), *parts):
            key.update(b"%d " % len(part) + part)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        key.update(name.encode() + b" ")
        _add_tensor(key, tensor)
    return key.digest()


def digest_object(value: Any) -> bytes:
    """Return a digest of a value: what modules and functions do, and what other objects consist of.

    Parameters
    ----------
    value : object
        Any value.

    Returns
    -------
    digest : bytes
        The same in other processes; empty for objects that cannot be pickled.
    """
    return _digest(value, "", named=True)


def _describe(layer: nn.Module, named: bool) -> Iterator[bytes]:
    """Yield the class and the attributes of one module."""
    for cls in type(layer).__mro__[: type(layer).__mro__.index(nn.Module)]:
        yield f"{cls.__module__}.{cls.__qualname__}".encode()
        if not cls.__module__.startswith("torch."):
            for name, value in sorted(vars(cls).items()):
                value = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if isinstance(value, (FunctionType, *_PLAIN)) and name not in ("__doc__", "__firstlineno__"):
                    yield from (name.encode(), _digest(value, name, named))
    yield layer.extra_repr().encode()
    # What is not pickled, such as an open session, is made from the rest.
    state: Any = layer.__getstate__()
    for name, value in sorted(state.items()):
        if name not in _OWN:
            yield from (name.encode(), _digest(value, name, named))
    for name in _HOOKS:
        yield from (_digest(hook, name, named) for hook in vars(layer)[name].values())


def _describe_script(layer: Any) -> bytes:
    """Return code and attributes of a TorchScript module, without what differs between processes."""
    return _PASSING.sub("", layer._c.dump_to_str(True, True, False)).encode()


def _digest(value: Any, name: str, named: bool) -> bytes:
    """Return what stands for the value of an attribute."""
    if isinstance(value, _PLAIN):
        return repr(value).encode()
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}".encode()
    if isinstance(value, FunctionType):
        cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
        bound = (value.__defaults__, value.__kwdefaults__, *cells)
        return b"function " + _digest_code(value.__code__) + b"".join(_digest(each, name, named) for each in bound)
    if isinstance(value, (list, tuple)):
        return b"[" + b",".join(_digest(each, name, named) for each in value) + b"]"
    key = hashlib.blake2b(digest_size=16)
    if isinstance(value, Tensor):
        _add_tensor(key, value)
    elif isinstance(value, nn.Module):
        key.update(digest_network(value, named=named))
    else:
        try:
            key.update(str(joblib.hash(value)).encode())
        except Exception as error:  # of pickle, and of classes that refuse it
            if not named:
                raise ValueError(
                    f"cache needs a cache_key for this backbone, whose attribute {name!r} has an unknown content "
                    f"({type(value).__name__}): pass a name for the network."
                ) from error
    return key.digest()


def _digest_code(code: CodeType) -> bytes:
    """Return a digest of what a function does, wherever it stands."""
    key = hashlib.blake2b(code.co_code, digest_size=16)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            key.update(_digest_code(constant))
        else:  # the order of a set of strings differs between processes
            key.update(repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant).encode())
    key.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    return key.digest()


def _add_tensor(key: Any, tensor: Tensor) -> None:
    key.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    key.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
