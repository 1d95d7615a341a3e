"""Networks in one file that any safetensors reader opens, written whole or not at all, and checked when read.

Three tensors hold all numbers one after the other: `binary` (8 weights a byte, each layer from a new byte on), `int8`
and `real`. The metadata say what they are: the format and its version, the operations (JSON, deflated since it is
repetitive), a checksum, and the codes of a probe batch, which the reader computes again.
"""

import base64
import json
import math
import os
import secrets
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from skhash.codes import to_hex
from skhash.runtime._operations import OPERATIONS
from skhash.runtime._packed_hasher import PackedHasher
from skhash.runtime.network._network import Network

__all__ = ["load_packed", "write"]

FORMAT, VERSION = "skhash packed network", 1
_TENSORS = {"real": np.float32, "binary": np.uint8, "int8": np.int8}
_STORED = {np.uint8: "U8", np.int8: "I8", np.float32: "F32"}
_PROBES = 4
_LARGEST_HEADER = 2**24
_LARGEST_DESCRIPTION = 2**26  # inflated


def load_packed(path, *, target=None, n_jobs=None):
    """Load a network that `PackedHasher.save` wrote.

    Needs no torch and runs no code from the file. It computes the codes of a probe batch, to see that this machine does
    what the other did.

    Parameters
    ----------
    path : str or path-like
        The file.
    target, n_jobs
        See `PackedHasher`.

    Returns
    -------
    hasher : PackedHasher
        Ready to `transform`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another kind, or written by a newer version.
    RuntimeError
        If the probe batch's codes differ from those that were saved.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skhash import load_packed
    >>> from skhash.runtime import BinaryConv, Network, PackedHasher, Sign
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     PackedHasher(network).save(f"{folder}/model.skhash")
    ...     hasher = load_packed(f"{folder}/model.skhash")
    >>> hasher.bits
    8
    """
    metadata, tensors = _read_container(Path(path))
    try:
        network = _read_network(metadata, tensors)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
        raise _damaged(path, error) from None
    hasher = PackedHasher(network, target=target, n_jobs=n_jobs)
    found = to_hex(hasher.codes(probe(network)), network.bits)
    if found != metadata["probe"].split():
        raise RuntimeError(
            f"{path}: self-test failed: the probe batch has codes {found}, expected {metadata['probe']!r}. "
            f"The kernels ({hasher.target}) do not compute on this machine what they did where the file was written."
        )
    return hasher


def write(path, hasher):
    """Write a hasher's network."""
    network = hasher.network
    parts = {name: [np.zeros(0, dtype)] for name, dtype in _TENSORS.items()}
    operations = []
    for operation in network.operations:
        arrays = operation.arrays()
        shapes = {name: array.shape for name, array in arrays.items()}
        operations.append([type(operation).__name__, operation.settings(), shapes])
        for array in arrays.values():
            parts[_tensor_of(array.dtype)].append(array.ravel())
    tensors = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    description = json.dumps({"input_shape": network.input_shape, "operations": operations}, separators=(",", ":"))
    deflated = base64.b64encode(zlib.compress(description.encode(), 9)).decode()
    codes = " ".join(to_hex(hasher.codes(probe(network)), network.bits))
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "network": deflated,
        "probe": codes,
        "crc32": _checksum(deflated, codes, tensors),
    }
    _replace(Path(path), _container(metadata, tensors))


def probe(network):
    """Inputs that are the same everywhere and for ever: a fixed mixture of small integers."""
    shape = (_PROBES, *network.input_shape)
    mixed = np.arange(math.prod(shape), dtype=np.uint64) * np.uint64(2654435761) >> np.uint64(13)
    pixels = (mixed & np.uint64(255)).astype(np.uint8).reshape(shape)
    return pixels if network.takes_images else (pixels.astype(np.float32) - 128) / 32


def _container(metadata, tensors):
    """A file in safetensors' format: size of the header, header, numbers. The same network gives the same bytes."""
    header, stop = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        start, stop = stop, stop + tensor.nbytes
        header[name] = {"dtype": _STORED[_TENSORS[name]], "shape": [tensor.size], "data_offsets": [start, stop]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    numbers = (tensor.astype(tensor.dtype.newbyteorder("<")).tobytes() for tensor in tensors.values())
    return b"".join([len(text).to_bytes(8, "little"), text, *numbers])


def _read_container(path):
    """Metadata and tensors of a file, whose sizes are checked before anything is believed."""
    raw = np.fromfile(path, np.uint8)
    if raw.size < 8:
        raise ValueError(f"{path} is damaged or no packed network: it has {raw.size} bytes.")
    size = int(raw[:8].view("<u8")[0])
    if size > min(raw.size - 8, _LARGEST_HEADER):
        raise ValueError(f"{path} is damaged or no packed network: its header would have {size} bytes.")
    try:
        header = json.loads(raw[8 : 8 + size].tobytes())
        metadata = header.pop("__metadata__")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ValueError(f"{path} is damaged or no packed network: its header cannot be read.") from None
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ValueError(f"{path} is no packed network: expected format {FORMAT!r} in its metadata.")
    if metadata.get("version") != str(VERSION):
        raise ValueError(
            f"{path} has version {metadata.get('version')} of the format, this skhash reads version {VERSION}: "
            "a newer release of skhash wrote it, or it is damaged."
        )
    data = raw[8 + size :]
    try:
        tensors, end = {}, 0
        for name, dtype in _TENSORS.items():
            entry = header[name]
            start, stop = entry["data_offsets"]
            n = (stop - start) // np.dtype(dtype).itemsize
            if entry["dtype"] != _STORED[dtype] or entry["shape"] != [n] or not end == start <= stop <= data.size:
                raise ValueError(f"{name} is described as {entry}, but there are {data.size} bytes of data")
            tensors[name] = data[start:stop].view(np.dtype(dtype).newbyteorder("<"))
            end = stop
        if end != data.size:
            raise ValueError(f"{data.size - end} bytes follow the last number")
        crc = _checksum(metadata["network"], metadata["probe"], tensors)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None
    if crc != metadata.get("crc32"):
        raise ValueError(f"{path} is damaged: expected CRC-32 {metadata.get('crc32')}, got {crc}.")
    return metadata, tensors


def _read_network(metadata, tensors):
    inflated = zlib.decompressobj().decompress(base64.b64decode(metadata["network"]), _LARGEST_DESCRIPTION)
    description = json.loads(inflated)
    used, operations, types = dict.fromkeys(tensors, 0), [], OPERATIONS
    for kind, settings, shapes in description["operations"]:
        if kind not in types:
            raise ValueError(f"unknown operation {kind!r}")
        arrays = {}
        for name, shape in shapes.items():
            tensor = _tensor_of(np.dtype(types[kind].dtypes()[name]))
            start, stop = used[tensor], used[tensor] + math.prod(shape)
            arrays[name] = tensors[tensor][start:stop].reshape(shape).copy()
            used[tensor] = stop
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
        operations.append(types[kind](**settings, **arrays))
    return Network(description["input_shape"], operations)


def _damaged(path, error):
    why = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
    return ValueError(f"{path} is damaged: {why}.")


def _tensor_of(dtype):
    return next(name for name, stored in _TENSORS.items() if stored == dtype)


def _checksum(description, codes, tensors):
    crc = zlib.crc32(codes.encode(), zlib.crc32(description.encode()))
    for name in _TENSORS:
        crc = zlib.crc32(np.ascontiguousarray(tensors[name]).astype(tensors[name].dtype.newbyteorder("<")), crc)
    return f"{crc:08x}"


def _replace(path, data):
    """Put data in a file's place at once, so that no reader ever sees half of it."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
