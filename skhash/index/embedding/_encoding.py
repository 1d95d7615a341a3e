"""The kernel that rounds vectors to records: the scale of each is the one whose result has the least angle to it."""

from __future__ import annotations

import numpy as np

from skhash.bitops import kernel

__all__ = ["GROUP", "encode_groups"]

GROUP = 16  # rows side by side, one per lane of a vector
_ROUND = np.float32(1.5 * 2**23)  # added and subtracted again, it rounds to integers


@kernel
def encode_groups(z, half_steps, largest, scales, unit, starts, sizes, records, products, squares):
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
    starts, sizes : ndarray of int64 of shape (n_levels,)
        Position of the first bit of each level, and number of its bits.
    records : ndarray of uint64 of shape (n_groups * GROUP, n_words)
        Filled with the bits; zeros at first.
    products, squares : ndarray of float64 of shape (n_groups * GROUP,)
        Filled with the inner products of level numbers times steps with the vector, and with the former's squares.
    """
    n_groups, n_dims = z.shape[0], z.shape[1]
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    product, square = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    best, chosen, inverse = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    numbers = np.empty((GROUP, n_dims), np.uint8)
    for g in range(n_groups):
        best[:] = -1
        chosen[:] = 1
        for m in range(len(scales)):
            for j in range(GROUP):
                product[j], square[j] = 0, 0
                inverse[j] = one / (two * scales[m] * unit[g, j])
            for d in range(n_dims):
                step, low, high = half_steps[d], -(largest[d] + one) * half, (largest[d] - one) * half
                divided = one / step
                for j in range(GROUP):
                    value = z[g, d, j]
                    x = value * divided * inverse[j] - half
                    x = low if x < low else x  # what LLVM turns into vector code, unlike min and max
                    x = high if x > high else x
                    x = (two * ((x + _ROUND) - _ROUND) + one) * step
                    product[j] += x * value
                    square[j] += x * x
            for j in range(GROUP):
                quality = product[j] * abs(product[j]) / square[j]
                if quality > best[j]:
                    best[j], chosen[j] = quality, inverse[j]
        first = g * GROUP
        products[first : first + GROUP] = 0
        squares[first : first + GROUP] = 0
        for d in range(n_dims):
            step, most = half_steps[d], largest[d]
            low, high, divided = -(most + one) * half, (most - one) * half, one / step
            for j in range(GROUP):
                value = z[g, d, j]
                x = value * divided * chosen[j] - half
                x = low if x < low else x
                x = high if x > high else x
                x = two * ((x + _ROUND) - _ROUND) + one
                numbers[j, d] = np.uint8(np.int32(x + most) >> 1)
                products[first + j] += np.float64(x * step) * np.float64(value)
                squares[first + j] += np.float64(x * step) * np.float64(x * step)
        for j in range(GROUP):
            for level in range(len(starts)):
                _set_bits(records, first + j, numbers, j, level, starts[level], sizes[level])


@kernel
def _set_bits(records, row, numbers, j, level, start, size):
    """Write one bit of each of the first `size` numbers to a record, from position `start` on."""
    d = 0
    while d < size:
        position = (start + d) & 63
        n = min(64 - position, size - d)
        word = np.uint64(0)
        for i in range(n):
            word |= np.uint64((numbers[j, d + i] >> level) & 1) << np.uint64(position + i)
        records[row, (start + d) >> 6] |= word
        d += n
