"""Average precision of one ranked list, with all that its definition leaves open as an option."""

from numbers import Integral

import numpy as np

from skhash.metrics.ranking._protocols import DENOMINATOR_WORDS, TIE_WORDS
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, harmonic_numbers, sum_tied_precisions
from skhash.utils import Interval, StrOptions, local_random_state, validate_params

TIES = set(TIE_WORDS)
DENOMINATORS = set(DENOMINATOR_WORDS)


@validate_params(
    {
        "relevant": ["array-like"],
        "distances": ["array-like", None],
        "R": [Interval(Integral, 1, None, closed="left"), None],
        "denominator": [StrOptions(DENOMINATORS)],
        "ties": [StrOptions(TIES)],
        "n_relevant": [Interval(Integral, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def average_precision(
    relevant, distances=None, *, R=None, denominator="top", ties="stable", n_relevant=None, random_state=None
):
    """Average precision of one query's ranked list.

    The sum of the precisions at the ranks of the relevant items among the first `R`, divided by what `denominator`
    says; 0 if none of the first `R` is relevant.

    Parameters
    ----------
    relevant : array-like of shape (n,)
        Which items are relevant, 0 / 1 or bool: in the order of the ranking if `distances` is None, else in the order
        of the database.
    distances : array-like of shape (n,), default=None
        Distance of each item of `relevant` from the query; the list is ranked by it, equal distances are ties. None
        means that `relevant` is ranked already and nothing is tied.
    R : int, default=None
        Length of the list that counts, at least 1. None means all of it.
    denominator : {"top", "total", "min"}, default="top"
        What the sum is divided by: the number of relevant items within the first `R` ("top", the usual one in deep
        hashing: it does not measure recall), the number of all relevant items ("total"), or `min(R, total)`.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at one distance: as in the database, averaged over all orders, relevant items first, relevant
        items last, or one order drawn from `random_state`.
    n_relevant : int, default=None
        Number of all relevant items, if `relevant` does not hold all of them because the list was cut before. None
        counts them in `relevant`. Not used by `denominator="top"`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.

    Returns
    -------
    ap : float
        Average precision, from 0 to 1.

    Raises
    ------
    ValueError
        If `relevant` is empty or not 0 / 1, if lengths differ, if a distance is NaN, or if `n_relevant` is less than
        what `relevant` holds.

    See Also
    --------
    mean_average_precision : The mean over queries, straight from codes and labels.

    Notes
    -----
    `ties="expected"` is exact for "total" and "min" at every `R`, and for "top" unless the cut falls inside a group of
    ties: there the number of relevant items within the first `R` is itself random, and the expected sum is divided by
    the expected number.

    "optimistic" and "pessimistic" bound every order of the ties for "total" and "min", and for "top" unless the cut
    falls inside a group: with "top", one more relevant item at a late rank can lower the result.

    References
    ----------
    K. He, F. Cakir, S. A. Bargal, S. Sclaroff, "Hashing as Tie-Aware Learning to Rank", CVPR 2018.

    Examples
    --------
    >>> from skhash.metrics import average_precision
    >>> relevant = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]
    >>> round(average_precision(relevant), 6)
    0.697619
    >>> round(average_precision(relevant, R=5), 6)
    0.805556
    >>> round(average_precision(relevant, R=5, denominator="total"), 6)
    0.483333
    >>> round(average_precision(relevant, [0, 1, 1, 1, 2, 2, 3, 3, 3, 3], ties="expected"), 6)
    0.757606
    """
    relevant = _read_relevant(relevant)
    n = len(relevant)
    group = np.arange(n) if distances is None else _rank_distances(distances, n)
    total = int(relevant.sum()) if n_relevant is None else n_relevant
    if total < relevant.sum():
        raise ValueError(f"n_relevant={n_relevant} is less than the {relevant.sum()} relevant items in relevant.")
    R = n if R is None else R
    if ties in ("stable", "random"):
        order = np.arange(n) if ties == "stable" else local_random_state(random_state).permutation(n)
        top = relevant[order[np.argsort(group[order], kind="stable")]][:R]
        sums, hits = np.sum(top * np.cumsum(top) / np.arange(1, len(top) + 1)), top.sum()
    else:
        counts, of_them_relevant = np.bincount(group), np.bincount(group[relevant == 1], minlength=group.max() + 1)
        sums, hits = sum_tied_precisions(
            counts[None], of_them_relevant[None], min(R, n), TIE_ORDERS[ties], harmonic_numbers(n)
        )
    return float(divide(np.atleast_1d(sums), np.atleast_1d(hits), total, R, denominator)[0])


def divide(sums, hits, total, R, denominator):
    """Turn sums of precisions into average precisions; 0 where the top R holds no relevant item."""
    if denominator == "top":
        divisor = hits
    else:
        divisor = total if denominator == "total" else np.minimum(R, total)
    return np.divide(sums, divisor, out=np.zeros(len(sums)), where=hits > 0)


def _read_relevant(relevant):
    """Check `relevant` and give it as int64."""
    relevant = np.asarray(relevant)
    if relevant.ndim != 1 or len(relevant) == 0:
        raise ValueError(f"relevant must be one non-empty list of 0 / 1, got an array of shape {relevant.shape}.")
    if relevant.dtype.kind not in "buif" or not np.isin(relevant, (0, 1)).all():
        raise ValueError("relevant must hold 0 and 1 (or bool) only.")
    return relevant.astype(np.int64)


def _rank_distances(distances, n):
    """Check `distances` and number the groups of equal ones, nearest first."""
    distances = np.asarray(distances)
    if distances.shape != (n,):
        raise ValueError(
            f"distances must have one value per item: got shape {distances.shape}, relevant has {n} items."
        )
    if distances.dtype.kind not in "buif" or bool((distances != distances).any()):
        raise ValueError("distances must be numbers and not NaN.")
    return np.unique(distances, return_inverse=True)[1]
