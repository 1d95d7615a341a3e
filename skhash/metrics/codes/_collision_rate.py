"""Collisions: how often two samples have the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel
from skhash.codes import pack_codes
from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import count_pairs, number_groups, read_classes, read_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


def collision_rate(
    codes: CodesLike, y: ArrayLike | None = None, *, bits: int | None = None, bitorder: BitOrder = "little"
) -> Score:
    """Compute the share of pairs of distinct samples that have equal codes.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes of at least two samples.
    y : array-like of shape (n,) or (n, n_classes), default=None
        Class labels or a multi-hot 0 / 1 matrix: only pairs that share no label count, because no search can separate
        them if they collide. None counts all pairs.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    score : Score
        From 0 to 1. Smaller is better with `y`; without `y` it depends on the purpose of the codes.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or fewer than two, if `y` has another number of rows, or if all pairs share a
        label.

    See Also
    --------
    code_entropy : The same in bits of information.

    Notes
    -----
    Codes are sorted, pairs are never enumerated. With multi-hot labels the time also grows with the square of the
    number of different label sets.

    Examples
    --------
    >>> from skhash.metrics import collision_rate
    >>> codes = [[0, 0], [0, 0], [0, 0], [1, 1]]
    >>> collision_rate(codes)
    0.5
    >>> collision_rate(codes, ["cat", "cat", "dog", "dog"])
    0.5
    >>> collision_rate(codes, ["cat", "cat", "cat", "dog"])
    0.0
    """
    packed, bits = read_codes(codes, bits, bitorder, at_least=2)
    groups = number_groups(packed)
    pairs, colliding = count_pairs(len(packed)), count_pairs(np.bincount(groups))
    definition = "share of pairs of samples with equal codes"
    if y is not None:
        labels = read_classes(y, len(packed), at_least=1)
        words = pack_codes(labels.codes) if labels.multilabel else labels.codes[:, None]
        pairs -= _count_sharing(np.zeros_like(groups), words, labels.multilabel)
        colliding -= _count_sharing(groups, words, labels.multilabel)
        definition = "share of pairs of samples without a common label that have equal codes"
    if pairs == 0:
        raise ValueError("y must leave at least one pair of samples without a common label, got none.")
    return Score(colliding / pairs, definition)


def _count_sharing(groups: NDArray[np.int64], words, multilabel) -> int:
    """Count the pairs of samples that are in the same group and share a label."""
    sets = number_groups(np.column_stack([groups, number_groups(words)]))
    _, first, sizes = np.unique(sets, return_index=True, return_counts=True)
    if not multilabel:
        return count_pairs(sizes)
    return int(_count_overlapping(groups[first], words[first], sizes))


@kernel
def _count_overlapping(groups, words, sizes):
    """Count the pairs of samples in the same group with a set bit in common; a group's distinct words are adjacent."""
    pairs = 0
    for a in range(len(groups)):
        if words[a].any():
            pairs += sizes[a] * (sizes[a] - 1) // 2
        b = a + 1
        while b < len(groups) and groups[b] == groups[a]:
            common = False
            for word in range(words.shape[1]):
                common |= (words[a, word] & words[b, word]) != 0
            if common:
                pairs += sizes[a] * sizes[b]
            b += 1
    return pairs
