"""The file of a packed network: a safetensors container that is written atomically and checked when it is read.

Three tensors hold all numbers one after the other: `binary` (8 weights per byte, each layer starts a new byte), `int8`
and `real`. The metadata describe them: the format and its version, the operations (JSON, deflated because it is
repetitive), a checksum, and the codes of a probe batch, which the reader computes again. A fourth tensor, `classes`,
holds what predicts classes, if anything does. `doc/format.rst` is the specification.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.runtime._classes import ClassScores, ClassVotes, decode_classes, encode_classes
from skhash.runtime.network._network import OPERATIONS, Network
from skhash.utils import atomic_replace

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    Metadata = dict[str, str]
    Tensors = dict[str, NDArray[Any]]

__all__ = ["probe", "read", "write"]

FORMAT, VERSION = "skhash packed network", 1
_WITH_CLASSES = 2  # the version of files that have the tensor `classes`
_TENSORS: dict[str, type[np.generic]] = {"real": np.float32, "binary": np.uint8, "int8": np.int8}  # order in the file
_STORED: dict[type[np.generic], str] = {np.uint8: "U8", np.int8: "I8", np.float32: "F32"}
_PROBES = 4
_LARGEST_HEADER = 2**22
_LARGEST_DESCRIPTION = 2**22  # inflated; JSON takes up to 30 times as much memory
_PROBED_AT_ONCE = 2**20


def write(
    path: str | os.PathLike[str],
    network: Network,
    probe_codes: Sequence[str],
    classes: ClassScores | ClassVotes | None = None,
) -> None:
    """Write a network.

    Parameters
    ----------
    path : path-like
        The file; replaced atomically.
    network : Network
        The network.
    probe_codes : sequence of str
        Codes of `probe(network)` as hexadecimal strings.
    classes : ClassScores or ClassVotes, default=None
        What predicts classes. Without it, the file is of version 1.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the folder does not exist, or the path is a folder.
    """
    parts: dict[str, list[NDArray[Any]]] = {name: [np.zeros(0, dtype)] for name, dtype in _TENSORS.items()}
    operations = []
    for operation in network.operations:
        arrays = operation.arrays()
        shapes = {name: array.shape for name, array in arrays.items()}
        operations.append([type(operation).__name__, operation.settings(), shapes])
        for array in arrays.values():
            parts[_tensor_of(array.dtype)].append(array.ravel())
    tensors = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    if classes is not None:
        tensors["classes"] = encode_classes(classes)
    description = json.dumps({"input_shape": network.input_shape, "operations": operations}, separators=(",", ":"))
    deflated = base64.b64encode(zlib.compress(description.encode(), 9)).decode()
    codes = " ".join(probe_codes)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION if classes is None else _WITH_CLASSES),
        "network": deflated,
        "probe": codes,
        "crc32": _checksum(deflated, codes, tensors),
    }
    with atomic_replace(path) as file:
        file.write(_container(metadata, tensors))


def read(path: str | os.PathLike[str]) -> tuple[Network, list[str], ClassScores | ClassVotes | None]:
    """Read a network and the codes of its probe batch.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    network : Network
        The network.
    probe_codes : list of str
        Codes that `probe(network)` had where the file was written.
    classes : ClassScores, ClassVotes or None
        What predicts classes, if the file has it.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged, has another format or a newer version.
    """
    path = Path(path)
    metadata, tensors = _read_container(path)
    try:
        section = tensors.pop("classes", None)
        network = _read_network(metadata, tensors)
        classes = None if section is None else decode_classes(section, network.bits)
        return network, metadata["probe"].split(), classes
    except (
        *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError),
        zlib.error,
    ) as error:
        raise _damaged(path, error) from None


def probe(network: Network) -> NDArray[Any]:
    """Return the probe batch of a network: a fixed mixture of small integers, the same on every machine."""
    shape = (_PROBES, *network.input_shape)
    pixels = np.empty(math.prod(shape), np.uint8)
    for start in range(0, len(pixels), _PROBED_AT_ONCE):
        part = pixels[start : start + _PROBED_AT_ONCE]
        mixed = np.arange(start, start + len(part), dtype=np.uint64) * np.uint64(2654435761) >> np.uint64(13)
        part[:] = mixed & np.uint64(255)
    pixels = pixels.reshape(shape)
    return pixels if network.takes_images else (pixels.astype(np.float32) - 128) / 32


def _container(metadata: Metadata, tensors: Tensors) -> bytes:
    """Return a file in safetensors' format: size of the header, header, numbers. Equal networks yield equal bytes."""
    header: dict[str, Any] = {"__metadata__": metadata}
    stop = 0
    for name, tensor in tensors.items():
        start, stop = stop, stop + tensor.nbytes
        header[name] = {
            "dtype": _STORED[_TENSORS.get(name, np.uint8)],
            "shape": [tensor.size],
            "data_offsets": [start, stop],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    numbers = (tensor.astype(tensor.dtype.newbyteorder("<")).tobytes() for tensor in tensors.values())
    return b"".join([len(text).to_bytes(8, "little"), text, *numbers])


def _read_container(path: Path) -> tuple[Metadata, Tensors]:
    """Read metadata and tensors; all sizes are checked before they are used."""
    raw = np.fromfile(path, np.uint8)
    if raw.size < 8:
        raise ValueError(f"{path} is damaged or not a packed network: it has {raw.size} bytes.")
    size = int(raw[:8].view("<u8")[0])
    if size > min(raw.size - 8, _LARGEST_HEADER):
        raise ValueError(f"{path} is damaged or not a packed network: its header would have {size} bytes.")
    try:
        header = json.loads(raw[8 : 8 + size].tobytes())
        metadata = header.pop("__metadata__")
    except (ValueError, KeyError, AttributeError, MemoryError, RecursionError, TypeError):
        raise ValueError(f"{path} is damaged or not a packed network: its header cannot be read.") from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ValueError(f"{path} is not a packed network: its metadata must have format {FORMAT!r}.")
    if metadata.get("version") not in (str(VERSION), str(_WITH_CLASSES)):
        raise ValueError(
            f"{path} has format version {metadata.get('version')}, expected {VERSION} or {_WITH_CLASSES}: "
            "it was written by a newer release of skhash, or it is damaged."
        )
    try:
        tensors = _read_tensors(header, raw[8 + size :], metadata["version"] == str(_WITH_CLASSES))
        crc = _checksum(metadata["network"], metadata["probe"], tensors)
    except (ArithmeticError, AttributeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None
    if crc != metadata.get("crc32"):
        raise ValueError(f"{path} is damaged: expected CRC-32 {metadata.get('crc32')}, got {crc}.")
    return metadata, tensors


def _read_tensors(header: dict[str, Any], data: NDArray[np.uint8], with_classes: bool) -> Tensors:
    """Return views of the numbers, which must fill the data in the order of `_TENSORS`, then `classes`."""
    expected = _TENSORS | {"classes": np.uint8} if with_classes else _TENSORS
    if set(header) - set(expected):
        raise ValueError(f"it has tensors {sorted(header)}, expected {sorted(expected)}")
    tensors, end = {}, 0
    for name, dtype in expected.items():
        entry = header[name]
        start, stop = entry["data_offsets"]
        _check_integers(name, [start, stop, *entry["shape"]])
        n = (stop - start) // np.dtype(dtype).itemsize
        if entry["dtype"] != _STORED[dtype] or entry["shape"] != [n] or not end == start <= stop <= data.size:
            raise ValueError(f"{name} is described as {entry}, but there are {data.size} bytes of data")
        tensors[name] = data[start:stop].view(np.dtype(dtype).newbyteorder("<"))
        end = stop
    if end != data.size:
        raise ValueError(f"{data.size - end} bytes follow the last number")
    return tensors


def _read_network(metadata: Metadata, tensors: Tensors) -> Network:
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(base64.b64decode(metadata["network"], validate=True), _LARGEST_DESCRIPTION)
    if not inflater.eof or inflater.unused_data:
        raise ValueError(f"the description is cut off, continued, or larger than {_LARGEST_DESCRIPTION} bytes")
    description = json.loads(inflated)
    _check_integers("input_shape", description["input_shape"])
    used, operations = dict.fromkeys(tensors, 0), []
    for kind, settings, shapes in description["operations"]:
        if kind not in OPERATIONS:
            raise ValueError(f"unknown operation {kind!r}")
        if settings.keys() & OPERATIONS[kind].dtypes().keys():
            raise ValueError(f"arrays of {kind} are among its settings")
        arrays = {}
        for name, shape in shapes.items():
            _check_integers(f"the shape of {name}", shape)
            tensor = _tensor_of(OPERATIONS[kind].dtypes()[name])
            start, stop = used[tensor], used[tensor] + math.prod(shape)
            arrays[name] = tensors[tensor][start:stop].reshape(shape).copy()
            used[tensor] = stop
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
        operations.append(OPERATIONS[kind](**settings, **arrays))
    for name, stop in used.items():
        if stop != tensors[name].size:
            raise ValueError(f"{name} has {tensors[name].size} numbers, of which the operations use {stop}")
    return Network(description["input_shape"], operations)


def _check_integers(name: str, values: Any) -> None:
    """Raise ValueError unless a list holds integers >= 0: `2.0`, `true` and `-1` would be taken for others."""
    if not isinstance(values, list) or not all(type(value) is int and value >= 0 for value in values):
        raise ValueError(f"{name} must be integers >= 0, got {values}")


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
    return ValueError(f"{path} is damaged: {reason}.")


def _tensor_of(dtype: DTypeLike) -> str:
    return next(name for name, stored in _TENSORS.items() if stored == dtype)


def _checksum(description: str, codes: str, tensors: Tensors) -> str:
    crc = zlib.crc32(codes.encode(), zlib.crc32(description.encode()))
    for name in (*_TENSORS, *(["classes"] if "classes" in tensors else [])):
        crc = zlib.crc32(tensors[name].astype(tensors[name].dtype.newbyteorder("<"), order="C", copy=False).data, crc)
    return f"{crc:08x}"
