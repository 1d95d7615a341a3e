"""Equal rows, found by sorting."""

import numpy as np


def number_groups(rows):
    """Number the groups of equal rows in lexicographic order, and give each row's number."""
    order = np.lexsort(rows.T[::-1])
    ranked = rows[order]
    differs = np.zeros(len(rows), dtype=bool)
    differs[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    groups = np.empty(len(rows), dtype=np.int64)
    groups[order] = np.cumsum(differs)
    return groups


def count_pairs(sizes):
    """Count the unordered pairs of distinct members of one group, for groups of these sizes."""
    sizes = np.asarray(sizes, dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())
