"""Sums of tiles: some pixels times some vectors of output channels, kept in registers over a whole window.

Output channels lie in the lanes of vectors; one word (32 signs, 4 bytes or 1 float) of the source is spread over all
lanes. So nothing is ever summed across lanes, and windows may be of any length. Where a window's words lie is looked
up twice, the pixel's offset and the tap's, so one loop does for every kernel size, stride and for linear layers.
"""

from skhash.runtime.codegen._emitter import F32, I32, I64

__all__ = ["sum_tile"]

_FLUSH = 31  # words of 8 bits a byte that a byte can count: 31 * 8 < 256


def sum_tile(e, job, kind, counts_in_lanes, n_vectors, weights, windows):
    """Write the loop over a window.

    Parameters
    ----------
    e : Emitter
        Where to write.
    job : JobReader
        For the taps.
    kind : {"binary", "int8", "real"}
        What words hold: signs (sums count differing bits), bytes or a float.
    counts_in_lanes : bool
        See `Target`.
    n_vectors : int
        Vectors of output channels.
    weights : value
        Address of the block's weights: by tap, `n_vectors` vectors.
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
    def __init__(self, e, job, n_vectors, weights, windows):
        self.e, self.job, self.weights, self.windows = e, job, weights, windows
        self.n_vectors = n_vectors
        self.stride = 4 * e.lanes * n_vectors  # bytes of weights a tap

    def _grid(self, flat):
        return [flat[i : i + self.n_vectors] for i in range(0, len(flat), self.n_vectors)]

    def _walk(self, first, count, weights, initial, word, combine):
        """Loop over taps: `combine(sum, word, weight)` for every pixel and vector."""
        e = self.e

        def body(index, carried):
            weights, sums = carried[0], carried[1:]
            tap = e.offset(self.job.taps, e.b.add(first, index))
            type_ = e.floats if word == F32 else e.ints
            rows = [e.load(e.at(weights, 4 * e.lanes * q, 1), type_) for q in range(self.n_vectors)]
            new = []
            for p, window in enumerate(self.windows):
                spread = e.splat(e.load(e.b.add(window, tap), word, 1))
                new += [combine(sums[p * self.n_vectors + q], spread, row) for q, row in enumerate(rows)]
            return [e.b.add(weights, I64(self.stride)), *new]

        return e.fold(count, [weights, *initial], body)

    def _sums(self, type_):
        zero = self.e.constant(type_, 0.0 if type_ == self.e.floats else 0)
        return [zero] * (self.n_vectors * len(self.windows))

    def count_in_lanes(self):
        e = self.e

        def combine(total, word, weight):
            return e.b.add(total, e.population(e.b.xor(word, weight)))

        return self._all_taps(self._sums(e.ints), I32, combine)

    def multiply_bytes(self):
        e = self.e
        name = "llvm.x86.avx512.vpdpbusd.512"  # sums four products of an unsigned and a signed byte a lane
        return self._all_taps(self._sums(e.ints), I32, lambda total, word, weight: e.call(name, total, word, weight))

    def multiply_floats(self):
        e = self.e
        return self._all_taps(self._sums(e.floats), F32, lambda total, word, weight: e.fused(word, weight, total))

    def _all_taps(self, initial, word, combine):
        return self._grid(self._walk(I64(0), self.job.n_taps, self.weights, initial, word, combine)[1:])

    def count_in_bytes(self):
        e = self.e

        def combine(counts, word, weight):
            differing = e.b.bitcast(e.b.xor(word, weight), e.bytes)
            return e.b.add(counts, e.population(differing))

        def run(start, carried):
            rest = e.b.sub(self.job.n_taps, start)
            count = e.b.select(e.b.icmp_signed("<", rest, I64(_FLUSH)), rest, I64(_FLUSH))
            weights, *counts = self._walk(start, count, carried[0], self._sums(e.bytes), I32, combine)
            totals = [e.b.add(t, self._add_bytes(c)) for t, c in zip(carried[1:], counts, strict=True)]
            return [weights, *totals]

        return self._grid(e.fold(self.job.n_taps, [self.weights, *self._sums(e.ints)], run, _FLUSH)[1:])

    def _add_bytes(self, counts):
        """Sum of the four bytes of each lane."""
        e = self.e
        lanes = e.b.bitcast(counts, e.ints)
        even, low = e.constant(e.ints, 0x00FF00FF), e.constant(e.ints, 0xFFFF)
        pairs = e.b.add(e.b.and_(lanes, even), e.b.and_(e.b.lshr(lanes, e.constant(e.ints, 8)), even))
        return e.b.add(e.b.and_(pairs, low), e.b.lshr(pairs, e.constant(e.ints, 16)))
