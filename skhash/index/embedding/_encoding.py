"""The kernel that rounds vectors to records: the scale of each is the one whose result has the least angle to it."""

from __future__ import annotations

import numpy as np

from skhash.bitops import kernel

__all__ = ["GROUP", "encode_groups"]

GROUP = 16  # rows side by side, one per lane of a vector


@kernel
def encode_groups(z, half_steps, largest, scales, unit, starts, n_words, records, products, squares):
    """Quantize groups of vectors to records.

    Parameters
    ----------
    z : ndarray of float32 of shape (n_groups, n_dims, GROUP)
        Vectors, element by element.
    half_steps : ndarray of float32 of shape (n_dims,)
        Half of the distance of two neighboring values of each element, of a vector of the mean length.
    largest : ndarray of float32 of shape (n_dims,)
        The largest level number of each element.
    scales : ndarray of float32 of shape (n_scales,)
        By how much the steps of a vector may differ from those that its length suggests.
    unit : ndarray of float32 of shape (n_groups, GROUP)
        The steps that the length of a vector suggests, as a multiple of those of the mean length; positive.
    starts : ndarray of int64 of shape (n_levels,)
        Position of the first bit of each level.
    n_words : int
        Words of a record.
    records : ndarray of uint64 of shape (n_groups * GROUP, n_words)
        Filled with the bits; zeros at first.
    products, squares : ndarray of float64 of shape (n_groups * GROUP,)
        Filled with the inner products of level numbers times steps with the vector, and with the former's squares.
    """
    n_groups, n_dims = z.shape[0], z.shape[1]
    one, two = np.float32(1), np.float32(2)
    product, square = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    best, chosen, inverse = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    for g in range(n_groups):
        best[:] = -1
        chosen[:] = 1
        for m in range(len(scales)):
            for j in range(GROUP):
                product[j], square[j] = 0, 0
                inverse[j] = one / (two * scales[m] * unit[g, j])
            for d in range(n_dims):
                step, most = half_steps[d], largest[d]
                divided = one / step
                for j in range(GROUP):
                    value = z[g, d, j]
                    x = two * np.floor(value * divided * inverse[j]) + one
                    x = min(max(x, -most), most) * step
                    product[j] += x * value
                    square[j] += x * x
            for j in range(GROUP):
                quality = product[j] * abs(product[j]) / square[j]
                if quality > best[j]:
                    best[j], chosen[j] = quality, inverse[j]
        for j in range(GROUP):
            row, total, norm = g * GROUP + j, 0.0, 0.0
            for d in range(n_dims):
                step, most, value = half_steps[d], largest[d], z[g, d, j]
                x = two * np.floor(value * (one / step) * chosen[j]) + one
                x = min(max(x, -most), most)
                number = np.int64(x + most) >> 1
                level = 0
                while number:
                    if number & 1:
                        position = starts[level] + d
                        records[row, position >> 6] |= np.uint64(1) << np.uint64(position & 63)
                    number >>= 1
                    level += 1
                x *= step
                total += np.float64(x) * value
                norm += np.float64(x) * x
            products[row], squares[row] = total, norm
