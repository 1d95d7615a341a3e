"""Mean distances within and between classes, from the number of ones at each bit; pairs are never enumerated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from skhash.codes import pack_codes
from skhash.metrics.codes._code_reading import CACHED, bit_columns, count_pairs, number_groups
from skhash.utils import memory_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import Labels


def mean_distances(packed: NDArray[np.uint64], bits: int, labels: Labels) -> tuple[float, float]:
    """Compute the mean Hamming distances of pairs of distinct samples that share a label, and of pairs that do not.

    Of `n` codes with `m` ones at a bit, `m * (n - m)` pairs differ at that bit. Samples are grouped by their label or
    set of labels; a mean is NaN if there is no pair.
    """
    groups, first = labels.codes, None
    if labels.multilabel:
        groups = number_groups(pack_codes(labels.codes))
        first = np.unique(groups, return_index=True)[1]
    sizes = np.bincount(groups)
    member = csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=(len(sizes), len(groups)))

    def sum_over_sharing(values):
        """Sum rows of group values over the groups that share a label with each group."""
        if first is None:
            return values
        labels_of = labels.codes[first].astype(np.float32)
        parts = memory_batches(len(first), 13 * len(first), max_bytes=CACHED)
        return np.vstack([((labels_of[part] @ labels_of.T) > 0).astype(np.float64) @ values for part in parts])

    within = overall = 0.0
    for _, values in bit_columns(packed, bits, bytes_per_bit=32):
        # `ones * zeros` counts each differing pair of samples once, whichever of the two has the 1.
        ones = member @ values.astype(np.float64)
        zeros = sizes[:, None] - ones
        within += float((ones * sum_over_sharing(zeros)).sum())
        overall += float((ones.sum(axis=0) * zeros.sum(axis=0)).sum())
    # Every labeled sample was counted as sharing a label with itself, and every pair twice.
    labeled = int(labels.codes.any(axis=1).sum()) if labels.multilabel else len(groups)
    sharing = (float(sizes @ sum_over_sharing(sizes[:, None].astype(np.float64))[:, 0]) - labeled) / 2
    others = count_pairs(len(groups)) - sharing
    return within / sharing if sharing else np.nan, (overall - within) / others if others else np.nan
