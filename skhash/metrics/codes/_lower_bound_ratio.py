"""Lower-bound ratio of average precision: distance between classes over distance within classes."""

from __future__ import annotations

from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.codes._class_codes import count_center_distances, count_own_distances, find_centers, memberships
from skhash.metrics.codes._code_reading import read_classes, read_codes
from skhash.utils import Interval, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


@validate_params(
    {"percentile": [Interval(Real, 0, 100, closed="right")]},
    prefer_skip_nested_validation=True,
)
def lower_bound_ratio(
    codes: CodesLike, y: ArrayLike, *, percentile: float = 99.9, bits: int | None = None, bitorder: BitOrder = "little"
) -> Score:
    r"""Compute the lower-bound ratio: distance between class centers over distance of codes from their own center.

    The center of a class is the bitwise majority of its codes. The larger the ratio, the higher the lower bound of
    average precision. It takes one pass over the codes, whereas mean average precision compares all pairs: a cheap
    substitute while models are tuned or selected.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes.
    y : array-like of shape (n,) or (n, n_classes)
        Class labels or a multi-hot 0 / 1 matrix; a sample with several labels counts for each of these classes. At
        least two classes must have samples.
    percentile : float, default=99.9
        Percentage that counts, above 0 and up to 100; the rest are outliers. The numerator is the largest distance that
        this percentage of the pairs of centers reach or exceed, the denominator the smallest distance that this
        percentage of the codes do not exceed from their center. 100 takes the plain minimum and maximum, and so does
        99.9 for up to 45 classes and fewer than 1,000 codes.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    score : Score
        The ratio, 0 or more; greater is better. 0 if centers coincide, infinity if all codes that count are equal to
        their center and the centers differ.

    Raises
    ------
    ValueError
        If `codes` are not valid codes, `y` has another number of rows, or fewer than two classes have samples.

    See Also
    --------
    make_code_scorer : The same as a `scoring=` of scikit-learn.
    mean_average_precision : The score that it substitutes.
    skhash.centers.class_centers : The bitwise majority.

    Notes
    -----
    With :math:`c^j` the center of class j, d the Hamming distance and :math:`b^i` the code of sample i,

    .. math::

        \frac{\min \mathcal{D}_{inter}}{\max \mathcal{D}_{intra}}, \qquad
        \mathcal{D}_{inter} = \{ d(c^j, c^k) : j < k \}, \qquad
        \mathcal{D}_{intra} = \{ d(b^i, c^j) : i \text{ has label } j \}.

    In the paper, "the 99.9 percentile of :math:`\min \mathcal{D}_{inter}` and :math:`\max \mathcal{D}_{intra}` is
    picked to avoid outliers". Here this means leaving out the smallest 0.1 % of the distances between centers and the
    largest 0.1 % of those within classes. Distances are counted, not stored: memory grows with the samples and their
    labels only.

    The paper does not define 0 / 0, which occurs if all codes are equal; as these are the worst codes, the ratio is 0.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance" (LBHash). NeurIPS
       2022, equation 1, the ablation study of section 6 and appendix C.1.

    Examples
    --------
    Two classes with centers 111000 and 000111; one code is two bits from its center.

    >>> from skhash.metrics import lower_bound_ratio
    >>> codes = [[1, 1, 1, 0, 0, 0]] * 3 + [[0, 0, 0, 1, 1, 1]] * 3 + [[0, 1, 0, 1, 1, 0]]
    >>> lower_bound_ratio(codes, ["a", "a", "a", "b", "b", "b", "b"])
    3.0
    >>> lower_bound_ratio(codes, ["a", "a", "a", "b", "b", "b", "b"], percentile=80)
    inf
    """
    packed, bits = read_codes(codes, bits, bitorder)
    labels = read_classes(y, len(packed))
    members = memberships(labels)
    centers = find_centers(packed, bits, members, len(labels.classes))
    between = _reached_by(count_center_distances(centers), percentile)
    within = bits - _reached_by(count_own_distances(packed, bits, members, centers)[::-1], percentile)
    ratio = between / within if within else (np.inf if between else 0.0)
    counted = f"{percentile:g} % of either counted"
    return Score(ratio, f"least distance of two class centers / largest of a code from its own, {counted}")


def _reached_by(count: NDArray[np.int64], percentile: float) -> int:
    """Find the largest distance that `percentile` percent of the counted pairs reach or exceed."""
    left_out = int((100 - Fraction(str(percentile))) / 100 * int(count.sum()))  # exact: 0.1 is not a float
    return int(np.searchsorted(np.cumsum(count), left_out, side="right"))
