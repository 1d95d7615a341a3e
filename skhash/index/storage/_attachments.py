"""Small named arrays of a saved index, such as the statistics of its training, and a dictionary of other facts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.storage import _atomic_folder as _folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["DTYPES", "MAX_NDIM", "is_name", "plain_extra", "read_attachments", "write_attachments"]

DTYPES = ["<f4", "<f8", "<i8", "<u8", "|u1"]
MAX_NDIM = 8
_KNOWN = {np.dtype(dtype).newbyteorder("="): dtype for dtype in DTYPES}


def is_name(name: object) -> bool:
    """Check whether a value may be the name of an attachment."""
    return isinstance(name, str) and re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,63}", name) is not None


def write_attachments(folder: Path, attachments: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write a new file for each array; return their entries for the header.

    Raises
    ------
    TypeError, ValueError
        If one has a name or a type that the format does not have; nothing is written then.
    """
    for name, array in attachments.items():
        if not is_name(name):
            raise ValueError(f"attachments must have names of at most 64 letters, digits and '_', got {name!r}.")
        if not isinstance(array, np.ndarray) or array.dtype not in _KNOWN or array.ndim > MAX_NDIM:
            got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(
                f"attachments must be arrays of float32, float64, int64, uint64 or uint8 with at most {MAX_NDIM} "
                f"dimensions, got {got} for {name!r}."
            )
    entries = {}
    for name, array in attachments.items():
        dtype = _KNOWN[array.dtype]
        with _folder.Writer(folder, "attachment") as writer:
            writer.write(np.ascontiguousarray(array, dtype).reshape(-1))
            entries[name] = {"dtype": dtype, "shape": list(array.shape), **writer.finish()}
    return entries


def read_attachments(folder: Path, entries: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Read arrays whose entries are checked into memory, and compare their checksums."""
    found = {}
    for name, entry in entries.items():
        data = _folder.read(folder, entry).view(entry["dtype"]).reshape(entry["shape"])
        found[name] = data.astype(data.dtype.newbyteorder("="), copy=False)
    return found


def plain_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as a reader will find them: numbers of numpy are Python's, tuples are lists.

    Raises
    ------
    TypeError
        If JSON does not have a value, or a key is no text.
    """
    _check_keys(extra)
    return json.loads(json.dumps(dict(extra), default=_folder.plain))


def _check_keys(value: Any) -> None:
    """Raise TypeError for keys that JSON would make text of."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            if not isinstance(key, str):
                raise TypeError(f"The keys of extra must be text, got {key!r} of type {type(key).__name__}.")
            _check_keys(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            _check_keys(child)
