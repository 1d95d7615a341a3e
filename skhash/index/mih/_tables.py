"""Tables of multi-index hashing: for each substring of the bits, the codes in buckets of equal substrings."""

from collections import namedtuple

import numpy as np

from skhash.bitops import kernel
from skhash.utils import read_only

__all__ = ["Tables", "build_tables", "cut_bits", "substring"]

_MAX_LENGTH = 24  # bits of a substring: 2**24 offsets are 64 MB

# starts: first bit of each substring, and the end. bases: where each table's buckets start in offsets. offsets: where
# each bucket starts in members. members, codes: number and words of the codes, table after table, bucket after bucket.
# ends, rows: the rows of code i are rows[ends[i]:ends[i + 1]], or i itself if there are no ends.
Tables = namedtuple("Tables", ["starts", "bases", "offsets", "members", "codes", "ends", "rows"])


@kernel
def substring(codes, i, first, length):
    """Bits first .. first + length - 1 of code `i`."""
    w, shift = first >> 6, np.uint64(first & 63)
    # The next word's bits land behind those of this one, or, if the substring ends here, behind its end.
    beyond = (codes[i, min(w + 1, codes.shape[1] - 1)] << np.uint64(1)) << (np.uint64(63) - shift)
    return np.int64(((codes[i, w] >> shift) | beyond) & ((np.uint64(1) << np.uint64(length)) - np.uint64(1)))


@kernel
def _sort_by_bits(codes, numbers, first, length, sorted_codes, sorted_numbers):
    """Sort codes and their numbers by some bits, by counting; codes with equal bits keep their order."""
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
    """Fill `offsets`, zeros of shape (2**length + 1,), with where each bucket of sorted codes starts."""
    for i in range(len(sorted_codes)):
        offsets[substring(sorted_codes, i, first, length) + 1] += np.uint32(1)
    for key in range(len(offsets) - 1):
        offsets[key + 1] += offsets[key]


def cut_bits(bits, n):
    """Cut `bits` into substrings of about log2(n) bits, whose lengths differ by at most one; give the m + 1 bounds."""
    m = max(round(bits / max(np.log2(n), 1)), -(-bits // _MAX_LENGTH))
    return np.arange(m + 1) * bits // m


def build_tables(codes, bits, ends=None, rows=None):
    """Sort codes into a table for each substring.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        Codes, fewer than 2**32.
    bits : int
        Code length.
    ends, rows : ndarray of int64 and of uint32, default=None
        Which rows have code i: `rows[ends[i]:ends[i + 1]]`, rising. None means row i.

    Returns
    -------
    tables : Tables
        Read-only arrays.
    """
    starts = cut_bits(bits, len(codes))
    lengths = np.diff(starts)
    bases = np.concatenate(([0], np.cumsum(2**lengths + 1)))
    offsets = np.zeros(bases[-1], np.uint32)
    members = np.empty((len(lengths), len(codes)), np.uint32)
    sorted_codes = np.empty((len(lengths), *codes.shape), np.uint64)
    numbers = np.arange(len(codes), dtype=np.uint32)
    half_codes, half_members = np.empty_like(sorted_codes[0]), np.empty_like(numbers)
    for t, length in enumerate(lengths):
        low = length // 2  # in two passes, whose few thousand slots stay in the cache
        _sort_by_bits(read_only(codes), read_only(numbers), starts[t], low, half_codes, half_members)
        half = read_only(half_codes), read_only(half_members)
        _sort_by_bits(*half, starts[t] + low, length - low, sorted_codes[t], members[t])
        _bucket_starts(read_only(sorted_codes[t]), starts[t], length, offsets[bases[t] : bases[t + 1]])
    ends = np.empty(0, np.int64) if ends is None else ends
    rows = np.empty(0, np.uint32) if rows is None else rows
    tables = Tables(starts, bases[:-1], offsets, members, sorted_codes, ends, rows)
    for array in tables:
        array.flags.writeable = False
    return tables
