"""The best of several draws of centers."""

from skhash.centers._bounds import plotkin_bound
from skhash.centers._min_distance import min_distance
from skhash.centers._statistics import distinct_columns

_MAX_DRAWN = 2**20  # centers x bits x draws


def quality(centers):
    """Measure centers by their minimum distance, and by the number of their distinct columns among equals."""
    return min_distance(centers), distinct_columns(centers)


def best_quality(n_classes, bits):
    """Bound the `quality` of centers: Plotkin's distance, and no two columns alike, nor one constant."""
    return plotkin_bound(n_classes, bits), min(bits, 2 ** min(n_classes - 1, bits.bit_length()) - 1)


def best_of(draw, n_draws, n_classes, bits):
    """Draw centers several times, or until they cannot become better.

    Parameters
    ----------
    draw : callable
        Without arguments, gives centers.
    n_draws : int
        How often at most; large centers are drawn less often.
    n_classes, bits : int
        Of what it gives.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Those of the best `quality`.
    """
    n_draws = min(n_draws, _MAX_DRAWN // (n_classes * bits))
    if n_draws <= 1:
        return draw()
    best, reached, bound = None, (-1, -1), best_quality(n_classes, bits)
    for _ in range(n_draws):
        centers = draw()
        if (achieved := quality(centers)) > reached:
            best, reached = centers, achieved
        if reached >= bound:
            break
    return best
