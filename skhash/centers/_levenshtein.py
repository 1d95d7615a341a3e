"""Codes that meet Plotkin's bound, concatenated from rows of Hadamard matrices.

V. I. Levenshtein, "The application of Hadamard matrices to a problem in coding", Problems of Cybernetics 5, 1964.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._checks import NoCentersError, checked
from skhash.centers._draws import best_of
from skhash.centers._hadamard_matrix import hadamard_rows, has_hadamard
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_PUNCTURED = 3  # maximum number of columns that are dropped from a longer code
_DRAWS = 32


@checked(random_state=["random_state"])
def levenshtein_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    r"""Make hash centers by concatenation of parts of Hadamard matrices.

    For at most about `2 * bits` classes, no centers have a larger minimum distance, provided that the required Hadamard
    matrices are known to this library; compare with `plotkin_bound`.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice and the order of rows and bits, of the bits that are flipped in all centers, and of bits that
        no part fills.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Raises
    ------
    ValueError
        If there are too many classes for the bits.

    Notes
    -----
    There are three kinds of parts, all of distance m / 2. The rows of a Hadamard matrix of order m and their negatives
    are 2 m codes of m bits. The rows without a column that is +1 in all rows are m codes of m - 1 bits. Of these, the
    rows with +1 in another column, which is removed as well, are m / 2 codes of m - 2 bits. Distances add up when codes
    are concatenated, so a knapsack of bits is filled with parts of at least `n_classes` codes such that the total
    distance is maximal. Levenshtein's codes are such fillings; a code of one bit more, of which one bit is dropped, has
    an odd distance.

    Each part has its own rows, in random order, so that concatenated parts do not repeat bits. Of up to 32 draws, the
    one with the most `distinct_columns` is returned.

    References
    ----------
    .. [1] V. I. Levenshtein. "The application of Hadamard matrices to a problem in coding". Problems of Cybernetics 5,
       1964. Also F. J. MacWilliams, N. J. A. Sloane, "The theory of error-correcting codes", chapter 2, theorem 8.

    Examples
    --------
    >>> from skhash.centers import levenshtein_centers, min_distance
    >>> min_distance(levenshtein_centers(10, 64)), min_distance(levenshtein_centers(21, 64))
    (35, 33)
    """
    parts = _parts(n_classes, bits + _PUNCTURED)
    dropped, filling = _fill_knapsack(parts, bits) if len(parts) else (0, [])
    if not filling and n_classes > 1:
        raise NoCentersError(
            f"Levenshtein centers: n_classes={n_classes} is too large for bits={bits}; use 'auto' or 'bch' centers."
        )
    random_state = local_random_state(random_state)
    return best_of(lambda: _draw(n_classes, bits, dropped, filling, random_state), _DRAWS, n_classes, bits)


def _parts(n_classes: int, longest: int) -> NDArray[np.int64]:
    """Return orders of matrices and numbers of removed columns, sorted by length: ndarray of shape (n_parts, 2)."""
    largest = min(longest + 2, 4 * n_classes + 8)  # Levenshtein's codes never need larger ones
    orders = [order for order in (2, *range(4, largest + 1, 4)) if has_hadamard(order)]
    parts = [
        (order, cut)
        for order in orders
        for cut in (0, 1, 2)
        if 2 * order >> cut >= n_classes and 0 < order - cut <= longest
    ]
    return np.array(sorted(parts, key=lambda part: part[0] - part[1]))


def _fill_knapsack(parts: NDArray[np.int64], bits: int) -> tuple[int, list[tuple[int, int]]]:
    """Return the number of columns to drop at the end and the list of parts with the largest total distance."""
    lengths, distances = parts[:, 0] - parts[:, 1], parts[:, 0] // 2
    best = np.zeros(bits + _PUNCTURED + 1, np.int64)  # largest total distance by length
    last = np.full(len(best), -1)  # the last part of that filling; -1 if a bit is left over instead
    n_fitting = np.searchsorted(lengths, np.arange(len(best)), side="right")
    for length in range(1, len(best)):
        best[length] = best[length - 1]
        if n_fitting[length]:
            totals = best[length - lengths[: n_fitting[length]]] + distances[: n_fitting[length]]
            part = totals.argmax()
            if totals[part] > best[length]:
                best[length], last[length] = totals[part], part
    dropped = int(np.argmax(best[bits:] - np.arange(_PUNCTURED + 1)))
    length, filling = bits + dropped, []
    while length > 0:
        if last[length] < 0:
            length -= 1
            continue
        filling.append(tuple(parts[last[length]].tolist()))
        length -= filling[-1][0] - filling[-1][1]
    return dropped, filling


def _draw(
    n_classes: int, bits: int, dropped: int, filling: list[tuple[int, int]], random_state: np.random.RandomState
) -> NDArray[np.int8]:
    """Concatenate parts in random row order, fill up with balanced columns, and shuffle, drop and flip columns."""
    columns = [_draw_part(n_classes, order, cut, random_state) for order, cut in filling]
    n_free = bits + dropped - sum(part.shape[1] for part in columns)
    half = np.where(np.arange(n_classes) % 2, -1, 1).astype(np.int8)
    columns += [random_state.permutation(half)[:, None] for _ in range(n_free)]
    centers = np.concatenate(columns, axis=1)[:, random_state.permutation(bits + dropped)[:bits]]
    return centers * (2 * random_state.randint(0, 2, size=bits, dtype=np.int8) - 1)


def _draw_part(n_classes: int, order: int, cut: int, random_state: np.random.RandomState) -> NDArray[np.int8]:
    """Draw `n_classes` words of a part."""
    if cut == 0:
        rows = random_state.permutation(2 * order)[:n_classes]  # numbers from `order` on are negatives of rows
        return hadamard_rows(order, rows % order) * np.where(rows < order, 1, -1).astype(np.int8)[:, None]
    rows = np.arange(order)
    if cut == 2:
        rows = rows[hadamard_rows(order, rows)[:, 1] == 1]
    return hadamard_rows(order, random_state.permutation(rows)[:n_classes])[:, cut:]
