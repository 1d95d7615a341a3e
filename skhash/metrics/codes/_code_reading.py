"""Reading of codes and labels for a statistic, unpacking in blocks that fit the memory, and groups of equal rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.codes import as_packed, unpack_codes
from skhash.utils import Labels, memory_batches, read_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike

# Bytes. Larger batches would only leave the processor's cache.
CACHED = 2**25


def read_codes(
    codes: CodesLike, bits: int | None, bitorder: BitOrder, at_least: int = 1
) -> tuple[NDArray[np.uint64], int]:
    """Pack codes of any form into words; return them and the code length."""
    packed, bits = as_packed(codes, bits, bitorder=bitorder)
    if len(packed) < at_least:
        raise ValueError(f"codes must have at least {at_least} row{'s' * (at_least > 1)}, got {len(packed)}.")
    return packed, bits


def read_classes(y: ArrayLike | None, n_codes: int, *, at_least: int = 2) -> Labels:
    """Read the labels of `n_codes` codes; label columns without any sample are dropped."""
    if y is None:
        raise ValueError("y must be class labels or a multi-hot matrix, got None.")
    labels = read_labels(y)
    if len(labels) != n_codes:
        raise ValueError(f"y must have one row per code, {n_codes}, got {len(labels)}.")
    if labels.multilabel:
        used = labels.codes.any(axis=0)
        labels = Labels(labels.codes[:, used], labels.classes[used])
    if len(labels.classes) < at_least:
        raise ValueError(f"y must contain at least {at_least} classes with samples, got {len(labels.classes)}.")
    return labels


def bit_rows(packed: NDArray[np.uint64], bits: int, *, bytes_per_bit: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Yield blocks of whole codes, one bit per column; the caller needs `bytes_per_bit` more bytes for each bit."""
    for rows in memory_batches(len(packed), (1 + bytes_per_bit) * bits, max_bytes=CACHED):
        yield unpack_codes(packed[rows], bits)


def bit_columns(
    packed: NDArray[np.uint64], bits: int, *, rows: slice | NDArray[np.int64] = slice(None), bytes_per_bit: int = 1
) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """Yield a few bits of all codes (or of those in `rows`) at a time, as their positions and uint8 values."""
    for word in range(packed.shape[1]):
        words = packed[rows, word]
        # Not limited to the cache: every batch reads all codes again. 17 bytes are for the shifted word, the masked
        # one and its uint8 copy.
        for places in memory_batches(min(bits - 64 * word, 64), (17 + bytes_per_bit) * len(words)):
            shifts = np.arange(places.start, places.stop, dtype=np.uint64)
            values = ((words[:, None] >> shifts) & np.uint64(1)).astype(np.uint8)
            yield slice(64 * word + places.start, 64 * word + places.stop), values


def number_groups(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Number the groups of equal rows in lexicographic order; return the number of each row's group."""
    order = np.lexsort(rows.T[::-1])
    ranked = rows[order]
    differs = np.zeros(len(rows), dtype=bool)
    differs[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    groups = np.empty(len(rows), dtype=np.int64)
    groups[order] = np.cumsum(differs)
    return groups


def count_pairs(sizes: ArrayLike) -> int:
    """Count the unordered pairs of distinct members of the same group, for groups of these sizes."""
    sizes = np.asarray(sizes, dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())
