"""The best of several draws of centers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.centers._bounds import plotkin_bound
from skhash.centers._min_distance import min_distance
from skhash.centers._statistics import distinct_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_MAX_DRAWN = 2**20  # centers x bits x draws


def quality(centers: NDArray[np.int8]) -> tuple[int, int]:
    """Return the minimum distance of centers and their number of distinct columns, which decides among equals."""
    return min_distance(centers), distinct_columns(centers)


def best_quality(n_classes: int, bits: int) -> tuple[int, int]:
    """Compute an upper bound of `quality`: Plotkin's distance, and columns that are all distinct and not constant."""
    # There are 2 ** (n_classes - 1) - 1 such columns; the inner minimum only avoids a huge power.
    return plotkin_bound(n_classes, bits), min(bits, 2 ** min(n_classes - 1, bits.bit_length()) - 1)


def best_of(draw: Callable[[], NDArray[np.int8]], n_draws: int, n_classes: int, bits: int) -> NDArray[np.int8]:
    """Draw centers several times, or until they cannot become better, and return the best.

    Parameters
    ----------
    draw : callable
        Function without arguments that returns centers.
    n_draws : int
        Maximum number of draws; large centers are drawn less often.
    n_classes, bits : int
        Shape of the centers.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Centers of the best `quality`.
    """
    n_draws = min(n_draws, _MAX_DRAWN // (n_classes * bits))
    best = draw()
    if n_draws <= 1:
        return best
    reached, bound = quality(best), best_quality(n_classes, bits)
    for _ in range(n_draws - 1):
        if reached >= bound:
            break
        centers = draw()
        if (achieved := quality(centers)) > reached:
            best, reached = centers, achieved
    return best
