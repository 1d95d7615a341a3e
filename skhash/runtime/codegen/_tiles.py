"""Sums of tiles: some pixels times some vectors of output channels, kept in registers over a whole window.

Output channels lie in the lanes of vectors; one word (32 signs, 4 bytes or 1 float) of the source is broadcast to all
lanes. So nothing is ever summed across lanes, and windows may have any length. The address of a word is the sum of two
offsets from tables, the pixel's and the tap's, so one loop serves every kernel size and stride, and linear layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.runtime.codegen._emitter import F32, I32, I64

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llvmlite import ir

    from skhash.runtime.codegen._emitter import Emitter, Value
    from skhash.runtime.codegen._jobs import JobReader

__all__ = ["sum_tile"]

_FLUSH = 31  # words after which counts in bytes are added up: each adds at most 8 to a byte, and 31 * 8 < 256


def sum_tile(
    e: Emitter,
    job: JobReader,
    kind: str,
    counts_in_lanes: bool,
    n_vectors: int,
    weights: Value,
    windows: Sequence[Value],
) -> list[list[Value]]:
    """Write the loop over a window.

    Parameters
    ----------
    e : Emitter
        Emitter of the kernel.
    job : JobReader
        Addresses of the taps.
    kind : {"binary", "int8", "real"}
        Contents of the words: signs (sums count differing bits), bytes or a float.
    counts_in_lanes : bool
        See `Target`.
    n_vectors : int
        Vectors of output channels.
    weights : value
        Address of the block's weights: `n_vectors` vectors for each tap.
    windows : list of value
        Addresses of the windows of the tile's pixels.

    Returns
    -------
    sums : list of list of value
        By pixel and vector of channels.
    """
    tile = _Tile(e, job, n_vectors, weights, windows)
    if kind == "binary":
        return tile.count_in_lanes() if counts_in_lanes else tile.count_in_bytes()
    return tile.multiply_bytes() if kind == "int8" else tile.multiply_floats()


class _Tile:
    """Writes the loops; see `sum_tile`."""

    def __init__(self, e: Emitter, job: JobReader, n_vectors: int, weights: Value, windows: Sequence[Value]) -> None:
        self.e, self.job, self.weights, self.windows = e, job, weights, windows
        self.n_vectors = n_vectors
        self.stride = 4 * e.lanes * n_vectors  # bytes of weights per tap

    def _grid(self, flat: list[Value]) -> list[list[Value]]:
        """Group values that are ordered by pixel, then vector."""
        return [flat[i : i + self.n_vectors] for i in range(0, len(flat), self.n_vectors)]

    def _walk(
        self,
        first: Value,
        count: Value,
        weights: Value,
        initial: list[Value],
        word: ir.Type,
        combine: Callable[[Value, Value, Value], Value],
    ) -> list[Value]:
        """Loop over taps: `combine(sum, word, weight)` for every pixel and vector; returns the next weights first."""
        e = self.e

        def body(index, carried):
            weights, sums = carried[0], carried[1:]
            tap = e.offset(self.job.taps, e.b.add(first, index))
            type_ = e.floats if word == F32 else e.ints
            # Each weight is loaded once for all pixels, and each word once for all vectors.
            rows = [e.load(e.at(weights, 4 * e.lanes * q, 1), type_) for q in range(self.n_vectors)]
            new = []
            for p, window in enumerate(self.windows):
                spread = e.splat(e.load(e.b.add(window, tap), word, 1))
                new += [combine(sums[p * self.n_vectors + q], spread, row) for q, row in enumerate(rows)]
            return [e.b.add(weights, I64(self.stride)), *new]

        return e.fold(count, [weights, *initial], body)

    def _sums(self, type_: ir.VectorType) -> list[Value]:
        zero = self.e.constant(type_, 0.0 if type_ == self.e.floats else 0)
        return [zero] * (self.n_vectors * len(self.windows))

    def count_in_lanes(self) -> list[list[Value]]:
        """Count differing bits with one instruction per 32-bit lane."""
        e = self.e

        def combine(total: Value, word: Value, weight: Value) -> Value:
            return e.b.add(total, e.popcount(e.b.xor(word, weight)))

        return self._all_taps(self._sums(e.ints), I32, combine)

    def multiply_bytes(self) -> list[list[Value]]:
        """Sum products of unsigned pixels and signed weights."""
        e = self.e
        name = "llvm.x86.avx512.vpdpbusd.512"  # adds four products of unsigned and signed bytes to a lane
        return self._all_taps(self._sums(e.ints), I32, lambda total, word, weight: e.call(name, total, word, weight))

    def multiply_floats(self) -> list[list[Value]]:
        """Sum products of floats, in the order of the taps."""
        e = self.e
        return self._all_taps(self._sums(e.floats), F32, lambda total, word, weight: e.fused(word, weight, total))

    def _all_taps(
        self, initial: list[Value], word: ir.Type, combine: Callable[[Value, Value, Value], Value]
    ) -> list[list[Value]]:
        return self._grid(self._walk(I64(0), self.job.n_taps, self.weights, initial, word, combine)[1:])

    def count_in_bytes(self) -> list[list[Value]]:
        """Count differing bits in bytes: by table lookups on x86, by one instruction on ARM."""
        e = self.e

        def combine(counts: Value, word: Value, weight: Value) -> Value:
            differing = e.b.bitcast(e.b.xor(word, weight), e.bytes)
            return e.b.add(counts, e.popcount(differing))

        def run(start: Value, carried: list[Value]) -> list[Value]:
            rest = e.b.sub(self.job.n_taps, start)
            count = e.b.select(e.b.icmp_signed("<", rest, I64(_FLUSH)), rest, I64(_FLUSH))
            weights, *counts = self._walk(start, count, carried[0], self._sums(e.bytes), I32, combine)
            totals = [e.b.add(t, self._add_bytes(c)) for t, c in zip(carried[1:], counts, strict=True)]
            return [weights, *totals]

        return self._grid(e.fold(self.job.n_taps, [self.weights, *self._sums(e.ints)], run, _FLUSH)[1:])

    def _add_bytes(self, counts: Value) -> Value:
        """Sum the four bytes of each lane: first neighbors into 16 bits, where nothing overflows, then the halves."""
        e = self.e
        lanes = e.b.bitcast(counts, e.ints)
        even, low = e.constant(e.ints, 0x00FF00FF), e.constant(e.ints, 0xFFFF)
        pairs = e.b.add(e.b.and_(lanes, even), e.b.and_(e.b.lshr(lanes, e.constant(e.ints, 8)), even))
        return e.b.add(e.b.and_(pairs, low), e.b.lshr(pairs, e.constant(e.ints, 16)))
