"""The innermost loops against numpy, for every width that has machine code of its own and some that share it."""

import platform

import numpy as np
import pytest
from llvmlite import binding

from skhash.bitops import (
    BLOCK,
    append_hits,
    append_tile,
    below_bits,
    block_code,
    count_below,
    fill_tile,
    filter_rows,
    filter_tile,
    kernel,
    mask_bits,
    measure_code,
    measure_rows,
    rows_view,
)
from skhash.index.scan._filter import make_patterns

N_WORDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 24, 32, 33, 48)
CPUS = [""]  # this machine, and older ones whose code it can run
if platform.machine().lower() in ("x86_64", "amd64"):
    CPUS += ["x86-64"] + ["haswell"] * binding.get_host_cpu_features().get("avx2", False)
on_cpus = pytest.mark.parametrize("cpu", CPUS)
SHIFT = 40


@kernel
def call_filter_rows(code, codes, patterns, q, limit, found):
    return filter_rows(code[0], codes, len(codes) // 64, patterns, q, limit, found, 0, 7_000_000)


@kernel
def call_filter_tile(code, tile, patterns, limits, found):
    return filter_tile(code[2], tile, tile.shape[1] // 64, patterns, 1, limits, found, 0, 0, 10_000)


@kernel
def call_append_hits(code, found, count, codes, first, patterns, limit, allowed):
    return append_hits(code[1], found, count, codes, first, patterns, 0, limit, allowed, 1000, SHIFT)


@kernel
def call_append_tile(code, found, count, tile, first, patterns, limit, allowed):
    return append_tile(code[4], found, count, tile, first, patterns, 0, limit, allowed, 1000, SHIFT)


@kernel
def call_fill_tile(code, tile, codes):
    fill_tile(code[3], tile, codes, len(codes) // 8)


@kernel
def call_measure_rows(code, codes, patterns, measured):
    measure_rows(code[0], codes, len(codes) // 64, patterns, 1, measured, 64)


@kernel
def call_count_below(code, measured, limit):
    return count_below(code[1], measured, len(measured) // 64, limit)


@kernel
def call_below_bits(measured, start, limit):
    return below_bits(measured, start, limit)


@kernel
def call_mask_bits(mask, start):
    return mask_bits(mask, start)


@kernel
def call_rows_view(codes, row, n_rows):
    return rows_view(codes, row, n_rows).copy()


def random_codes(n, n_words, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (n, n_words), dtype=np.uint64)


def all_distances(codes, queries):
    return np.bitwise_count(codes ^ queries[:, None]).sum(axis=2, dtype=np.int64)


@on_cpus
@pytest.mark.parametrize("n_words", N_WORDS)
def test_rows_are_filtered(n_words, cpu):
    codes, queries = random_codes(5 * BLOCK, n_words), random_codes(3, n_words, seed=1)
    found = np.empty(6, np.int64)
    for q, distances in enumerate(all_distances(codes, queries)):
        nearest = distances.reshape(-1, BLOCK).min(axis=1)
        for limit in (0, *nearest, nearest.max() + 1):
            n = call_filter_rows(
                block_code(n_words, False, cpu), codes, make_patterns(queries), q, np.uint64(limit), found
            )
            assert found[:n].tolist() == (7_000_000 + BLOCK * np.flatnonzero(nearest < limit)).tolist()


@on_cpus
@pytest.mark.parametrize("n_words", N_WORDS)
def test_tiles_are_filtered_for_four_queries(n_words, cpu):
    codes, queries = random_codes(5 * BLOCK, n_words), random_codes(5, n_words, seed=1)
    nearest = all_distances(codes, queries).reshape(5, -1, BLOCK).min(axis=2)
    found = np.empty(24, np.int64)
    for limits in (nearest.min(axis=1), np.median(nearest, axis=1), nearest.max(axis=1) + 1):
        limits = limits.astype(np.uint64)
        n = call_filter_tile(
            block_code(n_words, True, cpu), np.ascontiguousarray(codes.T), make_patterns(queries), limits, found
        )
        q, block = np.nonzero(nearest[1:] < limits[1:, None])
        assert sorted(found[:n]) == (10_000 * q + BLOCK * block).tolist()


@on_cpus
@pytest.mark.parametrize("n_words", N_WORDS)
def test_hits_are_appended_in_order_unless_they_are_not_allowed(n_words, cpu):
    codes, query = random_codes(2 * BLOCK, n_words), random_codes(1, n_words, seed=1)
    distances = all_distances(codes, query)[0, BLOCK:]
    rng = np.random.default_rng(2)
    for limit in (0, *np.quantile(distances, (0.1, 0.5, 0.9)), 64 * n_words + 1):
        for allowed in (0, int(rng.integers(2**64, dtype=np.uint64)), 2**64 - 1):
            arguments = BLOCK, make_patterns(query), np.uint64(np.ceil(limit)), np.uint64(allowed)
            permitted = (allowed >> np.arange(BLOCK, dtype=object)) & 1
            hits = np.flatnonzero((distances < np.ceil(limit)) & permitted.astype(bool))
            for call, some in ((call_append_hits, codes), (call_append_tile, np.ascontiguousarray(codes.T))):
                if call is call_append_tile and n_words == 1:
                    continue
                found = np.full(3 * BLOCK, -1, np.int64)
                n = call(block_code(n_words, True, cpu), found, 5, some, *arguments)
                assert found[5 : 5 + n].tolist() == ((distances[hits] << SHIFT) | (1000 + hits)).tolist()
                assert (found[:5] == -1).all()
                assert (found[5 + n + BLOCK :] == -1).all()


@on_cpus
@pytest.mark.parametrize("n_words", N_WORDS)
def test_tiles_are_filled_word_by_word(n_words, cpu):
    codes = random_codes(24, n_words)
    tile = np.zeros((n_words, 40), np.uint64)
    call_fill_tile(block_code(n_words, True, cpu), tile, codes)
    np.testing.assert_array_equal(tile[:, :24], codes.T)
    assert not tile[:, 24:].any()


@on_cpus
@pytest.mark.parametrize("n_words", N_WORDS)
def test_distances_are_stored_and_counted(n_words, cpu):
    codes, queries = random_codes(3 * BLOCK, n_words), random_codes(2, n_words, seed=1)
    queries[1] = ~codes[5]
    code, measured = measure_code(n_words, cpu), np.full(5 * BLOCK, 2**16 - 1, np.uint16)
    call_measure_rows(code, codes, make_patterns(queries), measured)
    expected = np.full_like(measured, 2**16 - 1)
    expected[BLOCK : 4 * BLOCK] = all_distances(codes, queries)[1]
    np.testing.assert_array_equal(measured, expected)
    for limit in (0, *np.sort(expected)[::50].tolist(), 64 * n_words + 1):
        assert call_count_below(code, measured, limit) == (expected < limit).sum()
        for start in (BLOCK, 2 * BLOCK, 4 * BLOCK):
            bits = sum(1 << i for i in range(BLOCK) if expected[start + i] < limit)
            assert call_below_bits(measured, start, limit) == bits


def test_masks_become_words():
    mask = np.random.default_rng(0).random(200) < 0.5
    for start in (0, 1, 63, 136):
        expected = sum(1 << i for i in range(64) if mask[start + i])
        assert call_mask_bits(mask, start) == expected


def test_rows_are_viewed():
    codes = random_codes(20, 3)
    np.testing.assert_array_equal(call_rows_view(codes, 4, 9), codes[4:13])
