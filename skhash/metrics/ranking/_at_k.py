"""Precision and recall among the first k results."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from skhash.metrics._score import Score
from skhash.metrics.ranking._hits import RANKING_CONSTRAINTS, hits_within
from skhash.metrics.ranking._protocols import TIE_WORDS
from skhash.metrics.ranking._retrieval import read_retrieval
from skhash.utils import Interval, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import Ties
    from skhash.metrics.ranking._retrieval import Retrieval
    from skhash.utils import CodesLike, RandomStateLike

_CONSTRAINTS = {**RANKING_CONSTRAINTS, "k": [Interval(Integral, 1, None, closed="left")]}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def precision_at_k(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    k: int = 100,
    *,
    ties: Ties = "stable",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> Score:
    """Compute the share of relevant items among the k nearest, averaged over the queries.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
    k : int, default=100
        Number of results, at most the size of the database.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at the same distance, as in `mean_average_precision`; "expected" is exact.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    precision : Score
        From 0 to 1.

    Raises
    ------
    ValueError
        If `k` is larger than the database, or if codes or labels are malformed or inconsistent.

    Examples
    --------
    >>> from skhash.metrics import precision_at_k
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> precision_at_k([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], k=2)
    0.5
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    return precision_of(retrieval, k, ties, random_state)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def recall_at_k(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    k: int = 100,
    *,
    ties: Ties = "stable",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    random_state: RandomStateLike | None = None,
    n_jobs: int | None = None,
) -> Score:
    """Compute the share of all relevant items that is among the k nearest, averaged over the queries.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query. A query
        without any relevant item counts 0.
    k : int, default=100
        Number of results, at most the size of the database.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at the same distance, as in `mean_average_precision`; "expected" is exact.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    recall : Score
        From 0 to 1. In deep hashing many items are relevant, so it is small unless k is large. This is not the
        "recall@k" of metric learning, which is whether any of the k nearest is relevant, nor that of nearest neighbor
        search, which is `knn_recall`.

    Raises
    ------
    ValueError
        If `k` is larger than the database, or if codes or labels are malformed or inconsistent.

    Examples
    --------
    >>> from skhash.metrics import recall_at_k
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> recall_at_k([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"], k=3)
    1.0
    """
    sides = query_codes, database_codes, query_labels, database_labels
    retrieval = read_retrieval(*sides, exclude_self=exclude_self, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
    return recall_of(retrieval, k, ties, random_state)


def precision_of(retrieval: Retrieval, k: int, ties: Ties, random_state: RandomStateLike | None = None) -> Score:
    """Compute precision@k of a `Retrieval`."""
    hits = hits_within(retrieval, _cutoff(k, retrieval), ties, random_state)
    precision = hits[:, 0] / k
    return Score(precision.mean(), f"precision@{k}: relevant among the k nearest / k, {TIE_WORDS[ties]}", precision)


def recall_of(retrieval: Retrieval, k: int, ties: Ties, random_state: RandomStateLike | None = None) -> Score:
    """Compute recall@k of a `Retrieval`."""
    hits = hits_within(retrieval, _cutoff(k, retrieval), ties, random_state)
    recall = hits[:, 0] / np.maximum(retrieval.totals(), 1)
    definition = (
        f"recall@{k}: relevant among the k nearest / all relevant, queries without relevant items count 0, "
        f"{TIE_WORDS[ties]}"
    )
    return Score(recall.mean(), definition, recall)


def _cutoff(k: int, retrieval: Retrieval) -> NDArray[np.int64]:
    """Check `k` against the length of the rankings."""
    if k > retrieval.n_ranked:
        raise ValueError(f"k must be <= n_ranked = {retrieval.n_ranked}, got {k}.")
    return np.array([k])
