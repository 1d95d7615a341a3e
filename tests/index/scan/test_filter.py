"""The filter against numpy."""

import numpy as np
import pytest

from skhash.index.scan._filter import BLOCK, TILE, block_hits, fill_tile, filter_blocks, new_tile
from skhash.index.scan._scan import width_of

N_WORDS = (1, 2, 3, 4, 8, 9)


def random_codes(n, n_words, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (n, n_words), dtype=np.uint64)


def all_distances(codes, queries):
    return np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)


@pytest.mark.parametrize("n_words", N_WORDS)
def test_a_tile_holds_the_codes_word_by_word(n_words):
    codes = random_codes(TILE + 101, n_words)
    width = width_of(n_words)
    space, offsets, _ = new_tile(1, width)
    assert space.ctypes.data % 64 == 0
    end = 0
    while end < len(codes):
        start = end
        tile, size, end = fill_tile(space, offsets, codes, np.empty(0, bool), start, width)
        np.testing.assert_array_equal(tile[:, :size], codes[start:end].T)
        np.testing.assert_array_equal(offsets[:size], np.arange(size))


@pytest.mark.parametrize("n_words", N_WORDS)
def test_a_tile_holds_the_allowed_codes_only(n_words):
    codes = random_codes(3 * TILE, n_words)
    allowed = np.random.default_rng(1).random(len(codes)) < 0.6
    width = width_of(n_words)
    space, offsets, _ = new_tile(1, width)
    rows, end = [], 0
    while end < len(codes):
        start = end
        tile, size, end = fill_tile(space, offsets, codes, allowed, start, width)
        np.testing.assert_array_equal(tile[:, :size], codes[start + offsets[:size]].T)
        rows += (start + offsets[:size]).tolist()
    assert rows == np.flatnonzero(allowed).tolist()


@pytest.mark.parametrize("n_words", N_WORDS)
@pytest.mark.parametrize("n_queries", [1, 4, 7])
def test_the_filter_finds_the_blocks_with_near_codes_and_no_others(n_words, n_queries):
    width = width_of(n_words)
    tile, _, found = new_tile(n_queries, width)
    codes, queries = random_codes(tile.shape[1], n_words), random_codes(n_queries, n_words, seed=1)
    tile[:] = codes.T
    block_nearest = all_distances(codes, queries).reshape(n_queries, -1, BLOCK).min(axis=2)
    for limits in (np.median(block_nearest, axis=1), block_nearest.min(axis=1), block_nearest.max(axis=1) + 1):
        limits = limits.astype(np.uint64)
        n_found = filter_blocks(tile, tile.shape[1], queries, limits, found, width)
        query, block = np.nonzero(block_nearest < limits[:, None])
        assert sorted(found[:n_found]) == (query * TILE + block * BLOCK).tolist()


@pytest.mark.parametrize("size", [1, 8, 63, 64])
def test_hits_are_the_codes_below_the_limit(size):
    width = width_of(1)
    tile, _, _ = new_tile(1, width)
    tile[0, :BLOCK] = random_codes(BLOCK, 1)[:, 0]
    query = random_codes(1, 1, seed=1)[0]
    distances = np.bitwise_count(tile[0, :size] ^ query[0])
    for limit in (0, 30, 32, 65):
        hits = block_hits(tile, 0, size, query, np.uint64(limit), width)
        assert hits == sum(1 << int(j) for j in np.flatnonzero(distances < limit))
