"""Vectors of floats as records of a few bits per element, and queries for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from skhash.index.embedding import _encoding
from skhash.index.embedding._layout import RecordLayout
from skhash.index.scan._score_queries import pack_planes, quantize
from skhash.index.scan._scores import MAX_DISTANCE, ScoreQueries

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Encoded", "Quantizer", "Scores"]

_ROWS = 512  # per matrix product, which has one shape so that a vector gets the same record alone and among others
_QUERIES = 8  # likewise; fewer, because one query should not take long
_SCALES = np.geomspace(0.6, 1.7, 14).astype(np.float32)
_MARGINS = {8: 2.0, 16: 8.0}  # how much larger than seen in training a factor or offset may be, by its bits
_MAX_WEIGHT = 2**31
_SMALL, _LARGE = 1e-10, 1e10  # between which squares of numbers and their sums keep all digits


class Encoded(NamedTuple):
    """Records of some vectors.

    Parameters
    ----------
    records : ndarray of uint64 of shape (n, n_words)
        The records.
    n_clipped : int
        How many of the vectors have a factor or an offset beyond the range of its field.
    """

    records: NDArray[np.uint64]
    n_clipped: int


class Scores(NamedTuple):
    """Queries, and the meaning of the distances that a search for them returns.

    Parameters
    ----------
    queries : ScoreQueries
        The queries.
    slopes, bases : ndarray of float64 of shape (n_queries,)
        `bases - slopes * distance` is the estimate of the inner product, or of minus half the squared distance.
    """

    queries: ScoreQueries
    slopes: NDArray[np.float64]
    bases: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quantizer:
    r"""Rounds vectors to records from which inner products with a query can be estimated.

    A vector is centered and rotated to the principal axes, of which those of small variance are dropped. Axes with the
    same number of bits are rotated among themselves at random, so that none of them stands out. Each element becomes an
    odd integer times the step of its axis; the length and the angle of the vector to the result make one factor.
    The estimate :math:`\langle q, x \rangle \approx f \langle \hat x, q - \mu \rangle + o` is unbiased for a random
    rotation (RaBitQ), up to the axes that are dropped. The offset :math:`o = \langle \mu, x - \mu \rangle` is exact.

    Parameters
    ----------
    metric : {"cosine", "euclidean", "inner_product"}
        What to estimate.
    mean : ndarray of float32 of shape (n_features,)
        Mean of the scaled training vectors, of length 1 each for the cosine.
    components : ndarray of float32 of shape (layout.n_dims, n_features)
        Directions, orthonormal.
    half_steps : ndarray of float32 of shape (layout.n_dims,)
        Half of the distance of two neighboring values of each element.
    length : float
        Root mean square of the length of a centered and projected training vector.
    layout : RecordLayout
        Where a record has its bits.
    factor_step, offset_low, offset_step : float
        Meaning of a unit of the factor and of the offset: `factor_step * number`, `offset_low + offset_step * number`.
    scale : float
        Power of two by which vectors are multiplied first, so that squares neither overflow nor vanish; 1 for the
        cosine.

    References
    ----------
    .. [1] J. Gao, C. Long. "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate
       nearest neighbor search". SIGMOD 2024.
    .. [2] J. Gao et al. "Practical and asymptotically optimal quantization of high-dimensional vectors in Euclidean
       space for approximate nearest neighbor search". SIGMOD 2025: several bits, of which the scale is searched.
    .. [3] H. Li et al. "SAQ: pushing the limits of vector quantization through code adjustment and dimension
       segmentation". arXiv 2509.12086: more bits for axes of larger variance.
    """

    metric: str
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    half_steps: NDArray[np.float32]
    length: float
    layout: RecordLayout
    factor_step: float = 1.0
    offset_low: float = 0.0
    offset_step: float = 1.0
    scale: float = 1.0

    def encode(self, X: NDArray[Any]) -> Encoded:
        """Round vectors to records."""
        records, n_clipped = np.empty((len(X), self.layout.n_words), np.uint64), 0
        for start, block in self._blocks(X):
            encoded, factors, offsets = self._encode(block)
            n_clipped += self._add_fields(encoded, factors, offsets)
            records[start : start + len(encoded)] = encoded
        return Encoded(records, n_clipped)

    def with_ranges(self, X: NDArray[Any]) -> Quantizer:
        """Return the quantizer with the ranges of factors and offsets that training vectors need, and a margin."""
        factors, offsets = zip(*(self._encode(block)[1:] for _, block in self._blocks(X)), strict=True)
        factors, offsets = np.concatenate(factors), np.concatenate(offsets)
        most, margin = 2**self.layout.field_bits - 1, _MARGINS[self.layout.field_bits]
        low, high = offsets.min(), offsets.max()
        size = float(np.linalg.norm(self.mean.astype(np.float64)))  # of which the rounding errors are a part
        if self.metric == "euclidean":  # these are at most 0
            low, high = margin * low, 0.0
        else:
            middle, width = (low + high) / 2, max(high - low, 1e-6 * max(abs(low), abs(high), size**2, 1e-30))
            low, high = middle - margin * width / 2, middle + margin * width / 2
        return replace(
            self,
            factor_step=float(margin * max(factors.max(), 1e-6 * size / self.length, 1e-30) / most),
            offset_low=float(low),
            offset_step=float(max(high - low, 1e-30) / most),
        )

    def prepare(self, Q: NDArray[Any], n_planes: int) -> Scores:
        """Quantize queries."""
        centered = np.empty((len(Q), len(self.mean)), np.float32)
        for start, block in self._blocks(Q):
            np.subtract(block, self.mean, out=centered[start : start + len(block)])
        z = np.empty((len(Q), self.layout.n_dims), np.float32)
        padded = np.zeros((_QUERIES, len(self.mean)), np.float32)
        for start in range(0, len(Q), _QUERIES):  # a few at a time: one shape, as for records
            some = centered[start : start + _QUERIES]
            padded[: len(some)] = some
            z[start : start + len(some)] = (padded @ self.components.T)[: len(some)]
        levels, steps = quantize(z * self.half_steps, n_planes)
        words = pack_planes(levels, n_planes, self.layout.element_of_bit, self.layout.n_words)
        total = int(self.layout.largest.sum()) * (2**n_planes - 1)
        most = 2**self.layout.field_bits - 1
        slopes = np.maximum(self.factor_step * steps, self.offset_step / _MAX_WEIGHT)
        weights = np.rint(self.offset_step / slopes).astype(np.uint64)
        largest = np.uint64(most * total) + np.uint64(most) * weights
        widest = int(largest.max(initial=0)) + most * total
        shift = max(0, widest.bit_length() - (MAX_DISTANCE.bit_length() - 1))
        words[:, -4:] = np.stack([np.full(len(z), total, np.uint64), weights, largest, np.full(len(z), shift)], axis=1)
        bases = slopes * (largest.astype(np.float64) - (2.0**shift - 1) / 2) + self.offset_low
        if self.metric == "euclidean":
            bases -= 0.5 * np.square(centered, dtype=np.float64).sum(axis=1)
        else:
            bases += self._means(centered) + float(np.square(self.mean, dtype=np.float64).sum())
        unit = self.scale**-2
        return Scores(ScoreQueries(words, self.layout.form, n_planes), slopes * (unit * 2.0**shift), bases * unit)

    def decode(self, records: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return the vectors that the records stand for; those of the cosine are of length 1 before rounding."""
        bits = np.unpackbits(records.view(np.uint8), axis=1, bitorder="little")
        numbers = np.zeros((len(records), self.layout.n_dims), np.int64)
        for level, (start, size) in enumerate(zip(self.layout.starts, self.layout.sizes, strict=True)):
            numbers[:, :size] |= bits[:, start : start + size].astype(np.int64) << level
        x = (2 * numbers - self.layout.largest) * self.half_steps
        factors, _ = self.fields(records)
        return ((factors[:, None] * x @ self.components + self.mean) / self.scale).astype(np.float32)

    def fields(self, records: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the factors and the offsets of records."""
        last, size = records[:, -1], np.uint64(self.layout.field_bits)
        most = np.uint64(2**self.layout.field_bits - 1)
        factors = ((last >> np.uint64(64 - 2 * size)) & most).astype(np.float64)
        offsets = (last >> np.uint64(64 - size)).astype(np.float64)
        return self.factor_step * factors, self.offset_low + self.offset_step * offsets

    def _blocks(self, X: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield blocks of rows as float32, those of the cosine of length 1 (or zero)."""
        for start in range(0, len(X), _ROWS):
            block = np.ascontiguousarray(X[start : start + _ROWS], np.float32)
            yield start, normalize(block) if self.metric == "cosine" else block * np.float32(self.scale)

    def _project(self, block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return projections of centered vectors, and the centered vectors."""
        padded = np.zeros((_ROWS, block.shape[1]), np.float32)
        padded[: len(block)] = block - self.mean
        return (padded @ self.components.T)[: len(block)], padded[: len(block)]

    def _encode(
        self, block: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the bits of records without fields, the factors, and the offsets."""
        z, centered = self._project(block)
        n, group = len(z), _encoding.GROUP
        n_groups = -(-n // group)
        lanes = np.zeros((n_groups * group, z.shape[1]), np.float32)
        lanes[:n] = z
        squares = np.einsum("ij,ij->i", lanes, lanes).astype(np.float64)
        unit = np.where(squares > 0, np.sqrt(squares) / self.length, 1.0).astype(np.float32)
        unit = np.maximum(unit, np.float32(1e-30))
        records = np.zeros((len(lanes), self.layout.n_words), np.uint64)
        products, norms = np.empty(len(lanes)), np.empty(len(lanes))
        encode = cast("Callable[..., None]", _encoding.encode_groups)
        encode(
            np.ascontiguousarray(lanes.reshape(n_groups, group, -1).transpose(0, 2, 1)),
            *(self.half_steps, self.layout.largest.astype(np.float32)),
            *(_SCALES if len(self.layout.sizes) > 1 else _SCALES[:1], unit.reshape(n_groups, group)),
            *(self.layout.starts, np.array(self.layout.sizes), records, products, norms),
        )
        factors = np.divide(squares, products, out=np.zeros(len(lanes)), where=products > 0)
        if self.metric == "euclidean":
            offsets = -0.5 * np.einsum("ij,ij->i", centered, centered).astype(np.float64)
        else:
            offsets = self._means(centered)
        return records[:n], factors[:n], offsets

    def _means(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the inner products of rows with the mean, summed in one order for any number of rows."""
        return np.einsum("ij,j->i", rows, self.mean).astype(np.float64)

    def _add_fields(
        self, records: NDArray[np.uint64], factors: NDArray[np.float64], offsets: NDArray[np.float64]
    ) -> int:
        """Write the fields of records; return how many are clipped."""
        size, most = self.layout.field_bits, 2**self.layout.field_bits - 1
        numbers = np.rint(np.stack([factors / self.factor_step, (offsets - self.offset_low) / self.offset_step]))
        clipped = ((numbers < 0) | (numbers > most)).any(axis=0)
        f, o = np.clip(numbers, 0, most).astype(np.uint64)
        records[:, -1] |= (f << np.uint64(64 - 2 * size)) | (o << np.uint64(64 - size))
        return int(np.count_nonzero(clipped))


def normalize(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1; rows of zeros stay."""
    largest = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    if ((largest < _SMALL) | (largest > _LARGE)).any():
        # By powers of two, which change no digit, so that squares neither overflow nor vanish.
        rows = np.ldexp(rows, -np.frexp(largest)[1][:, None])
    lengths: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths[lengths == 0] = 1
    return rows / lengths[:, None]
