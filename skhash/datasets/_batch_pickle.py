"""Read the pickled batches of CIFAR-10 and CIFAR-100."""

import numpy as np

from skhash.datasets._safe_pickle import read_pickle


def read_batch(data, name, title="CIFAR-10", labels="labels"):
    """Read one pickled batch from bytes: its pixels and its labels, both arrays.

    `labels` is the key that they have in the batch.
    """

    def build(batch):
        pixels = batch["data"]
        if pixels.dtype != np.uint8:
            raise ValueError(f"an array has type {pixels.dtype.str[1:]!r} instead of 'u1'")
        return pixels, np.asarray(batch[labels])

    expected = f"expected a pickled dict of 'data', an array of uint8, and {labels!r}"
    return read_pickle(data, name, build, what=f"batch of {title}", expected=expected)
