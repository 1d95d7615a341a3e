"""Tables of multi-index hashing: for each substring of the bits, the codes in buckets of equal substrings."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skhash.bitops import LANES, kernel, prefetch
from skhash.utils import read_only

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

__all__ = ["Tables", "build_tables", "count_words", "cut_bits", "n_substrings", "substring"]

_MAX_LENGTH = 24  # bits of a substring: 2**24 offsets are 64 MB
_MOST_TABLES = 64  # each of which takes memory for all codes
_COPIED = 2  # words of a code: each table has a copy of such codes, which is fastest
_MOST_COPIED = 4, 2**31  # words of a code, and bytes of the copies: longer codes have one copy for all tables
_NUMBER = 32  # bits of the number of a code
_AHEAD = 16  # codes by which memory is asked ahead


class Tables(NamedTuple):
    """The arrays of all tables, as the kernels take them.

    Parameters
    ----------
    starts : ndarray of int64 of shape (n_tables + 1,)
        First bit of each substring, and the end of the last one.
    bases : ndarray of int64 of shape (n_tables,)
        Position of each table's first bucket in `offsets`.
    offsets : ndarray of uint32
        Position of each bucket's first member in `members` and `codes`, table after table, with an end each.
    members : ndarray of uint32 of shape (n_tables, n)
        Numbers of the codes in each table, bucket after bucket; positions in `codes` if there is one copy.
    codes : ndarray of uint64 of shape (n_tables, n, n_words) or (1, n, n_words)
        The codes in the same order; or one copy for all tables, in the order of the first table, if they are long.
    ends, rows : ndarray of int64 and of uint32
        The rows of code i are `rows[ends[i]:ends[i + 1]]`, or i itself if `ends` is empty.
    """

    starts: NDArray[np.int64]
    bases: NDArray[np.int64]
    offsets: NDArray[np.uint32]
    members: NDArray[np.uint32]
    codes: NDArray[np.uint64]
    ends: NDArray[np.int64]
    rows: NDArray[np.uint32]


@kernel
def substring(codes, i, first, length):
    """Return bits first .. first + length - 1 of code `i`."""
    w, shift = first >> 6, np.uint64(first & 63)
    # The bits of the next word come above those of this one; the mask removes them if the substring ends here. Two
    # shifts, because a shift by 64 is undefined.
    beyond = (codes[i, min(w + 1, codes.shape[1] - 1)] << np.uint64(1)) << (np.uint64(63) - shift)
    return np.int64(((codes[i, w] >> shift) | beyond) & ((np.uint64(1) << np.uint64(length)) - np.uint64(1)))


@kernel
def _scatter(pairs, shift, digit, sorted_pairs):
    """Sort pairs by some bits with a stable counting sort."""
    slots = np.zeros((1 << digit) + 1, np.int64)
    for pair in pairs:
        slots[np.int64((pair >> np.uint64(shift)) & np.uint64((1 << digit) - 1)) + 1] += 1
    for i in range(len(slots) - 1):
        slots[i + 1] += slots[i]
    for pair in pairs:
        i = np.int64((pair >> np.uint64(shift)) & np.uint64((1 << digit) - 1))
        sorted_pairs[slots[i]] = pair
        slots[i] += 1


@kernel
def _pair_keys(codes, first, length, pairs):
    """Fill `pairs` with the substring of each code, above the number of the code."""
    for i in range(len(codes)):
        pairs[i] = (np.uint64(substring(codes, i, first, length)) << np.uint64(_NUMBER)) | np.uint64(i)


@kernel
def _fill_table(pairs, offsets, members):
    """Fill `offsets`, zeros of shape (2**length + 1,), and `members` from sorted pairs."""
    for i in range(len(pairs)):
        offsets[np.int64(pairs[i] >> np.uint64(_NUMBER)) + 1] += np.uint32(1)
        members[i] = np.uint32(pairs[i] & np.uint64(2**_NUMBER - 1))
    for key in range(len(offsets) - 1):
        offsets[key + 1] += offsets[key]


@kernel
def _gather(codes, numbers, gathered):
    """Copy codes in the order of `numbers`."""
    for i in range(len(numbers)):
        prefetch(codes, np.int64(numbers[min(i + _AHEAD, len(numbers) - 1)]))
        for w in range(codes.shape[1]):
            gathered[i, w] = codes[np.int64(numbers[i]), w]


def n_substrings(bits: int, n: int) -> int:
    """Return the number of tables: substrings have about log2(n) bits.

    Then a bucket has about one member, if codes are spread evenly.
    """
    return min(max(round(bits / max(log2(n), 1)), -(-bits // _MAX_LENGTH)), _MOST_TABLES)


def cut_bits(bits: int, n: int) -> NDArray[np.int64]:
    """Cut `bits` into m substrings of nearly equal lengths; return their m + 1 bounds.

    The substrings of very long codes are the first bits only: searches are exact whichever bits they cover, for a code
    that differs in many bits of some substrings differs in as many bits.
    """
    m = n_substrings(bits, n)
    longest = min(max(round(log2(n)), 1), _MAX_LENGTH)
    if m == _MOST_TABLES:
        bits = min(bits, m * longest)
    return np.arange(m + 1) * bits // m


def count_words(n: int, n_words: int, bits: int) -> int:
    """Return how many words are written to build the tables: the copies of the codes, and a word per member."""
    n_tables = n_substrings(bits, n)
    return n * (n_tables + n_words * _count_copies(n, n_words, n_tables))


def build_tables(
    codes: NDArray[np.uint64],
    bits: int,
    ends: NDArray[np.int64] | None = None,
    rows: NDArray[np.uint32] | None = None,
) -> Generator[None, None, Tables]:
    """Sort codes into a table for each substring; pause after each table.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        Codes, fewer than 2**32.
    bits : int
        Code length.
    ends, rows : ndarray of int64 and of uint32, default=None
        The rows of code i: `rows[ends[i]:ends[i + 1]]`, ascending. None means row i.

    Returns
    -------
    steps : generator
        Returns the `Tables`, read-only arrays.
    """
    starts = cut_bits(bits, len(codes))
    lengths = np.diff(starts)
    n, n_words = codes.shape
    bases = np.concatenate(([0], np.cumsum(2**lengths + 1)))
    offsets = np.zeros(bases[-1], np.uint32)
    members = np.empty((len(lengths), n), np.uint32)
    n_copies = _count_copies(n, n_words, len(lengths))
    copies = np.empty((n_copies * n + LANES, n_words), np.uint64)  # read in groups
    copies = copies[:-LANES].reshape(n_copies, n, n_words)
    pairs, half = np.empty(n, np.uint64), np.empty(n, np.uint64)
    ends = np.empty(0, np.int64) if ends is None else ends
    rows = np.empty(0, np.uint32) if rows is None else rows
    is_shared = n_copies < len(lengths)
    if is_shared:  # codes that are equal in one substring are near each other in others, and then in memory
        _sort_by_bits(read_only(codes), starts[0], lengths[0], half, pairs)
        order = pairs.astype(np.uint32)
        _gather(read_only(codes), order, copies[0])
        ends, rows = _reorder_rows(order, ends, rows)
        yield
    for t, length in enumerate(lengths):
        _sort_by_bits(read_only(copies[0] if is_shared else codes), starts[t], length, half, pairs)
        _fill_table(pairs, offsets[bases[t] : bases[t + 1]], members[t])
        if not is_shared:
            _gather(read_only(codes), members[t], copies[t])
        yield
    tables = Tables(starts, bases[:-1], offsets, members, copies, ends, rows)
    for array in tables:
        array.flags.writeable = False
    return tables


def _sort_by_bits(
    codes: NDArray[np.uint64], first: np.int64, length: np.int64, half: NDArray[np.uint64], pairs: NDArray[np.uint64]
) -> None:
    """Fill `pairs` with substrings and numbers of the codes, sorted."""
    low = length // 2  # a radix sort in two passes, whose few thousand slots stay in the cache
    _pair_keys(codes, first, length, pairs)
    _scatter(pairs, _NUMBER, low, half)
    _scatter(half, _NUMBER + low, length - low, pairs)


def _count_copies(n: int, n_words: int, n_tables: int) -> int:
    """Return how many copies of the codes the tables have: one each, or one for all."""
    most_words, most_bytes = _MOST_COPIED
    is_copied = n_words <= _COPIED or (n_words <= most_words and 8 * n_tables * n * n_words <= most_bytes)
    return n_tables if is_copied else 1


def _reorder_rows(
    order: NDArray[np.uint32], ends: NDArray[np.int64], rows: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return `ends` and `rows`, see `Tables`, of the codes in another order."""
    if not len(ends):
        return np.arange(len(order) + 1), order
    starts, sizes = ends[:-1][order], np.diff(ends)[order]
    new_ends = np.concatenate(([0], np.cumsum(sizes)))
    return new_ends, rows[np.arange(len(rows)) + np.repeat(starts - new_ends[:-1], sizes)]
