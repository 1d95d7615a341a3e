"""Deviation of the observed class centers from orthogonality."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from skhash.centers import orthogonality
from skhash.metrics._score import Score
from skhash.metrics.codes._class_codes import find_centers, memberships
from skhash.metrics.codes._code_reading import read_classes, read_codes
from skhash.utils import validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


@validate_params({"normalize": ["boolean"]}, prefer_skip_nested_validation=True)
def center_orthogonality(
    codes: CodesLike, y: ArrayLike, *, normalize: bool = True, bits: int | None = None, bitorder: BitOrder = "little"
) -> Score:
    r"""Measure how far the centers of classes, the bitwise majorities of their codes, are from orthogonal.

    Parameters
    ----------
    codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Hash codes.
    y : array-like of shape (n,) or (n, n_classes)
        Class labels or a multi-hot 0 / 1 matrix; at least two classes must have samples.
    normalize : bool, default=True
        Whether to divide inner products by the code length, so that scores of different lengths can be compared and
        orthogonal centers get 0. False uses the paper's formula as printed, to compare with its values.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.

    Returns
    -------
    score : Score
        The deviation, 0 or more; smaller is better.

    Raises
    ------
    ValueError
        If `codes` are not valid codes, `y` has another number of rows, or fewer than two classes have samples.

    See Also
    --------
    skhash.centers.orthogonality : The same for given centers.

    Notes
    -----
    :math:`\lVert H H^\top / K - I \rVert_F` with H the C centers, entries -1 or +1, and K the bits; without the
    division each diagonal entry adds :math:`(K - 1)^2` under the root for any centers.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all: deep hashing with a single cosine similarity based learning objective".
       NeurIPS 2021, algorithm 2.

    Examples
    --------
    >>> from skhash.metrics import center_orthogonality
    >>> codes = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]]
    >>> center_orthogonality(codes, [0, 0, 1])
    0.0
    >>> round(center_orthogonality(codes, [0, 0, 1], normalize=False) ** 2)
    18
    """
    packed, bits = read_codes(codes, bits, bitorder)
    labels = read_classes(y, len(packed))
    n_classes = len(labels.classes)
    deviation = orthogonality(find_centers(packed, bits, memberships(labels), n_classes))
    if not normalize:
        deviation = math.sqrt((bits * deviation) ** 2 + n_classes * (bits - 1) ** 2)
    return Score(deviation, f"Frobenius norm of H H'{' / bits' * normalize} - I, H the -1/+1 class centers")
