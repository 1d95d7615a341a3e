"""Where the codes of each class are: their center, and the distances to it and between centers, counted."""

import numpy as np

from skhash.bitops import kernel, popcount
from skhash.centers import class_centers
from skhash.codes import pack_codes
from skhash.metrics.codes._code_reading import CACHED, bit_columns
from skhash.utils import memory_batches


def memberships(labels):
    """List all (row, class) pairs, as two arrays: one pair per sample, or one per label of a multi-hot matrix."""
    return np.nonzero(labels.codes) if labels.multilabel else (np.arange(len(labels)), labels.codes)


def find_centers(packed, bits, members, n_classes):
    """Find the bitwise majority of each class, entries -1 or +1.

    Bits are independent of each other, so a few at a time bound the memory.
    """
    rows, classes = members
    centers = np.empty((n_classes, bits), dtype=np.int8)
    for places, values in bit_columns(packed, bits, rows=rows, bytes_per_bit=16):
        centers[:, places] = class_centers(values, classes, n_classes)
    return centers


def count_own_distances(packed, bits, members, centers):
    """Count the (row, class) pairs at each Hamming distance from the row's code to the class center."""
    words = pack_codes(centers)
    count = np.zeros(bits + 1, dtype=np.int64)
    rows, classes = members
    for part in memory_batches(len(rows), 32 * words.shape[1] + 16, max_bytes=CACHED):
        distances = np.bitwise_count(packed[rows[part]] ^ words[classes[part]]).sum(axis=1, dtype=np.int64)
        count += np.bincount(distances, minlength=bits + 1)
    return count


def count_center_distances(centers):
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
                distance += popcount(words[a, word] ^ words[b, word])
            count[distance] += 1
    return count
