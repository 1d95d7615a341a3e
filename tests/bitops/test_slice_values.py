"""Masks and running counts of values in bit slices, against numpy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import LANES, SLICE, kernel, new_slices, tabulate_slices


@kernel
def tabulate(digits, start, masks, block, first, last, members, counts, source, target, nearer, width):
    tabulate_slices(digits, start, masks, block, first, last, members, counts, source, target, nearer, width)


def as_slices(bits):
    """Turn bits of shape (..., SLICE) into words of shape (..., LANES)."""
    return np.packbits(bits.astype(np.uint8), axis=-1, bitorder="little").view(np.uint64)


def twin(values, mask, first, last):
    """What is added for each value from `8 * first` on: (n_values, LANES, 64) memberships; and the nearer items."""
    lanes, present = values.reshape(LANES, 64), mask.reshape(LANES, 64)
    told = np.arange(8 * first, 8 * last)
    return (lanes == told[:, None, None]) & present, ((lanes < 8 * first) & present).sum(axis=1)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 2), st.data())
def test_against_numpy(n_words, data):
    n_groups = 64 * n_words // 8 + 1
    first = data.draw(st.integers(0, n_groups - 1))
    last = data.draw(st.integers(first, n_groups))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_digits, half = (64 * n_words).bit_length(), 8 * LANES * n_groups
    values = rng.integers(0, 64 * n_words + 1, SLICE)
    mask = rng.random(SLICE) < rng.choice([0.1, 0.9, 1.0])
    digits, masks = new_slices(3 * n_digits).reshape(-1), new_slices(4).reshape(-1)
    start, block = LANES * n_digits, 2 * LANES
    digits[:] = rng.integers(0, 2**63, len(digits))
    digits[start : 2 * start] = as_slices(values >> np.arange(n_digits)[:, None] & 1).reshape(-1)
    masks[block : block + LANES] = as_slices(mask)
    source, target = data.draw(st.sampled_from([(0, half), (half, 0), (0, 0)]))
    members, counts = (new_slices(2 * half // LANES).reshape(-1) for _ in range(2))
    counts = counts.view(np.int64)
    counts[:] = rng.integers(0, 2**40, len(counts))
    nearer = new_slices(1).view(np.int64)[0]
    nearer[:] = rng.integers(0, 99, LANES)
    before, nearer_before = counts.copy(), nearer.copy()

    tabulate(digits, start, masks, block, first, last, members, counts, source, target, nearer, (0,) * n_words)

    belong, below = twin(values, mask, first, last)
    told = slice(8 * LANES * first, 8 * LANES * last)
    expected_members, expected = np.zeros_like(members), before.copy()
    expected_members[target:][told] = as_slices(belong.reshape(len(belong), SLICE)).reshape(-1)
    expected[target:][told] = before[source:][told] + belong.sum(axis=2).reshape(-1)
    np.testing.assert_array_equal(members, expected_members)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(nearer, nearer_before + below)
