"""Average precision of one ranked list, with an option for everything that its definition leaves open."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.metrics.ranking._protocols import DENOMINATOR_WORDS, TIE_WORDS
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, harmonic_numbers, sum_tied_precisions
from skhash.utils import Interval, StrOptions, local_random_state, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.metrics.ranking._protocols import Denominator, Ties
    from skhash.utils import RandomStateLike

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
    relevant: ArrayLike,
    distances: ArrayLike | None = None,
    *,
    R: int | None = None,
    denominator: Denominator = "top",
    ties: Ties = "stable",
    n_relevant: int | None = None,
    random_state: RandomStateLike | None = None,
) -> float:
    """Compute the average precision of one query's ranked list.

    It is the sum of the precisions at the ranks of the relevant items among the first `R`, divided by `denominator`; 0
    if none of the first `R` items is relevant.

    Parameters
    ----------
    relevant : array-like of shape (n,)
        Relevance of each item, 0 / 1 or bool: in the order of the ranking if `distances` is None, else in the order of
        the database.
    distances : array-like of shape (n,), default=None
        Distance of each item of `relevant` from the query; the list is ranked by it, equal distances are ties. None
        means that `relevant` is already ranked and without ties.
    R : int, default=None
        Length of the list that counts, at least 1. None means all of it.
    denominator : {"top", "total", "min"}, default="top"
        Divisor of the sum: the number of relevant items within the first `R` ("top", the usual one in deep hashing: it
        does not measure recall), the number of all relevant items ("total"), or `min(R, total)`.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at the same distance: as in the database, averaged over all orders, relevant items first,
        relevant items last, or one order drawn from `random_state`.
    n_relevant : int, default=None
        Number of all relevant items, if `relevant` lacks some of them because the list was cut before. None counts them
        in `relevant`. Not used by `denominator="top"`.
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
        the number of relevant items in `relevant`.

    See Also
    --------
    mean_average_precision : The mean over queries, computed from codes and labels.

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
        raise ValueError(f"n_relevant must be >= {relevant.sum()}, the relevant items in relevant, got {n_relevant}.")
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


def divide(
    sums: NDArray[np.float64], hits: NDArray[Any], total: int | NDArray[np.int64], R: int, denominator: Denominator
) -> NDArray[np.float64]:
    """Divide sums of precisions to get average precisions; 0 where the top R holds no relevant item."""
    if denominator == "top":
        divisor = hits
    else:
        divisor = total if denominator == "total" else np.minimum(R, total)
    return np.divide(sums, divisor, out=np.zeros(len(sums)), where=hits > 0)


def _read_relevant(relevant: ArrayLike) -> NDArray[np.int64]:
    """Check `relevant` and return it as int64."""
    relevant = np.asarray(relevant)
    if relevant.ndim != 1 or len(relevant) == 0:
        raise ValueError(f"relevant must be a non-empty 1-D array of 0 / 1, got shape {relevant.shape}.")
    if relevant.dtype.kind not in "buif" or not np.isin(relevant, (0, 1)).all():
        raise ValueError(f"relevant must contain only 0 and 1 (or bool), got other values of dtype {relevant.dtype}.")
    return relevant.astype(np.int64)


def _rank_distances(distances: ArrayLike, n: int) -> NDArray[np.int64]:
    """Check `distances` and number the groups of equal ones, nearest first."""
    distances = np.asarray(distances)
    if distances.shape != (n,):
        raise ValueError(
            f"distances must have shape ({n},), one value per item of relevant, got shape {distances.shape}."
        )
    if distances.dtype.kind not in "buif" or bool((distances != distances).any()):
        raise ValueError(f"distances must be numbers without NaN, got NaN or dtype {distances.dtype}.")
    return np.unique(distances, return_inverse=True)[1]
