"""The answers of shards, merged into those of one index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.distributed._shard import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["merge"]

_MERGED_AT_ONCE = 2**20  # neighbors, of which the order of each takes some tens of bytes


def merge(answers: Sequence[Found], k: int | None = None) -> Found:
    """Merge answers, each query's by (distance, place), and keep the first `k` of each query.

    Answers are in the order of parts, those of added codes last: places that are equal stay in this order.
    """
    totals = np.sum([found.counts for found in answers], axis=0)
    ends = [found.counts.cumsum() for found in answers]
    pieces, start = [], 0
    for stop in _stops(totals):
        pieces.append(_merge([_cut(found, end, start, stop) for found, end in zip(answers, ends, strict=True)], k))
        start = stop
    return pieces[0] if len(pieces) == 1 else join(pieces)


def join(pieces: Sequence[Found]) -> Found:
    """Join the answers to some queries after others."""
    names = ("counts", "distances", "places", "ids")
    return Found(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))


def _stops(totals: NDArray[np.int64]) -> list[int]:
    """Divide queries into chunks of about as many neighbors; return the end of each."""
    chunk = totals.cumsum() // _MERGED_AT_ONCE
    return [*(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(totals)]


def _cut(found: Found, ends: NDArray[np.int64], start: int, stop: int) -> Found:
    """Return the answers to some queries."""
    first, last = (int(ends[query - 1]) if query else 0 for query in (start, stop))
    return Found(found.counts[start:stop], found.distances[first:last], found.places[first:last], found.ids[first:last])


def _merge(answers: Sequence[Found], k: int | None) -> Found:
    """Merge the answers to a few queries."""
    n_queries = len(answers[0].counts)
    query = np.concatenate([np.repeat(np.arange(n_queries), found.counts) for found in answers])
    distances: NDArray[Any] = np.concatenate([found.distances for found in answers])
    places = np.concatenate([found.places for found in answers])
    ids: NDArray[Any] = np.concatenate([found.ids for found in answers])
    order = np.lexsort((places, distances, query))  # stable
    counts = np.sum([found.counts for found in answers], axis=0)
    if k is not None:
        rank = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
        order, counts = order[rank < k], np.minimum(counts, k)
    return Found(counts, distances[order], places[order], ids[order])
