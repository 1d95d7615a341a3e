"""How a vector of floats becomes a record: how many bits each of its elements gets, and where these are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import BitRun, Field, RecordForm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HALF_STEPS", "MAX_LEVELS", "RecordLayout", "allocate_bits"]

MAX_LEVELS = 8  # bits per element
_UNIT, _SMALL_UNIT = 64, 16  # elements that get the same number of bits: a word of each plane, or less
_FEW_BITS = 192  # below which words would be too coarse
# Mean squared error of the best uniform quantizer of 0, 1, 2 ... bits for a normal variable of variance 1 (Max 1960).
_ERRORS = np.array([1.0, 0.3634, 0.1188, 0.03744, 0.01154, 0.003495, 0.001041, 0.0003035, 0.0000873])
# Half of the distance of two neighboring values of that quantizer.
HALF_STEPS: NDArray[np.float64] = np.array([0.0, 0.7979, 0.4978, 0.2930, 0.1676, 0.0941, 0.0522, 0.0284, 0.0154])


def allocate_bits(variances: NDArray[np.float64], n_bits: int) -> NDArray[np.int64]:
    """Divide bits among elements so that the expected squared error is least.

    One unit of elements after the other gets one bit more: that unit whose error falls most.

    Parameters
    ----------
    variances : ndarray of float64 of shape (n_dims,)
        Variances of the elements, in descending order.
    n_bits : int
        Number of bits.

    Returns
    -------
    bits : ndarray of int64 of shape (n_dims,)
        Bits of each element, 0 to `MAX_LEVELS`, in descending order; together at most `n_bits`.
    """
    unit = _UNIT if n_bits >= _FEW_BITS else _SMALL_UNIT
    starts = np.arange(0, len(variances), unit)
    sizes = np.diff(np.append(starts, len(variances)))
    means = np.add.reduceat(variances, starts) / sizes
    bits, left = np.zeros(len(variances), np.int64), n_bits
    level, gains = np.zeros(len(starts), np.int64), means * (_ERRORS[0] - _ERRORS[1])
    while left > 0 and gains.max() > -np.inf:
        at = int(gains.argmax())
        first, size = starts[at], min(sizes[at], left)
        bits[first : first + size] += 1
        left -= size
        level[at] += 1
        done = level[at] == MAX_LEVELS
        gains[at] = -np.inf if done else means[at] * (_ERRORS[level[at]] - _ERRORS[level[at] + 1])
    return np.sort(bits)[::-1]


@dataclass(frozen=True)
class RecordLayout:
    """Where a record has the bits of each element, its factor and its offset.

    A record is a row of words of 64 bits: planes of the levels one after the other, each with one bit of every element
    that has so many; then the factor and the offset, in the highest bits of the last word.

    Parameters
    ----------
    n_words : int
        Words of a record.
    sizes : tuple of int
        For each level from 0 on, how many elements have it, in descending order.
    field_bits : int
        Bits of the factor, and of the offset.
    """

    n_words: int
    sizes: tuple[int, ...]
    field_bits: int

    @classmethod
    def plan(cls, variances: NDArray[np.float64], n_words: int, field_bits: int) -> RecordLayout:
        """Return the layout of records of `n_words` words for elements of some variances, in descending order."""
        bits = allocate_bits(variances, 64 * n_words - 2 * field_bits)
        return cls(n_words, tuple(int((bits > level).sum()) for level in range(int(bits.max(initial=0)))), field_bits)

    @property
    def n_dims(self) -> int:
        """Number of elements that have bits."""
        return self.sizes[0]

    @cached_property
    def bits(self) -> NDArray[np.int64]:
        """The number of bits of each element."""
        return (np.arange(self.n_dims)[:, None] < np.array(self.sizes)).sum(axis=1)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The position of the first bit of each level: first those that fill words, so that few words are shared."""
        order = sorted(range(len(self.sizes)), key=lambda level: (self.sizes[level] % 64 != 0, -level))
        starts, start = np.empty(len(self.sizes), np.int64), 0
        for level in order:
            starts[level] = start
            start += self.sizes[level]
        return starts

    @cached_property
    def element_of_bit(self) -> NDArray[np.int64]:
        """The element to which each bit of a record belongs; -1 for those of none."""
        elements = np.full(64 * self.n_words, -1)
        for start, size in zip(self.starts.tolist(), self.sizes, strict=True):
            elements[start : start + size] = np.arange(size)
        return elements

    @cached_property
    def largest(self) -> NDArray[np.int64]:
        """The largest level number of each element, `2**bits - 1`."""
        return 2**self.bits - 1

    @cached_property
    def form(self) -> RecordForm:
        """The form of the records."""
        runs = []
        for level in reversed(range(len(self.sizes))):
            start = int(self.starts[level])
            runs += _runs(level, start, start + self.sizes[level])
        last, size = self.n_words - 1, self.field_bits
        return RecordForm(self.n_words, tuple(runs), Field(last, 64 - 2 * size, size), Field(last, 64 - size, size))


def _runs(level: int, start: int, stop: int) -> list[BitRun]:
    """Return the runs of the bits from `start` to `stop - 1`: whole words together, parts of words on their own."""
    runs = []
    while start < stop:
        word, first = divmod(start, 64)
        if first == 0 and stop - start >= 64:
            n_words = (stop - start) // 64
            runs.append(BitRun(level, word, n_words, 2**64 - 1))
            start += 64 * n_words
        else:
            end = min(stop - 64 * word, 64)
            runs.append(BitRun(level, word, 1, 2**end - 2**first))
            start = 64 * word + end
    return runs
