"""The filter against numpy."""

import numpy as np
import pytest

from skhash.bitops import BLOCK
from skhash.index.scan._filter import TILE, find_blocks, find_code, make_patterns, new_space, next_tile

N_WORDS = (1, 2, 3, 4, 8, 9, 16, 17, 24)
NONE = np.empty(0, bool)


def random_codes(n, n_words, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (n, n_words), dtype=np.uint64)


def all_distances(codes, queries):
    return np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)


def split(codes, allowed, gathers, most):
    """Return the rows of all tiles, and the codes in them."""
    space = np.empty((most, codes.shape[1]), np.uint64), np.empty(most, np.int64)
    rows, copies, end = [], [], 0
    while end < len(codes):
        start = end
        size, end, copied = next_tile(codes, allowed, start, most, gathers, *space)
        assert size <= most
        rows.append(space[1][:size].copy() if copied else np.arange(start, end))
        copies.append(space[0][:size].copy() if copied else codes[start:end])
    return np.concatenate(rows), np.concatenate(copies)


@pytest.mark.parametrize("n_words", N_WORDS)
@pytest.mark.parametrize("n", [1, 63, 64, 65, 640, 701])
def test_tiles_hold_all_codes_in_order(n, n_words):
    codes = random_codes(n, n_words)
    rows, copies = split(codes, NONE, False, 128)
    np.testing.assert_array_equal(rows, np.arange(n))
    np.testing.assert_array_equal(copies, codes)


@pytest.mark.parametrize("share", [0, 0.01, 0.6, 1])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 640, 701])
def test_gathered_tiles_hold_the_allowed_codes_only(n, share):
    codes, allowed = random_codes(n, 3), np.random.default_rng(1).random(n) < share
    rows, copies = split(codes, allowed, True, 128)
    np.testing.assert_array_equal(rows, np.flatnonzero(allowed))
    np.testing.assert_array_equal(copies, codes[allowed])


@pytest.mark.parametrize("n_words", N_WORDS)
@pytest.mark.parametrize("n_queries", [1, 4, 7, 8, 13])
@pytest.mark.parametrize("size", [BLOCK, 2 * BLOCK, 3 * BLOCK + 5, 7])
def test_the_filter_finds_the_blocks_with_near_codes_and_no_others(n_words, n_queries, size):
    code = find_code(n_queries, n_words)
    space, n_codes = new_space(code, n_queries, n_words, False)
    size = min(size, n_codes)
    codes, queries = random_codes(size, n_words), random_codes(n_queries, n_words, seed=1)
    distances = all_distances(codes, queries)
    whole = size // BLOCK * BLOCK
    block_nearest = distances[:, :whole].reshape(n_queries, -1, BLOCK).min(axis=2, initial=64 * n_words)
    for limits in (np.quantile(distances, q, axis=1) for q in (0, 0.01, 0.1, 1)):
        limits = np.ceil(limits).astype(np.uint64)
        n_found = find_blocks(code, space.tile, codes, size, make_patterns(queries), limits, space.blocks)
        query, block = np.nonzero(block_nearest < limits[:, None])
        expected = (query * TILE + block * BLOCK).tolist()
        if whole < size:  # less than a block always counts
            expected += [q * TILE + whole for q in range(n_queries)]
        assert sorted(space.blocks[:n_found]) == sorted(expected)


def test_a_word_major_tile_begins_at_a_cache_line():
    space, n_codes = new_space(find_code(8, 4), 8, 4, False)
    assert space.tile.shape == (4, n_codes)
    assert space.tile.ctypes.data % 64 == 0
