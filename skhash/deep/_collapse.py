"""A warning if training has given nearly all samples one code, or left many bits constant."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import numpy as np

from skhash.inputs import SampleSubset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.deep._hasher import DeepHasher
    from skhash.inputs import Samples
    from skhash.utils import Labels

_ROWS = 512  # samples that are looked at, evenly spaced
_FEWEST = 50  # codes of fewer samples may be equal by chance
_FEWEST_EPOCHS = 5  # shorter trainings are trials, whose codes may not have separated yet


def warn_of_collapse(hasher: DeepHasher, samples: Samples, labels: Labels | None) -> None:
    """Warn if the codes of training samples are nearly all equal or have too many constant bits."""
    if len(samples) < _FEWEST or len(hasher.history_) < _FEWEST_EPOCHS:
        return
    rows = np.unique(np.linspace(0, len(samples) - 1, _ROWS).astype(np.int64))
    codes = hasher._encode(cast("Samples", SampleSubset(samples, rows)))
    trouble = _describe(codes, None if labels is None else labels.codes[rows])
    if trouble is None:
        return
    if samples.kind == "features" and not hasher.recipe_.standardize:
        cure = "features of a large or small scale may be the cause: set standardize=True or scale them"
    else:
        cure = "lower learning_rate, train for more epochs, or try less dropout or another loss"
    warnings.warn(f"{trouble}, so {type(hasher).__name__} can hardly tell samples apart; {cure}.", stacklevel=2)


def _describe(codes: NDArray[np.uint8], labels: NDArray[np.integer] | None) -> str | None:
    n, bits = codes.shape
    # Samples of one class, or of one cluster, should have one code. So how many codes and bits must differ depends on
    # the number of classes, and is unknown without labels.
    classes, largest = 2, 0.9
    if labels is not None:
        sizes = np.unique(labels, axis=0, return_counts=True)[1]
        classes, largest = len(sizes), sizes.max() / n
    equal = np.unique(codes, axis=0, return_counts=True)[1].max()
    if equal / n > max(0.9, 1 - (1 - largest) / 2):
        return f"{equal} of {n} training codes are equal"
    constant = int((codes == codes[0]).all(axis=0).sum())
    # A bit of random centers of k classes is constant with probability 2^(1 - k).
    if classes > 1 and constant > bits * (0.5 + 0.5 ** (classes - 1)):
        return f"{constant} of {bits} bits are the same in all {n} training codes that were looked at"
    return None
