"""Recall of the true nearest neighbors, which a search in full precision has found."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.metrics._score import Score
from skhash.utils import Interval, to_numpy, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MISSING = -1
_COMPARED_AT_ONCE = 2**24
_HINT = "kneighbors and the search of FAISS return (distances, ids), of which the second part is needed"


@validate_params(
    {
        "true_ids": "no_validation",
        "found_ids": "no_validation",
        "k": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def knn_recall(true_ids: ArrayLike, found_ids: ArrayLike, k: int | None = None) -> Score:
    """Compute the share of the k true nearest neighbors that a search has found, averaged over the queries.

    This is the recall of ann-benchmarks and the "k-recall@R" of FAISS, for a search that returns R neighbors of each
    query: the size of the intersection of both lists, divided by k. The order of the neighbors has no effect.

    Parameters
    ----------
    true_ids : array-like of shape (n_queries, n_true)
        Ids or rows of the true neighbors of each query, nearest first: the ground truth, such as the result of an exact
        search over the original vectors. -1 means that there are no more.
    found_ids : array-like of shape (n_queries, n_found)
        Ids or rows of the neighbors that were found, in any order; all columns count. -1 means that there are no more.
    k : int, default=None
        Number of true neighbors, at most `n_true` and at most `n_found`. None means `n_found`: recall@k of a search for
        k neighbors.

    Returns
    -------
    recall : Score
        From 0 to 1. A query with fewer than k true neighbors is measured by those; one without any is left out.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are fewer than k neighbors, a true neighbor is repeated, or no query has any.
    TypeError
        If ids are floats or bool, or the two arrays have ids of different types.

    See Also
    --------
    recall_at_k : Share of all items with the query's label, which needs labels instead of neighbors.

    Notes
    -----
    Do not confuse it with `recall_at_k`: there an item is relevant if it shares a label with the query, so there may be
    thousands, and the score says how well codes separate classes. Here the k nearest vectors are relevant, whatever
    their labels, and the score says how well a search approximates the exact one.

    Neighbors at the same distance are not interchangeable here. If the k-th true neighbor is a duplicate of the next
    one, a search that finds the other of the two counts as wrong.

    References
    ----------
    .. [1] M. Aumüller, E. Bernhardsson, A. Faithfull. "ANN-Benchmarks: A benchmarking tool for approximate nearest
       neighbor algorithms". Information Systems 87, 2020.

    Examples
    --------
    >>> from skhash.metrics import knn_recall
    >>> truth = [[4, 1, 7], [2, 9, 3]]
    >>> knn_recall(truth, [[1, 4, 5], [9, 3, 2]])
    0.8333333333333333

    Whether the nearest neighbor is among the three that were found:

    >>> knn_recall(truth, [[1, 4, 5], [9, 3, 2]], k=1).definition
    '1-recall@3: found among the 1 true nearest / 1'
    """
    true, found = _read_ids(true_ids, "true_ids"), _read_ids(found_ids, "found_ids")
    if len(true) != len(found):
        raise ValueError(f"true_ids and found_ids must have one row per query: got {len(true)} and {len(found)} rows.")
    n_found = found.shape[1]
    k = n_found if k is None else int(k)
    if k > n_found:
        raise ValueError(f"k must be <= the number of columns of found_ids, which is {n_found}, got {k}.")
    if k > true.shape[1]:
        raise ValueError(
            f"true_ids has {true.shape[1]} columns, expected at least k = {k}; pass more true neighbors or a smaller k."
        )
    true, found = _as_numbers(true[:, :k], found)
    in_order = np.sort(true, axis=1)
    repeated = ((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] != _MISSING)).any(axis=1)
    if repeated.any():
        raise ValueError(f"true_ids must not repeat an id in a row, but row {np.argmax(repeated)} does.")
    n_true = (true != _MISSING).sum(axis=1)
    if not n_true.any():
        raise ValueError("true_ids must have a true neighbor of at least one query, got none.")
    with np.errstate(invalid="ignore"):
        recall = _count_common(true, found) / n_true  # NaN without true neighbors
    definition = f"{k}-recall@{n_found}: found among the {k} true nearest / {k}"
    if (n_true < k).any():
        definition += ", or among those that there are; queries without any are left out"
    return Score(np.nanmean(recall), definition, recall)


def _read_ids(ids: Any, name: str) -> NDArray[Any]:
    """Read a matrix of ids."""
    array = to_numpy(ids, name)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must have shape (n_queries, n_neighbors), got {array.shape}; {_HINT}.")
    if array.dtype.kind not in "iuOUS":
        raise TypeError(f"{name} must contain ids or rows, got values of type {array.dtype}; {_HINT}.")
    return array


def _as_numbers(true: NDArray[Any], found: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids as integers, which are equal where the ids are."""
    if all(ids.dtype.kind == "i" or (ids.dtype.kind == "u" and ids.dtype.itemsize < 8) for ids in (true, found)):
        return true.astype(np.int64), found.astype(np.int64)
    numbers: dict[Any, int] = {_MISSING: _MISSING}
    pairs, types = [], []
    for ids, name in ((true, "true_ids"), (found, "found_ids")):
        labels = ids.ravel().tolist()
        kinds = {int if isinstance(label, Integral) else type(label) for label in labels if label != _MISSING}
        if kinds & {float, bool} or any(isinstance(label, (bool, np.floating)) for label in labels):
            raise TypeError(f"{name} must contain ids or rows, got floats or bools; {_HINT}.")
        try:
            coded = [numbers.setdefault(label, len(numbers)) for label in labels]
        except TypeError:
            raise TypeError(f"{name} must contain integers or hashable labels such as strings and tuples.") from None
        pairs.append(np.array(coded, np.int64).reshape(ids.shape))
        types.append(kinds)
    if types[0] and types[1] and not types[0] & types[1]:
        first, second = (" and ".join(sorted(kind.__name__ for kind in kinds)) for kinds in types)
        raise TypeError(f"true_ids and found_ids must have the same type of ids, got {first} and {second}.")
    return pairs[0], pairs[1]


def _count_common(true: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the ids of each row that are in the same row of the other matrix."""
    counts = np.empty(len(true), np.int64)
    step = max(1, _COMPARED_AT_ONCE // (true.shape[1] * found.shape[1]))
    for start in range(0, len(true), step):
        some = true[start : start + step]
        is_found = (some[:, :, None] == found[start : start + step, None, :]).any(axis=2)
        counts[start : start + step] = (is_found & (some != _MISSING)).sum(axis=1)
    return counts
