"""Rows in the binary format of PostgreSQL's COPY, made of arrays."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["FOOTER", "HEADER", "bit_texts", "read_bits", "to_rows"]

HEADER, FOOTER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little")[:, 0]
_WIRE = {"i": ">i8", "f": ">f8", "b": "?"}


def to_rows(ids: NDArray[np.int64], words: NDArray[np.uint64], bits: int, columns: Iterable[NDArray[Any]]) -> bytes:
    """Return rows of an id, a `bit(n)` and columns of metadata.

    Parameters
    ----------
    ids : ndarray of int64 of shape (n,)
        Ids.
    words : ndarray of uint64 of shape (n, n_words)
        Packed codes.
    bits : int
        Code length.
    columns : iterable of ndarray of shape (n,)
        int64, float64, bool, or objects that are str.

    Returns
    -------
    rows : bytes
        Each row is the number of its fields, and for each field its length in bytes and its value.
    """
    n, columns = len(ids), list(columns)
    n_bytes = -(-bits // 8)
    code = np.empty((n, 8 + n_bytes), np.uint8)
    code[:, :8] = np.array([4 + n_bytes, bits], ">i4").view(np.uint8)
    code[:, 8:] = _REVERSED[np.ascontiguousarray(words, dtype="<u8").view(np.uint8)[:, :n_bytes]]
    n_fields = np.broadcast_to(np.array([2 + len(columns)], ">i2").view(np.uint8), (n, 2))
    fixed, parts = [n_fields, _field(ids), code], []
    for column in columns:
        if column.dtype != object:
            fixed.append(_field(column))
            continue
        texts = [text.encode() for text in column.tolist()]
        fixed.append(np.array([len(text) for text in texts], ">i4").view(np.uint8).reshape(n, 4))
        parts += [_split(np.hstack(fixed)), texts]
        fixed = []
    if not parts:
        return np.hstack(fixed).tobytes()
    if fixed:
        parts.append(_split(np.hstack(fixed)))
    return b"".join(chain.from_iterable(zip(*parts, strict=True)))


def _field(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the fields of numbers: their lengths and their bytes."""
    wire = np.ascontiguousarray(values.astype(_WIRE[values.dtype.kind]))
    field = np.empty((len(values), 4 + wire.itemsize), np.uint8)
    field[:, :4] = np.array([wire.itemsize], ">i4").view(np.uint8)
    field[:, 4:] = wire.view(np.uint8).reshape(len(values), wire.itemsize)
    return field


def _split(rows: NDArray[np.uint8]) -> list[bytes]:
    """Return the rows of an array as bytes."""
    joined, width = rows.tobytes(), rows.shape[1]
    return [joined[start : start + width] for start in range(0, len(joined), width)]


def read_bits(values: list[bytes], n_words: int) -> NDArray[np.uint64]:
    """Return packed codes of the binary form of `bit(n)`: the length in bits, and bytes whose first bit is the highest.

    Parameters
    ----------
    values : list of bytes
        Codes of one length.
    n_words : int
        Number of words of a code.
    """
    as_bytes = np.zeros((len(values), 8 * n_words), np.uint8)
    if values:
        given = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)[:, 4:]
        as_bytes[:, : given.shape[1]] = _REVERSED[given]
    return as_bytes.view("<u8").astype(np.uint64, copy=False)


def bit_texts(words: NDArray[np.uint64], bits: int) -> list[str]:
    """Return codes as texts of 0 and 1, the form in which `bit(n)` is a parameter."""
    as_bytes = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    digits = np.unpackbits(as_bytes, axis=1, count=bits, bitorder="little") + np.uint8(ord("0"))
    return [row.tobytes().decode() for row in digits]
