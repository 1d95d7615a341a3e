"""Each distinct code once, with the rows that have it: learned codes collide, and a scan need not compare one twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel
from skhash.index.scan import _scan as scan
from skhash.index.scan._candidates import ROW, SHIFT, sort_by_digits
from skhash.utils import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DistinctCodes", "distinct_share"]

_SAMPLE = 2**14  # codes from which the share of distinct ones is estimated
_CHUNK = 2**14  # codes, whose hashes stay in the cache
_FACTORS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_FREE = np.uint32(2**32 - 1)


@kernel
def _hash(codes, i):
    """Compute a hash of code `i`."""
    # Multiplications carry differences upwards only, shifts bring them down again (as in splitmix64): the table takes
    # the lowest bits.
    value = np.uint64(0)
    for w in range(codes.shape[1]):
        value = (value ^ codes[i, w]) * _FACTORS[0]
        value ^= value >> np.uint64(29)
    value *= _FACTORS[1]
    return value ^ (value >> np.uint64(32))


@kernel
def _group_equal(codes, slots, groups, firsts):
    """Number the distinct codes by their first rows, and return how many there are.

    `slots` is an open-addressing hash table of 2**p free slots; `groups` is filled with the number of each row's code,
    `firsts` with the first row of each distinct code.
    """
    mask, count = np.uint64(len(slots) - 1), 0
    for i in range(len(codes)):
        slot = _hash(codes, i) & mask
        while True:
            group = slots[slot]
            if group == _FREE:
                slots[slot] = group = np.uint32(count)
                firsts[count] = i
                count += 1
                break
            same = True
            for w in range(codes.shape[1]):
                same &= codes[firsts[group], w] == codes[i, w]
            if same:
                break
            slot = (slot + np.uint64(1)) & mask
        groups[i] = group
    return count


@kernel
def _list_rows(groups, starts, rows):
    """Sort the rows by group, ascending in each; `starts` is advanced to the ends."""
    for i in range(len(groups)):
        rows[starts[groups[i]]] = i
        starts[groups[i]] += 1


@kernel
def _expand_nearest(near, codes, ends, members, distances, rows, found, spare):
    """Find the k nearest rows of each query from the distances and numbers of its k nearest distinct codes.

    `found` and `spare` are scratch with room for more than 2 k rows.
    """
    k = distances.shape[1]
    for q in range(len(distances)):
        count = np.int64(0)
        for j in range(codes.shape[1]):
            # Codes at one distance must all be expanded, for their rows are interleaved.
            if count >= k and near[q, j] > near[q, j - 1]:
                break
            first = ends[codes[q, j]]
            size = min(k, ends[codes[q, j] + 1] - first)
            if count + size > len(found):
                sort_by_digits(found, np.int64(0), count, spare, len(members))
                count = k
            for i in range(size):
                found[count + i] = (np.int64(near[q, j]) << SHIFT) + np.int64(members[first + i])
            count += size
        sort_by_digits(found, np.int64(0), count, spare, len(members))
        for i in range(k):
            distances[q, i] = found[i] >> SHIFT
            rows[q, i] = found[i] & ROW


@kernel
def _expand_within(counts, near, codes, ends, members, found, spare):
    """Write all rows of the distinct codes near each query to `found`, in order, as `distance << SHIFT | row`."""
    start = total = np.int64(0)
    for q in range(len(counts)):
        first = total
        for j in range(start, start + counts[q]):
            for p in range(ends[codes[j]], ends[codes[j] + 1]):
                found[total] = (np.int64(near[j]) << SHIFT) + np.int64(members[p])
                total += 1
        start += counts[q]
        sort_by_digits(found, first, total, spare, len(members))
        counts[q] = total - first


def distinct_share(codes: NDArray[np.uint64]) -> float:
    """Estimate the number of distinct codes over that of codes, from those whose hash falls into a small range.

    A sample of rows would rarely contain two equal codes; a sample by hash contains all copies of a code. This is numpy
    rather than a kernel, because searches ask for it, which must not wait for a compiler.
    """
    n_sampled = max(1.0, len(codes) / _SAMPLE)
    mask = np.uint64(2 ** int(np.log2(n_sampled)) - 1)
    sampled = [_sample_by_hash(codes[i : i + _CHUNK], mask) for i in range(0, len(codes), _CHUNK)]
    hashes = np.concatenate(sampled) if sampled else np.empty(0, np.uint64)
    return len(np.unique(hashes)) / len(hashes) if len(hashes) else 1.0


def _sample_by_hash(codes: NDArray[np.uint64], mask: np.uint64) -> NDArray[np.uint64]:
    """Return the hashes whose bits under `mask` are zero: equal codes are sampled together."""
    hashes = np.zeros(len(codes), np.uint64)
    for w in range(codes.shape[1]):
        hashes ^= codes[:, w]
        hashes *= _FACTORS[0]
        hashes ^= hashes >> np.uint64(29)
    hashes *= _FACTORS[1]
    hashes ^= hashes >> np.uint64(32)
    return hashes[(hashes & mask) == 0]


class DistinctCodes:
    """The distinct codes among some codes, numbered by their first rows, and exact scans of them.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, n_words)
        Packed codes, fewer than 2**32 - 1.

    Attributes
    ----------
    codes : ndarray of uint64 of shape (n_distinct, n_words)
        The distinct codes.
    ends, rows : ndarray of int64 of shape (n_distinct + 1,) and of uint32 of shape (n,)
        The rows of distinct code i: `rows[ends[i]:ends[i + 1]]`, ascending.
    nbytes : int
        Memory of the three.
    """

    codes: NDArray[np.uint64]
    ends: NDArray[np.int64]
    rows: NDArray[np.uint32]
    nbytes: int

    def __init__(self, codes: NDArray[np.uint64]) -> None:
        codes = read_only(codes)
        # At most two thirds of the slots are taken, so that probing stays short.
        slots = np.full(2 ** int(np.ceil(np.log2(max(2, 1.5 * len(codes))))), _FREE)
        groups, firsts = np.empty(len(codes), np.uint32), np.empty(len(codes), np.int64)
        count = _group_equal(codes, slots, groups, firsts)
        self.codes = codes[firsts[:count]]
        self.ends = np.concatenate(([0], np.cumsum(np.bincount(groups, minlength=count))))
        self.rows = np.empty(len(codes), np.uint32)
        _list_rows(groups, self.ends[:-1].copy(), self.rows)
        for array in (self.codes, self.ends, self.rows):
            array.flags.writeable = False
        self.nbytes = self.codes.nbytes + self.ends.nbytes + self.rows.nbytes

    def nearest(
        self, queries: NDArray[np.uint64], k: int, n_jobs: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Find the `k` nearest rows of each query, as `skhash.index.scan._scan.nearest` does.

        By (distance, first row), k distinct codes come before any other: each of their first rows comes before all
        rows of the other. So the k nearest rows have codes among the k nearest distinct ones.
        """
        near = scan.nearest(self.codes, queries, min(k, len(self.codes)), n_jobs)
        distances, rows = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.int64)
        found = np.empty((2, 4 * k), np.int64)
        _expand_nearest(*near, self.ends, self.rows, distances, rows, *found)
        return distances, rows

    def within(
        self, queries: NDArray[np.uint64], radius: int, n_jobs: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Find all rows within `radius` of each query, as `skhash.index.scan._scan.within` does."""
        counts, near, codes = scan.within(self.codes, queries, radius, n_jobs)
        found = np.empty(np.diff(self.ends)[codes].sum(), np.int64)
        _expand_within(counts, near, codes, self.ends, self.rows, found, np.empty_like(found))
        distances = (found >> SHIFT).astype(np.int32)
        found &= ROW
        return counts, distances, found
