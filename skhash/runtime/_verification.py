"""Comparison of codes that were computed in two ways, and of their distances from the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["CodeComparison", "compare_codes"]


@dataclass(frozen=True, repr=False)
class CodeComparison:
    """Result of `compare_codes`; printing it shows a summary.

    Parameters
    ----------
    n_samples, bits : int
        Number of codes, and their length.
    n_differing_bits, n_differing_codes : int
        Number of bits that differ, and of codes that have such bits.
    n_differing_values : int
        Number of continuous values that differ at all.
    largest_difference : float
        Largest difference of two continuous values.
    largest_differing : float
        Largest magnitude of a value, computed in either way, whose bit differs; 0 if no bit does.
    smallest_margin : float
        Smallest magnitude of an expected value.
    near : float
        Magnitude below which a value counts as near to 0.
    n_near : int
        Number of expected values near to 0: bits that another order of summation could flip.
    """

    n_samples: int
    bits: int
    n_differing_bits: int
    n_differing_codes: int
    n_differing_values: int
    largest_difference: float
    largest_differing: float
    smallest_margin: float
    near: float
    n_near: int

    @property
    def equal(self) -> bool:
        """True if all codes are equal."""
        return self.n_differing_bits == 0

    def __repr__(self) -> str:
        n = self.n_samples * self.bits
        which = f", all with |z| <= {self.largest_differing:.1e}" if self.n_differing_bits else ""
        return (
            f"{self.n_differing_bits} of {n} bits differ, in {self.n_differing_codes} of {self.n_samples} codes"
            f"{which}.\n"
            f"{self.n_differing_values} of {n} values z differ, by at most {self.largest_difference:.1e}.\n"
            f"|z| is at least {self.smallest_margin:.1e}, and below {self.near:.0e} in {self.n_near} of {n} values."
        )


def compare_codes(expected: ArrayLike, found: ArrayLike, *, near: float = 1e-4) -> CodeComparison:
    """Compare continuous codes that were computed in two ways.

    Parameters
    ----------
    expected, found : array-like of shape (n_samples, bits)
        Continuous codes of the same samples; bits are 1 where they are at least 0.
    near : float, default=1e-4
        Magnitude below which an expected value counts as near to 0.

    Returns
    -------
    comparison : CodeComparison
        Number of differing bits, and how near to 0 the values come.

    Raises
    ------
    ValueError
        If the two have different shapes, or contain NaN.

    Examples
    --------
    >>> from skhash.runtime import compare_codes
    >>> compare_codes([[1.0, -0.5], [2.0, 1e-6]], [[1.0, -0.5], [2.0, -1e-6]])
    1 of 4 bits differ, in 1 of 2 codes, all with |z| <= 1.0e-06.
    1 of 4 values z differ, by at most 2.0e-06.
    |z| is at least 1.0e-06, and below 1e-04 in 1 of 4 values.
    """
    expected, found = np.asarray(expected), np.asarray(found)
    if expected.ndim != 2 or expected.size == 0 or found.shape != expected.shape:
        raise ValueError(
            f"expected and found must be continuous codes of one shape (n_samples, bits), not empty, got shapes "
            f"{expected.shape} and {found.shape}."
        )
    if np.isnan(expected).any() or np.isnan(found).any():
        raise ValueError("expected and found must not contain NaN.")
    differ = (expected >= 0) != (found >= 0)
    margins = np.abs(expected)
    distance = np.abs(found.astype(np.float64) - expected)
    return CodeComparison(
        *expected.shape,
        n_differing_bits=int(differ.sum()),
        n_differing_codes=int(differ.any(axis=1).sum()),
        n_differing_values=int((distance > 0).sum()),
        largest_difference=float(distance.max()),
        largest_differing=float(np.maximum(margins, np.abs(found))[differ].max(initial=0)),
        smallest_margin=float(margins.min()),
        near=near,
        n_near=int((margins < near).sum()),
    )
