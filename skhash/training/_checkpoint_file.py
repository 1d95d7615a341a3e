"""The file of a checkpoint: nested values as JSON, with their tensors, in one safetensors container with a checksum."""

from __future__ import annotations

import json
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from skhash.utils import atomic_replace

__all__ = ["copy_state", "read_state", "write_state"]

_FORMAT = "skhash checkpoint 1"


def copy_state(value: Any) -> Any:
    """Copy the tensors and arrays of nested dicts, lists and tuples to new memory on the CPU.

    Parameters
    ----------
    value : object
        Tensors, arrays, numbers, strings, None, and dicts, lists and tuples of these.

    Returns
    -------
    copy : object
        What training that goes on cannot change.
    """
    if isinstance(value, Tensor):
        # A clone, since tensors of one container may not share memory.
        return value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Mapping):
        return {key: copy_state(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([copy_state(each) for each in value])
    return value.item() if isinstance(value, np.generic) else value


def write_state(path: Path, state: Any) -> None:
    """Write what `copy_state` returns; the file appears as a whole or not at all.

    Parameters
    ----------
    path : Path
        The file to write.
    state : object
        The values.

    Raises
    ------
    TypeError
        If there is a value of another kind.
    OSError
        If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_encode(state, tensors), separators=(",", ":"))
    raw = save(tensors, {"format": _FORMAT, "state": text, "crc32": _checksum(text, tensors)})
    with atomic_replace(path) as file:
        file.write(raw)


def read_state(path: Path) -> Any:
    """Read what `write_state` has written, without running any code of the file.

    Parameters
    ----------
    path : Path
        The file to read.

    Returns
    -------
    state : object
        The values; tensors are on the CPU.

    Raises
    ------
    ValueError
        If the file is damaged or not a checkpoint.
    OSError
        If it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe could go on for ever
        raise ValueError("it is not a regular file")
    try:
        raw = path.read_bytes()
        tensors = load(raw)
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(str(error)) from None
    metadata = header.get("__metadata__", {})
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"its format is {metadata.get('format')!r}, expected {_FORMAT!r}")
    text = metadata.get("state", "")
    if _checksum(text, tensors) != metadata.get("crc32"):
        raise ValueError("its checksum is wrong")
    return _decode(json.loads(text), tensors)


def _encode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a value as JSON has it: containers and tensors are lists that begin with their kind."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Tensor, np.ndarray)):
        kind, value = ("tensor", value) if isinstance(value, Tensor) else ("array", torch.from_numpy(value))
        name = str(len(tensors))
        tensors[name] = value
        return [kind, name]
    if isinstance(value, dict):
        return ["dict", *([_encode(key, tensors), _encode(each, tensors)] for key, each in value.items())]
    if isinstance(value, (list, tuple)):
        return ["list" if isinstance(value, list) else "tuple", *(_encode(each, tensors) for each in value)]
    raise TypeError(f"A checkpoint cannot hold {type(value).__name__}.")


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *rest = value
    if kind in ("tensor", "array"):
        tensor = tensors[rest[0]].clone()  # views of the file are not aligned
        return tensor if kind == "tensor" else tensor.numpy()
    if kind == "dict":
        return {_decode(key, tensors): _decode(each, tensors) for key, each in rest}
    values = [_decode(each, tensors) for each in rest]
    return values if kind == "list" else tuple(values)


def _checksum(text: str, tensors: dict[str, Tensor]) -> str:
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors, key=int):
        tensor = tensors[name]
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"
