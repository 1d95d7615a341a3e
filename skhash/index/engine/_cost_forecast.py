"""Forecast of the cost of a search in tables that do not exist yet, from a sample of the codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.mih._kernels import HIT, LOOKUP, MEMBER, OPEN, QUERY
from skhash.index.mih._tables import cut_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["forecast"]

_SAMPLE = 8192  # codes from which the sizes of buckets are estimated


def forecast(
    codes: NDArray[np.uint64],
    bits: int,
    queries: NDArray[np.uint64],
    reach: NDArray[Any],
    n_hits: float,
    n_distinct: int,
) -> float:
    """Forecast what a query costs by multi-index hashing.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        All codes, of which a sample is used.
    bits : int
        Code length.
    queries : ndarray of uint64 of shape (n_queries, n_words)
        A few queries.
    reach : ndarray of int of shape (n_queries,)
        Distance to which each query must search: that of its k-th neighbor, or the radius.
    n_hits : float
        Approximate number of codes that a query keeps.
    n_distinct : int
        Number of codes that the tables would hold.

    Returns
    -------
    cost : float
        Mean cost of a query in ns, as counted by the kernels.
    """
    step = max(1, len(codes) // _SAMPLE)
    sample = np.ascontiguousarray(codes[::step])
    starts = cut_bits(bits, n_distinct)
    # members[t][q, s]: estimated number of members of all buckets of table t at distance s from query q
    members = [
        _distance_counts(sample, queries, first, end - first) * (n_distinct / len(sample))
        for first, end in pairwise(starts)
    ]
    lengths = np.diff(starts)
    costs = [_walk([table[q] for table in members], lengths, codes.shape[1], reach[q]) for q in range(len(queries))]
    return QUERY + HIT * n_hits + float(np.mean(costs))


def _distance_counts(
    sample: NDArray[np.uint64], queries: NDArray[np.uint64], first: int, length: int
) -> NDArray[np.int64]:
    """Count, for each query, the sample codes at each distance from it in bits first .. first + length - 1."""
    keys, query_keys = (_keys(words, first, length) for words in (sample, queries))
    distances = np.bitwise_count(keys ^ query_keys[:, None]) + np.arange(len(queries))[:, None] * (length + 1)
    return np.bincount(distances.ravel(), minlength=len(queries) * (length + 1)).reshape(len(queries), length + 1)


def _keys(words: NDArray[np.uint64], first: int, length: int) -> NDArray[np.uint64]:
    """Return bits first .. first + length - 1 of packed words."""
    w, shift = divmod(int(first), 64)
    keys = words[:, w] >> np.uint64(shift)
    if shift + length > 64:
        keys |= words[:, w + 1] << np.uint64(64 - shift)
    return keys & np.uint64(2 ** int(length) - 1)


def _walk(members: Sequence[NDArray[np.float64]], lengths: NDArray[np.int64], n_words: int, reach: int) -> float:
    """Sum the costs of the steps of one query, cheapest first as in the kernels, until `reach` is complete."""
    radii = np.zeros(len(lengths), np.int64)  # the next step of each table
    lookups = np.ones(len(lengths))
    prices = np.array([LOOKUP + OPEN + MEMBER * n_words * table[0] for table in members])
    spent = 0.0
    for _ in range(int(reach) + 1):
        t = int(np.argmin(prices))
        n_met = members[t][radii[t]]
        price = LOOKUP * lookups[t] + OPEN * min(lookups[t], n_met) + MEMBER * n_words * n_met
        spent += price
        # Binomial coefficients: the next step looks up this many times as many buckets.
        growth = (lengths[t] - radii[t]) / (radii[t] + 1)
        if growth == 0:  # all codes have been met
            break
        prices[t] = price * growth
        lookups[t] *= growth
        radii[t] += 1
    return spent
