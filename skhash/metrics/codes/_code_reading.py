"""Codes and labels read for a statistic, and codes unpacked in blocks that fit scikit-learn's `working_memory`."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches

from skhash.codes import as_packed, unpack_codes
from skhash.utils import Labels, read_labels

CACHED = 2**25  # bytes; larger batches only leave the processor's cache


def read_codes(codes, bits, at_least=1):
    """Bring codes in any form to packed words, and give their length."""
    packed, bits = as_packed(codes, bits)
    if len(packed) < at_least:
        raise ValueError(f"codes must have at least {at_least} row{'s' * (at_least > 1)}, got {len(packed)}.")
    return packed, bits


def read_classes(y, n_codes, *, at_least=2):
    """Read the labels of `n_codes` codes; label columns without any sample are no classes."""
    if y is None:
        raise ValueError("y must be class labels or a multi-hot matrix, got None.")
    labels = read_labels(y)
    if len(labels) != n_codes:
        raise ValueError(f"codes have {n_codes} rows, but y has {len(labels)}.")
    if labels.multilabel:
        used = labels.codes.any(axis=0)
        labels = Labels(labels.codes[:, used], labels.classes[used])
    if len(labels.classes) < at_least:
        raise ValueError(f"y must hold at least {at_least} classes with samples, got {len(labels.classes)}.")
    return labels


def batches(n_rows, bytes_per_row, *, most=CACHED):
    """Slice `n_rows` rows into batches that take at most `working_memory` and `most` bytes each, or are one row."""
    size = min(get_config()["working_memory"] * 2**20, most) // bytes_per_row
    return gen_batches(n_rows, int(max(min(size, n_rows), 1)))


def bit_rows(packed, bits, *, bytes_per_bit=1):
    """Yield blocks of whole codes, one bit per column; `bytes_per_bit` is what the caller makes of each."""
    for rows in batches(len(packed), (1 + bytes_per_bit) * bits):
        yield unpack_codes(packed[rows], bits)


def bit_columns(packed, bits, *, rows=slice(None), bytes_per_bit=1):
    """Yield a few bits of all codes (or of those in `rows`) at a time, as their positions and uint8 values."""
    for word in range(packed.shape[1]):
        words = packed[rows, word]
        for places in batches(min(bits - 64 * word, 64), (17 + bytes_per_bit) * len(words), most=np.inf):
            shifts = np.arange(places.start, places.stop, dtype=np.uint64)
            values = ((words[:, None] >> shifts) & np.uint64(1)).astype(np.uint8)
            yield slice(64 * word + places.start, 64 * word + places.stop), values
