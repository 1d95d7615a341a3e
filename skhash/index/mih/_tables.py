"""Tables of multi-index hashing: for each substring of the bits, the codes in buckets of equal substrings."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skhash.bitops import LANES, kernel
from skhash.utils import read_only

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

__all__ = ["Tables", "build_tables", "cut_bits", "n_substrings", "substring"]

_MAX_LENGTH = 24  # bits of a substring: 2**24 offsets are 64 MB


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
        Numbers of the codes in each table, bucket after bucket.
    codes : ndarray of uint64 of shape (n_tables, n, n_words)
        The codes in the same order.
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
def _sort_by_bits(codes, numbers, first, length, sorted_codes, sorted_numbers):
    """Sort codes and their numbers by some bits with a stable counting sort."""
    slots = np.zeros((1 << length) + 1, np.int64)
    for i in range(len(codes)):
        slots[substring(codes, i, first, length) + 1] += 1
    for key in range(len(slots) - 1):
        slots[key + 1] += slots[key]
    for i in range(len(codes)):
        key = substring(codes, i, first, length)
        for w in range(codes.shape[1]):
            sorted_codes[slots[key], w] = codes[i, w]
        sorted_numbers[slots[key]] = numbers[i]
        slots[key] += 1


@kernel
def _bucket_starts(sorted_codes, first, length, offsets):
    """Fill `offsets`, zeros of shape (2**length + 1,), with the start of each bucket of sorted codes."""
    for i in range(len(sorted_codes)):
        offsets[substring(sorted_codes, i, first, length) + 1] += np.uint32(1)
    for key in range(len(offsets) - 1):
        offsets[key + 1] += offsets[key]


def n_substrings(bits: int, n: int) -> int:
    """Return the number of tables: substrings have about log2(n) bits.

    Then a bucket has about one member, if codes are spread evenly.
    """
    return max(round(bits / max(log2(n), 1)), -(-bits // _MAX_LENGTH))


def cut_bits(bits: int, n: int) -> NDArray[np.int64]:
    """Cut `bits` into m substrings of nearly equal lengths; return their m + 1 bounds."""
    m = n_substrings(bits, n)
    return np.arange(m + 1) * bits // m


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
    bases = np.concatenate(([0], np.cumsum(2**lengths + 1)))
    offsets = np.zeros(bases[-1], np.uint32)
    members = np.empty((len(lengths), len(codes)), np.uint32)
    sorted_codes = np.empty((len(lengths) * len(codes) + LANES, codes.shape[1]), np.uint64)  # read in groups
    sorted_codes = sorted_codes[:-LANES].reshape(len(lengths), *codes.shape)
    numbers = np.arange(len(codes), dtype=np.uint32)
    half_codes, half_members = np.empty_like(sorted_codes[0]), np.empty_like(numbers)
    for t, length in enumerate(lengths):
        low = length // 2  # a radix sort in two passes, whose few thousand slots stay in the cache
        _sort_by_bits(read_only(codes), read_only(numbers), starts[t], low, half_codes, half_members)
        half = read_only(half_codes), read_only(half_members)
        _sort_by_bits(*half, starts[t] + low, length - low, sorted_codes[t], members[t])
        _bucket_starts(read_only(sorted_codes[t]), starts[t], length, offsets[bases[t] : bases[t + 1]])
        yield
    ends = np.empty(0, np.int64) if ends is None else ends
    rows = np.empty(0, np.uint32) if rows is None else rows
    tables = Tables(starts, bases[:-1], offsets, members, sorted_codes, ends, rows)
    for array in tables:
        array.flags.writeable = False
    return tables
