"""The file of a saved estimator: a safetensors container whose metadata describe the estimator in JSON.

The metadata are the format, its version, the description (`state`) and one checksum over the description and all
tensors with their names, types and shapes.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as serialize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

__all__ = ["DTYPES", "FORMAT", "VERSION", "parse", "read_format", "write"]

FORMAT, VERSION = "skhash estimator", 1
DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
}  # fmt: skip
_NAMES = {name: stored for stored, name in DTYPES.items()}
_KEYS = {"format", "version", "state", "crc32"}
_LARGEST_HEADER = 10**8  # of the library
_LARGEST_SIDE = 2**40
_MOST_AXES = 8
_TENSOR_NAME = re.compile("0|[1-9][0-9]{0,8}")


def write(file: BinaryIO, state: dict[str, Any], tensors: Tensors) -> None:
    """Write a container.

    Parameters
    ----------
    file : binary file
        Open for writing.
    state : dict
        The description, of values that JSON has.
    tensors : dict of str to ndarray
        Contiguous arrays of a type in `DTYPES`, named "0", "1" and so on.
    """
    text = json.dumps(state, separators=(",", ":"))
    if len(text) > _LARGEST_HEADER // 2:  # the container escapes its quotes
        raise ValueError(f"The description of the estimator has {len(text)} characters, more than the format can hold.")
    metadata = {"format": FORMAT, "version": str(VERSION), "state": text, "crc32": _checksum(text, tensors)}
    file.write(serialize(tensors, metadata))


def read_bytes(path: Path) -> bytes:
    """Read a regular file; a pipe or a device could go on for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is not a regular file.")
    return path.read_bytes()


def read_format(path: Path) -> str:
    """Return the name of the format of a safetensors file that the library writes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    format : str
        What its metadata say, empty if they say nothing.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is not a regular file.")
    with open(path, "rb") as file:
        start = file.read(8)
        size = _header_size(path, start, os.fstat(file.fileno()).st_size)
        header = _read_header(path, file.read(size))
    found = header["__metadata__"].get("format")
    return found if isinstance(found, str) else ""


def parse(path: Path, raw: bytes) -> tuple[dict[str, Any], Tensors]:
    """Read a container and check it; nothing is allocated that is larger than the file.

    Parameters
    ----------
    path : Path
        Where it comes from, for messages.
    raw : bytes
        The file.

    Returns
    -------
    state : dict
        The description.
    tensors : dict of str to ndarray
        Writable arrays.

    Raises
    ------
    ValueError
        If the file is damaged, of another format or of a newer version.
    """
    size = _header_size(path, raw[:8], len(raw))
    header = _read_header(path, raw[8 : 8 + size])
    metadata = header.pop("__metadata__")
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} is not a saved estimator: its format is {metadata.get('format')!r}.")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"{path} has version {metadata.get('version')!r} of the format, expected '{VERSION}': it was written by a "
            "newer release of skhash, or it is damaged."
        )
    if set(metadata) != _KEYS or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"{path} is damaged: its metadata have the keys {sorted(metadata)}, expected {sorted(_KEYS)}.")
    _check_entries(path, header, len(raw) - 8 - size)
    try:
        found = dict(deserialize(raw))
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}.") from None
    # The library's entries are copies, which are aligned and can be written to.
    tensors = {
        name: np.frombuffer(entry["data"], np.dtype(DTYPES[entry["dtype"]]).newbyteorder("<")).reshape(entry["shape"])
        for name, entry in found.items()
    }
    tensors = {name: tensor.astype(tensor.dtype.newbyteorder("="), copy=False) for name, tensor in tensors.items()}
    crc = _checksum(metadata["state"], tensors)
    if crc != metadata["crc32"]:
        raise ValueError(f"{path} is damaged: expected CRC-32 {metadata['crc32'][:8]}, got {crc}.")
    for name, tensor in tensors.items():
        if tensor.dtype == bool and tensor.size and tensor.view(np.uint8).max() > 1:
            raise ValueError(f"{path} is damaged: tensor {name} has other values than true and false.")
    return _read_json(path, metadata["state"].encode(), "description"), tensors


def _header_size(path: Path, start: bytes, file_size: int) -> int:
    if len(start) < 8:
        raise ValueError(f"{path} is damaged or not a saved estimator: it has {file_size} bytes.")
    size = int.from_bytes(start, "little")
    if size > min(file_size - 8, _LARGEST_HEADER):
        raise ValueError(f"{path} is damaged or not a saved estimator: its header would have {size} bytes.")
    return size


def _read_header(path: Path, text: bytes) -> dict[str, Any]:
    header = _read_json(path, text, "header")
    if not isinstance(header.get("__metadata__"), dict):
        raise ValueError(f"{path} is not a saved estimator: its header has no metadata.")
    return header


def _read_json(path: Path, text: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object in which no key occurs twice: readers differ in which of the two counts."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path} is damaged or not a saved estimator: its {what} cannot be read ({error}).") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} is damaged or not a saved estimator: its {what} is not an object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _check_entries(path: Path, header: dict[str, Any], n_bytes: int) -> None:
    """Check names, types, shapes and places of the tensors, which must fill the data without gaps."""
    spans = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"{path} is damaged: tensor {name!r} is described as {_short(entry)}.")
        dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not _TENSOR_NAME.fullmatch(name) or not isinstance(dtype, str) or dtype not in DTYPES:
            raise ValueError(
                f"{path} is damaged: expected tensors with numbers as names and of the types {sorted(DTYPES)}, got "
                f"{_short(name)} of {_short(dtype)}."
            )
        sized = _are_sizes(shape) and len(shape) <= _MOST_AXES and _are_sizes(span) and len(span) == 2
        if not sized or span[1] - span[0] != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
            raise ValueError(
                f"{path} is damaged: tensor {name} of shape {_short(shape)} would be at {_short(span)} of the data."
            )
        spans.append(span)
    end = 0
    for start, stop in sorted(spans):
        if start != end:
            raise ValueError(f"{path} is damaged: a tensor begins at {start}, expected {end}.")
        end = stop
    if end != n_bytes:
        raise ValueError(f"{path} is damaged: it has {n_bytes} bytes of data, expected {end}.")


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < _LARGEST_SIDE for value in values)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _checksum(text: str, tensors: Tensors) -> str:
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors, key=int):
        tensor = tensors[name]
        stored = tensor.astype(tensor.dtype.newbyteorder("<"), order="C", copy=False)
        crc = zlib.crc32(f"{name} {_NAMES[tensor.dtype.name]} {list(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(stored.reshape(-1).view(np.uint8).data, crc)
    return f"{crc:08x}"
