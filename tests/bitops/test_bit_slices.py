"""Bit slices against the bits themselves."""

import numpy as np
import pytest
from numba import njit

from skhash.bitops import _bit_slices as _slices
from skhash.bitops._bit_slices import SLICE, add_up, make_choices, make_table, n_triples, new_slices


def make_codes(n, n_words, seed=0):
    """Codes from all zeros to all ones, so that all distances occur."""
    rng = np.random.RandomState(seed)
    bits = rng.rand(n, 64 * n_words) < np.linspace(0, 1, n)[:, None]
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def bit_of(words, i):
    """Bit `i` of a code, 0 beyond its end."""
    return int(words[i // 64]) >> i % 64 & 1 if i < 64 * len(words) else 0


def add_up_at(digits, position, table, block, choices, query, width):
    add_up(digits, position, table, block, choices, query, width)


@pytest.mark.parametrize(("n_words", "expected"), [(1, 22), (2, 43), (3, 64), (4, 86)])
def test_number_of_triples(n_words, expected):
    assert n_triples(n_words) == expected


@pytest.mark.parametrize("shape", [(3,), (2, 5), (1, 2, 3)])
def test_new_slices_are_zeros_on_a_cache_line(shape):
    for _ in range(5):
        slices = new_slices(*shape)
        assert slices.shape == (*shape, SLICE // 64)
        assert not slices.any()
        assert slices.ctypes.data % 64 == 0
        assert slices.flags.c_contiguous


@pytest.mark.parametrize("n_words", [1, 2, 3, 4])
def test_table_holds_sums_and_carries_of_three_bits(n_words):
    codes = make_codes(600, n_words)
    table = make_table(codes)
    assert table.shape == (2, n_triples(n_words), 10, SLICE // 64)
    assert table[0].nbytes <= 28 * SLICE * n_words  # the 3.5 times of a code's own memory that DistanceCounter tells
    zero = np.zeros(n_words, np.uint64)
    for item in [0, 1, 63, 64, 511, 512, 599, 600, 1023]:
        code = codes[item] if item < len(codes) else zero
        block, lane, place = item // SLICE, item % SLICE // 64, item % 64
        for triple in range(table.shape[1]):
            bits = [bit_of(code, 3 * triple + i) for i in range(3)]
            got = [int(word) >> place & 1 for word in table[block, triple, :, lane]]
            total = sum(bits)
            assert got[:2] == [total % 2, 1 - total % 2]
            for pattern in range(8):
                assert got[2 + pattern] == (sum(bit ^ (pattern >> i & 1) for i, bit in enumerate(bits)) >= 2)


def test_table_of_no_codes():
    assert make_table(np.empty((0, 2), np.uint64)).shape == (0, 43, 10, 8)


@pytest.mark.parametrize("n_words", [1, 2, 3, 4])
def test_choices_point_at_the_sum_and_the_carry(n_words):
    queries = make_codes(7, n_words)
    choices = np.empty((7, 2 * n_triples(n_words)), np.uint16)
    make_choices(queries, choices)
    for query, chosen in zip(queries, choices, strict=True):
        for triple in range(n_triples(n_words)):
            bits = [bit_of(query, 3 * triple + i) for i in range(3)]
            pattern = bits[0] + 2 * bits[1] + 4 * bits[2]
            entries = 10 * triple + sum(bits) % 2, 10 * triple + 2 + pattern
            assert chosen[2 * triple : 2 * triple + 2].tolist() == [8 * entry for entry in entries]


@pytest.mark.parametrize("n_words", [1, 2, 3, 4])
@pytest.mark.parametrize("ternary", sorted({False, _slices._TERNARY}))
def test_digits_of_512_distances(n_words, ternary, monkeypatch):
    monkeypatch.setattr(_slices, "_TERNARY", ternary)  # processors without it have to be right, too
    compiled = njit(add_up_at)
    codes, queries = make_codes(1000, n_words), make_codes(5, n_words, seed=1)
    table = make_table(codes)
    choices = np.empty((5, 2 * n_triples(n_words)), np.uint16)
    make_choices(queries, choices)
    n_digits = (64 * n_words).bit_length()
    for query, words in enumerate(queries):
        expected = np.bitwise_count(codes ^ words).sum(axis=1)
        for block in range(2):
            digits = new_slices(2, n_digits)
            compiled(
                *(digits.reshape(-1), digits[0].size, table.reshape(-1), table[0].size * block),
                *(choices.reshape(-1), choices.shape[1] * query, (0,) * n_words),
            )
            assert not digits[0].any()  # it writes from its position on only
            bits = np.unpackbits(digits[1].view(np.uint8), axis=1, bitorder="little").astype(int)
            got = (bits << np.arange(n_digits)[:, None]).sum(axis=0)
            of_block = expected[SLICE * block : SLICE * (block + 1)]
            np.testing.assert_array_equal(got[: len(of_block)], of_block)
