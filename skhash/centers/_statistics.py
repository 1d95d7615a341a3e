"""Statistics of hash centers: distinct columns, orthogonality, and the centers of the codes of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from skhash.codes import binarize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def distinct_columns(centers: ArrayLike) -> int:
    """Count the bits that separate classes, each in a different way.

    Equal or opposite columns count once, because a bit and its negation carry the same information, and constant
    columns do not count. Codes trained toward centers with fewer such columns than bits repeat bits.

    Parameters
    ----------
    centers : ndarray of shape (n_classes, bits)
        Entries -1 or +1.

    Returns
    -------
    n_columns : int
        At most `bits`, and at most `2 ** (n_classes - 1) - 1`.

    Examples
    --------
    >>> from skhash.centers import distinct_columns, hadamard_centers, levenshtein_centers
    >>> distinct_columns(hadamard_centers(10, 64)), distinct_columns(levenshtein_centers(10, 64, random_state=0))
    (15, 62)
    """
    differs = np.asarray(centers) != np.asarray(centers)[0]  # makes opposite columns equal, and constant ones False
    columns = np.packbits(differs, axis=0).T
    return len({column.tobytes() for column in columns if column.any()})


def class_centers(codes: ArrayLike, targets: ArrayLike, n_classes: int) -> NDArray[np.int8]:
    """Compute the center of each class: the bitwise majority of its codes, with the smallest sum of distances to them.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, bits)
        Bits, 0 or 1.
    targets : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Class indices, or 1 where a sample belongs to a class; a sample counts for each of its classes.
    n_classes : int
        Number of classes.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1; +1 for ties and for classes without samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.centers import class_centers
    >>> class_centers(np.array([[1, 0], [1, 0], [0, 1]]), np.array([0, 0, 1]), 2)
    array([[ 1, -1],
           [-1,  1]], dtype=int8)
    """
    signed = 2.0 * np.asarray(codes) - 1.0
    members: Any = np.asarray(targets)
    if members.ndim == 1:  # sparse, because samples x classes can be far more than samples x bits
        ones, rows = np.ones(len(members)), np.arange(len(members))
        members = csr_array((ones, (rows, members)), shape=(len(members), n_classes))
    return 2 * binarize(members.T @ signed).astype(np.int8) - 1


def orthogonality(centers: ArrayLike) -> float:
    r"""Compute the deviation of centers from orthogonality.

    Parameters
    ----------
    centers : ndarray of shape (n_classes, bits)
        Entries -1 or +1.

    Returns
    -------
    deviation : float
        :math:`\lVert H H^\top / K - I \rVert_F`, with H the centers and K the bits; 0 for orthogonal ones.

    Notes
    -----
    It is computed from :math:`H^\top H` of shape (bits, bits), because there may be far more classes than bits:
    :math:`\lVert H H^\top / K - I \rVert_F^2 = \lVert H^\top H \rVert_F^2 / K^2 - C` for C centers of entries -1 or +1.

    References
    ----------
    .. [1] J. T. Hoe et al. "One loss for all: deep hashing with a single cosine similarity based learning objective".
       NeurIPS 2021, algorithm 2, which omits the division by K, so that the diagonal would be K.

    Examples
    --------
    >>> from skhash.centers import hadamard_centers, orthogonality
    >>> orthogonality(hadamard_centers(8, 8))
    0.0
    """
    centers = np.asarray(centers, dtype=np.float64)
    n_classes, bits = centers.shape
    squared = np.sum((centers.T @ centers) ** 2) / bits**2 - n_classes
    return float(np.sqrt(max(squared, 0.0)))
