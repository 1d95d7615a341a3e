"""Histograms of the Hamming distances within classes and between classes."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._code_reading import read_classes, read_codes
from skhash.metrics.codes._mean_distances import mean_distances
from skhash.metrics.ranking._retrieval import read_retrieval
from skhash.utils import validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike

_SEPARABILITY = "separability: mean Hamming distance of pairs that share no label minus that of pairs that do"


@dataclass(frozen=True, eq=False)
class DistanceHistograms:
    """Numbers of pairs of distinct samples at each Hamming distance.

    Parameters
    ----------
    intra : ndarray of int64 of shape (bits + 1,)
        Numbers of pairs that share a label.
    inter : ndarray of int64 of shape (bits + 1,)
        Numbers of pairs that share no label.
    definition : str
        Definition of the counts in one line.
    """

    intra: NDArray[np.int64]
    inter: NDArray[np.int64]
    definition: str = "unordered pairs of distinct samples by Hamming distance; intra shares a label, inter does not"

    @property
    def separability(self) -> Score:
        """Mean inter-class minus mean intra-class distance, in bits; NaN if there is no pair of either kind."""
        distances = np.arange(len(self.intra))
        with np.errstate(invalid="ignore"):
            means = [np.float64(pairs @ distances) / pairs.sum() for pairs in (self.inter, self.intra)]
        return Score(means[0] - means[1], _SEPARABILITY)


@validate_params({"n_jobs": [Integral, None]}, prefer_skip_nested_validation=True)
def distance_histograms(
    codes: CodesLike, y: ArrayLike, *, bits: int | None = None, bitorder: BitOrder = "little", n_jobs: int | None = None
) -> DistanceHistograms:
    """Count all pairs of distinct samples by their Hamming distance, with and without a label in common.

    Parameters
    ----------
    codes : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
        Codes, at least two.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Class labels or a multi-hot matrix.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    histograms : DistanceHistograms
        The counts `intra` and `inter` and their `separability`.

    Examples
    --------
    >>> from skhash.metrics import distance_histograms
    >>> pairs = distance_histograms([[0, 0, 0], [0, 0, 1], [1, 1, 1]], ["cat", "cat", "dog"])
    >>> pairs.intra, pairs.inter
    (array([0, 1, 0, 0]), array([0, 0, 1, 1]))
    >>> pairs.separability
    1.5
    """
    retrieval = read_retrieval(codes, codes, y, y, exclude_self=True, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    bits = retrieval.bits
    batches = retrieval.groups(lambda _, *counted: np.stack([each.sum(axis=0) for each in counted])[:, : bits + 1])
    sums = sum((result for _, result in batches), np.zeros((2, bits + 1), np.int64))
    pairs, intra = sums // 2  # every pair was counted from both sides
    return DistanceHistograms(intra, pairs - intra)


def separability(codes: CodesLike, y: ArrayLike, *, bits: int | None = None, bitorder: BitOrder = "little") -> Score:
    """Compute the mean Hamming distance between classes minus that within classes, over all pairs of distinct samples.

    Parameters
    ----------
    codes : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
        Codes, at least two.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Class labels or a multi-hot matrix; a pair is within a class if it shares a label.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    separability : Score
        In bits, the larger the better; NaN if there is no pair within classes or none between classes.

    Notes
    -----
    The means follow from the numbers of ones of each bit and class; pairs are never enumerated.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all". NeurIPS 2021, appendix D.7.

    Examples
    --------
    >>> from skhash.metrics import separability
    >>> separability([[0, 0, 0], [0, 0, 1], [1, 1, 1]], ["cat", "cat", "dog"])
    1.5
    """
    packed, bits = read_codes(codes, bits, bitorder, at_least=2)
    intra, inter = mean_distances(packed, bits, read_classes(y, len(packed), at_least=1))
    return Score(inter - intra, _SEPARABILITY)
