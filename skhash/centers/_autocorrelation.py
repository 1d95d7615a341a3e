"""The smallest distance between two of many words of a small linear code, without looking at pairs."""

import numpy as np

from skhash.centers._linear_code import all_words, encode, row_reduce, weights
from skhash.codes import unpack_codes

_SAMPLE = 64  # words by which a span grows
_MAX_DIMENSION = 24


def distance_in_span(words, bits):
    """Find the smallest Hamming distance between codes of a small span.

    Parameters
    ----------
    words : ndarray of uint64 of shape (n, n_words)
        Packed codes, at least two.
    bits : int
        Code length.

    Returns
    -------
    distance : int or None
        In bits; None if the differences of the codes span so much that comparing all pairs is as cheap.
    """
    max_dimension = min(_MAX_DIMENSION, 2 * len(words).bit_length() - 6)
    generator, messages = _span(words ^ words[0], bits, max_dimension)
    if generator is None:
        return None
    counts = np.bincount(messages, minlength=2 ** len(generator)).astype(np.float64)
    _hadamard_transform(counts)
    counts *= counts
    _hadamard_transform(counts)
    pairs = np.rint(counts / len(counts))  # by their sums; every word with itself is a pair of sum 0
    pairs[0] -= len(words)
    return int(weights(all_words(generator))[pairs > 0].min())


def _span(words, bits, max_dimension):
    """A reduced basis of what packed words span, and the number of each word; None for both if it is too large."""
    generator, strangers = np.empty((0, bits), np.uint8), words[:_SAMPLE]
    while len(strangers):
        generator, pivots = row_reduce(np.concatenate([generator, unpack_codes(strangers, bits=bits)]))
        generator = generator[: len(pivots)]
        if len(pivots) > max_dimension:
            return None, None
        messages = np.zeros(len(words), np.int64)
        for i, pivot in enumerate(pivots):
            messages |= (words[:, pivot // 64] >> np.uint64(pivot % 64) & np.uint64(1)).astype(np.int64) << i
        strangers = words[(encode(messages, generator) != words).any(axis=1)][:_SAMPLE]
    return generator, messages


def _hadamard_transform(values):
    """Walsh-Hadamard transform, in place, of a power of two of numbers."""
    half = 1
    while half < len(values):
        low, high = np.moveaxis(values.reshape(-1, 2, half), 1, 0)
        low += high
        high *= -2
        high += low
        half *= 2
