"""Smallest distance between two of many words of a small linear code, without a comparison of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.centers._linear_code import all_words, encode, row_reduce, weights
from skhash.codes import unpack_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE = 64  # words that are added to a span at once
_MAX_DIMENSION = 24


def distance_in_span(words: NDArray[np.uint64], bits: int) -> int | None:
    """Compute the smallest Hamming distance between codes of a small span.

    Parameters
    ----------
    words : ndarray of uint64 of shape (n, n_words)
        Packed codes, at least two.
    bits : int
        Code length.

    Returns
    -------
    distance : int or None
        In bits; None if the span of the codes' differences is so large that a comparison of all pairs is as fast.
    """
    max_dimension = min(_MAX_DIMENSION, 2 * len(words).bit_length() - 6)
    span = _span(words ^ words[0], bits, max_dimension)
    if span is None:
        return None
    # The transform of an autocorrelation over XOR is the square of the transform; the second transform inverts it
    # except for the factor len(counts).
    generator, messages = span
    counts = np.bincount(messages, minlength=2 ** len(generator)).astype(np.float64)
    _hadamard_transform(counts)
    counts *= counts
    _hadamard_transform(counts)
    pairs = np.rint(counts / len(counts))  # number of ordered pairs with each sum
    pairs[0] -= len(words)  # those of a word with itself
    return int(weights(all_words(generator))[pairs > 0].min())


def _span(
    words: NDArray[np.uint64], bits: int, max_dimension: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Return a reduced basis of the span of packed words and the number of each word, or None if it is too large."""
    generator, messages = np.empty((0, bits), np.uint8), np.zeros(len(words), np.int64)
    outside = words[:_SAMPLE]  # words that the basis does not span
    while len(outside):
        generator, pivots = row_reduce(np.concatenate([generator, unpack_codes(outside, bits=bits)]))
        generator = generator[: len(pivots)]
        if len(pivots) > max_dimension:
            return None
        # Row i of a reduced basis has the only 1 of pivot i, so a word's bits at the pivots are its message.
        messages = np.zeros(len(words), np.int64)
        for i, pivot in enumerate(pivots):
            messages |= (words[:, pivot // 64] >> np.uint64(pivot % 64) & np.uint64(1)).astype(np.int64) << i
        outside = words[(encode(messages, generator) != words).any(axis=1)][:_SAMPLE]
    return generator, messages


def _hadamard_transform(values: NDArray[Any]) -> None:
    """Compute the Walsh-Hadamard transform of 2 ** k values in place."""
    half = 1
    while half < len(values):
        low, high = np.moveaxis(values.reshape(-1, 2, half), 1, 0)
        # (low, high) becomes (low + high, low - high) without temporary arrays: low + high - 2 high = low - high.
        low += high
        high *= -2
        high += low
        half *= 2
