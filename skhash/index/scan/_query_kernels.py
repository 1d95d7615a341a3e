"""Kernels that turn continuous queries into planes of bits."""

import numpy as np

from skhash.bitops import kernel

__all__ = ["pack_rows", "quantize_rows"]


@kernel
def quantize_rows(z, shares, half, levels, steps):
    """Round each row to odd multiples of a step, that of least squares among some.

    Parameters
    ----------
    z : ndarray of float64 of shape (n, n_dims)
        Rows.
    shares : ndarray of float64 of shape (n_steps,)
        Which part of the largest element the largest level may stand for.
    half : int
        The largest level, `2**n_planes - 1`.
    levels : ndarray of int32 of shape (n, n_dims)
        Filled with the levels.
    steps : ndarray of float64 of shape (n,)
        Filled with the steps; 0 for rows of zeros.
    """
    n_dims = z.shape[1]
    most = np.float64(half)
    for q in range(len(z)):
        largest = 0.0
        for d in range(n_dims):
            largest = max(largest, abs(z[q, d]))
        steps[q] = 0.0
        if largest == 0.0:
            for d in range(n_dims):
                levels[q, d] = 1
            continue
        best, chosen = -1.0, 1.0
        for m in range(len(shares)):
            scale = most / (2.0 * shares[m] * largest)
            product, square = 0.0, 0.0
            for d in range(n_dims):
                x = 2.0 * np.floor(z[q, d] * scale) + 1.0
                x = most if x > most else (-most if x < -most else x)
                product += x * (z[q, d] / largest)
                square += x * x
            # The error of the least-squares step for these levels falls as this rises.
            if product * product / square > best:
                best, chosen = product * product / square, scale
                steps[q] = product / square * largest
        for d in range(n_dims):
            x = 2.0 * np.floor(z[q, d] * chosen) + 1.0
            levels[q, d] = np.int32(most if x > most else (-most if x < -most else x))


@kernel
def pack_rows(levels, half, n_planes, elements, words):
    """Set the bits of the planes of each row.

    Parameters
    ----------
    levels : ndarray of int32 of shape (n, n_dims)
        Levels.
    half : int
        The largest level.
    n_planes : int
        Bits of a level.
    elements : ndarray of int64 of shape (n_bits,)
        The element to which each bit of a record belongs; -1 for none.
    words : ndarray of uint64 of shape (n, n)
        Zeros, filled with the planes of each word one after the other.
    """
    for q in range(len(levels)):
        for position in range(len(elements)):
            element = elements[position]
            if element < 0:
                continue
            number, first = (levels[q, element] + half) >> 1, (position >> 6) * n_planes
            bit = np.uint64(1) << np.uint64(position & 63)
            for p in range(n_planes):
                if (number >> p) & 1:
                    words[q, first + p] |= bit
