"""Centers of the classes, and counts of the distances from codes to their center and between centers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel, popcount
from skhash.centers import class_centers
from skhash.codes import pack_codes
from skhash.metrics.codes._code_reading import CACHED, bit_columns
from skhash.utils import memory_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import Labels


def memberships(labels: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List all (row, class) pairs, as two arrays: one pair per sample, or one per label of a multi-hot matrix."""
    if labels.multilabel:
        rows, classes = np.nonzero(labels.codes)
        return rows, classes
    return np.arange(len(labels)), labels.codes


def find_centers(
    packed: NDArray[np.uint64], bits: int, members: tuple[NDArray[np.int64], NDArray[np.int64]], n_classes: int
) -> NDArray[np.int8]:
    """Find the bitwise majority of each class, entries -1 or +1.

    Bits are independent of each other, so they are unpacked a few at a time to bound the memory.
    """
    rows, classes = members
    centers = np.empty((n_classes, bits), dtype=np.int8)
    for places, values in bit_columns(packed, bits, rows=rows, bytes_per_bit=16):
        centers[:, places] = class_centers(values, classes, n_classes)
    return centers


def count_own_distances(
    packed: NDArray[np.uint64],
    bits: int,
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    centers: NDArray[np.int8],
) -> NDArray[np.int64]:
    """Count the (row, class) pairs at each Hamming distance from the row's code to the class center."""
    words = pack_codes(centers)
    count = np.zeros(bits + 1, dtype=np.int64)
    rows, classes = members
    for part in memory_batches(len(rows), 32 * words.shape[1] + 16, max_bytes=CACHED):
        distances = np.bitwise_count(packed[rows[part]] ^ words[classes[part]]).sum(axis=1, dtype=np.int64)
        count += np.bincount(distances, minlength=bits + 1)
    return count


def count_center_distances(centers: NDArray[np.int8]) -> NDArray[np.int64]:
    """Count the pairs of centers at each Hamming distance from each other."""
    return _count_pairs(pack_codes(centers), centers.shape[1])


@kernel
def _count_pairs(words, bits):
    """Count the unordered pairs of rows at each Hamming distance."""
    count = np.zeros(bits + 1, np.int64)
    for a in range(len(words)):
        for b in range(a):
            distance = 0
            for word in range(words.shape[1]):
                distance += popcount(words[a, word] ^ words[b, word])  # pyright: ignore[reportCallIssue]
            count[distance] += 1
    return count
