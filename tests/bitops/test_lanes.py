"""Vectors of codes against numpy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from skhash.bitops._lanes import (
    LANES,
    add_differing,
    below,
    both,
    load,
    popcount,
    smaller,
    splat,
    store,
    trailing_zeros,
)

WORDS = st.integers(0, 2**64 - 1)


@njit
def bits_of(word):
    return popcount(word), trailing_zeros(word)


@njit
def which_below(a, b, start, word, limit):
    """Lanes in which `word` differs in fewer than `limit` bits from `a` or `b`, whichever is nearer."""
    zero, word = splat(np.uint64(0)), splat(word)
    to_a, to_b = add_differing(zero, load(a, start), word), add_differing(zero, load(b, start), word)
    return below(smaller(to_a, to_b), splat(limit))


@njit
def keep_common(a, start, word):
    """Keep the bits in `LANES` elements of `a` that `word` has too."""
    store(a, start, both(load(a, start), splat(word)))


@settings(deadline=None)
@given(st.integers(1, 2**64 - 1))
def test_bits_of_a_word(word):
    count, zeros = bits_of(np.uint64(word))
    assert count == word.bit_count()
    assert zeros == (word & -word).bit_length() - 1


@settings(deadline=None)
@given(st.lists(WORDS, min_size=LANES + 3, max_size=LANES + 3), WORDS, st.integers(0, 65), st.integers(0, 3))
def test_lanes(words, word, limit, start):
    a, word = np.array(words, np.uint64), np.uint64(word)
    b = a[::-1].copy()
    distances = np.minimum(np.bitwise_count(a ^ word), np.bitwise_count(b ^ word))[start : start + LANES]
    expected = sum(1 << int(lane) for lane in np.flatnonzero(distances < limit))
    assert which_below(a, b, start, word, np.uint64(limit)) == expected


@settings(deadline=None)
@given(st.lists(WORDS, min_size=LANES + 3, max_size=LANES + 3), WORDS, st.integers(0, 3))
def test_store(words, word, start):
    a, word = np.array(words, np.uint64), np.uint64(word)
    expected = a.copy()
    expected[start : start + LANES] &= word
    keep_common(a, start, word)
    np.testing.assert_array_equal(a, expected)
