"""All statistics of a set of codes at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._bit_balance import bit_balance
from skhash.metrics.codes._bit_correlation import bit_correlation
from skhash.metrics.codes._center_orthogonality import center_orthogonality
from skhash.metrics.codes._code_entropy import bit_entropy, code_entropy
from skhash.metrics.codes._code_reading import read_classes, read_codes
from skhash.metrics.codes._collision_rate import collision_rate
from skhash.metrics.codes._lower_bound_ratio import lower_bound_ratio
from skhash.metrics.codes._mean_distances import mean_distances
from skhash.metrics.codes._quantization_error import quantization_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


@dataclass(frozen=True, repr=False)
class CodeStatistics:
    """Statistics of a set of codes, as `code_statistics` computes them; its repr is a table.

    Parameters
    ----------
    n_codes : int
        Number of codes.
    bits : int
        Code length.
    bit_balance : Score
        See `bit_balance`.
    bit_correlation : Score
        See `bit_correlation`.
    bit_entropy : Score
        See `bit_entropy`.
    code_entropy : Score
        See `code_entropy`.
    collision_rate : Score
        Collision rate of all pairs, see `collision_rate`.
    different_class_collision_rate : Score, default=None
        Collision rate of the pairs that share no label; None without labels, like the next three.
    lower_bound_ratio : Score, default=None
        See `lower_bound_ratio`.
    separability : Score, default=None
        Mean distance of pairs that share no label, minus that of pairs that share one, in bits.
    center_orthogonality : Score, default=None
        See `center_orthogonality`.
    quantization_error : Score, default=None
        See `quantization_error`; None without continuous codes.
    """

    n_codes: int
    bits: int
    bit_balance: Score
    bit_correlation: Score
    bit_entropy: Score
    code_entropy: Score
    collision_rate: Score
    different_class_collision_rate: Score | None = None
    lower_bound_ratio: Score | None = None
    separability: Score | None = None
    center_orthogonality: Score | None = None
    quantization_error: Score | None = None

    @property
    def definitions(self) -> dict[str, str]:
        """Definition of each statistic, a dict of str by the statistic's name."""
        return {name: score.definition for name, score in self._scores()}

    def _scores(self) -> list[tuple[str, Score]]:
        """List the names and values of the statistics that are not None."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self)[2:])
        return [(name, score) for name, score in values if score is not None]

    def __repr__(self) -> str:
        lines = [f"{name:30} {score:10.4g}  {score.definition}" for name, score in self._scores()]
        return "\n".join([f"Statistics of {self.n_codes} codes of {self.bits} bits", *lines])


def code_statistics(
    codes: CodesLike,
    y: ArrayLike | None = None,
    z: ArrayLike | None = None,
    *,
    percentile: float = 99.9,
    bits: int | None = None,
    bitorder: BitOrder = "little",
) -> CodeStatistics:
    """Compute all statistics of a set of codes.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes of at least two samples.
    y : array-like of shape (n,) or (n, n_classes), default=None
        Class labels or a multi-hot 0 / 1 matrix, for the statistics of classes; at least two classes must have samples.
    z : array-like of shape (n, bits), default=None
        Continuous codes, for the quantization error.
    percentile : float, default=99.9
        As in `lower_bound_ratio`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    statistics : CodeStatistics
        One attribute per statistic, None where `y` or `z` is required and was not passed; its repr is a table.

    Raises
    ------
    ValueError
        If `codes` are not valid codes or fewer than two, if `y` or `z` has another shape, or if `y` has fewer than two
        classes with samples.

    Notes
    -----
    Time grows with n log n; with several labels per sample also with the square of the number of different label sets.
    Besides the codes, their labels and a few numbers per code, memory is bounded by scikit-learn's `working_memory`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import code_statistics
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=16, random_state=0).fit(X)
    >>> statistics = code_statistics(hasher.transform(X), y, hasher.decision_function(X))
    >>> statistics.bit_balance < 0.2
    True
    >>> print(statistics)
    Statistics of 1797 codes of 16 bits
    bit_balance                       ...  mean over bits of |mean of the bit as -1/+1|
    ...
    """
    packed, bits = read_codes(codes, bits, bitorder, at_least=2)
    found = {
        "bit_balance": bit_balance(packed, bits=bits),
        "bit_correlation": bit_correlation(packed, bits=bits),
        "bit_entropy": bit_entropy(packed, bits=bits),
        "code_entropy": code_entropy(packed, bits=bits),
        "collision_rate": collision_rate(packed, bits=bits),
    }
    if y is not None:
        labels = read_classes(y, len(packed))
        y = labels.codes
        within, between = mean_distances(packed, bits, labels)
        found |= {
            "different_class_collision_rate": collision_rate(packed, y, bits=bits),
            "lower_bound_ratio": lower_bound_ratio(packed, y, percentile=percentile, bits=bits),
            "separability": Score(between - within, "mean distance of pairs that share no label - of those that do"),
            "center_orthogonality": center_orthogonality(packed, y, bits=bits),
        }
    if z is not None:
        if tuple(np.shape(z)) != (len(packed), bits):
            raise ValueError(f"z must have the shape of the codes, {(len(packed), bits)}, got {tuple(np.shape(z))}.")
        found["quantization_error"] = quantization_error(z)
    return CodeStatistics(len(packed), bits, **found)
