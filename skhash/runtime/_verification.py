"""Do two ways to compute codes give the same ones, and how near to a threshold do they come?"""

from dataclasses import dataclass

import numpy as np

__all__ = ["CodeComparison", "compare_codes"]


@dataclass(frozen=True, repr=False)
class CodeComparison:
    """What `compare_codes` found; printing it gives sentences.

    Parameters
    ----------
    n_samples, bits : int
        How many codes of which length.
    n_differing_bits, n_differing_codes : int
        How many bits differ, and how many codes have such bits.
    n_differing_values : int
        How many continuous values differ in any way.
    largest_difference : float
        Of two continuous values.
    largest_differing : float
        The largest magnitude that a value has, in either way to compute it, whose bit differs; 0 without any.
    smallest_margin : float
        The smallest magnitude of an expected value.
    near : float
        What magnitude is small.
    n_near : int
        How many expected values have a smaller one: bits that another order of summation could flip.
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
    def equal(self):
        """Whether all codes are the same."""
        return self.n_differing_bits == 0

    def __repr__(self):
        n = self.n_samples * self.bits
        which = f", none with |z| above {self.largest_differing:.1e}" if self.n_differing_bits else ""
        return (
            f"{self.n_differing_bits} of {n} bits differ, in {self.n_differing_codes} of {self.n_samples} codes"
            f"{which}.\n"
            f"{self.n_differing_values} of {n} values z differ, by at most {self.largest_difference:.1e}.\n"
            f"|z| is at least {self.smallest_margin:.1e}, and below {self.near:.0e} in {self.n_near} of {n} values."
        )


def compare_codes(expected, found, *, near=1e-4):
    """Compare continuous codes that were computed in two ways.

    Parameters
    ----------
    expected, found : array-like of shape (n_samples, bits)
        Continuous codes of the same samples; bits are 1 where they are at least 0.
    near : float, default=1e-4
        Below which magnitude an expected value counts as near to 0.

    Returns
    -------
    comparison : CodeComparison
        How many bits differ, and how near to 0 values come.

    Raises
    ------
    ValueError
        If the two have different shapes, or hold NaN.

    Examples
    --------
    >>> from skhash.runtime import compare_codes
    >>> compare_codes([[1.0, -0.5], [2.0, 1e-6]], [[1.0, -0.5], [2.0, -1e-6]])
    1 of 4 bits differ, in 1 of 2 codes, none with |z| above 1.0e-06.
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
        raise ValueError("expected or found holds NaN.")
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
