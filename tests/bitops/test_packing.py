"""Codes with one bit per column are packed in one pass, exactly as numpy packs them, or left to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import pack_plain
from skhash.codes import as_packed

TYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64", "longlong"]


def packed_by_numpy(codes):
    """What `as_packed` makes of codes, None where it raises."""
    try:
        return as_packed(codes)[0]
    except ValueError:
        return None


def assert_same(codes):
    expected, found = packed_by_numpy(codes), pack_plain(codes)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.dtype == np.uint64
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 200), st.integers(0, 2**32), st.booleans(), st.booleans())
def test_it_packs_what_numpy_packs_and_refuses_what_numpy_refuses(dtype, n, bits, seed, bipolar, is_spoiled):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (n, bits))
    if bipolar and np.dtype(dtype).kind in "if":
        codes = 2 * codes - 1
    codes = codes.astype(dtype)
    if is_spoiled and dtype != "bool":
        others = [0, 1, 2, 100] + [-1, -2, -128] * (codes.dtype.kind != "u")
        others += [0.5, np.nan, -np.inf, -0.0] * (codes.dtype.kind == "f")
        codes[rng.integers(n), rng.integers(bits)] = rng.choice(others)
    assert_same(codes)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bits", [1, 31, 63, 64, 65, 100, 128])
def test_each_value_is_seen_at_each_position(dtype, bits):
    for i in range(bits):
        codes = np.zeros((1, bits), dtype)
        codes[0, i] = 1
        assert_same(codes)
        if dtype != "bool":
            codes[0, i] = 2
            assert pack_plain(codes) is None


def test_equal_columns_of_one_symbol_are_packed():
    for value in (0, 1, -1):
        assert_same(np.full((3, 70), value, np.int8))


def test_what_needs_a_closer_look_is_left():
    codes = np.ones((4, 64), np.uint8)
    assert pack_plain(np.array([[255, 1]], np.uint8)) is None  # -1 as a byte
    assert pack_plain(codes.view(np.uint64)) is None  # packed words
    for form in (codes[:, ::2], codes.T[:3].T, np.asfortranarray(codes), codes.astype(">i4"), codes.astype(object)):
        assert pack_plain(form) is None
    for form in (codes[0], codes[None], codes[:, :0], codes.astype(np.float16), codes.astype(complex)):
        assert pack_plain(form) is None
    unaligned = np.zeros(4 * 64 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(4, 64)
    assert pack_plain(unaligned) is None
    other_bool = np.array([[2, 0, 1]], np.uint8).view(bool)
    assert pack_plain(other_bool) is None


def test_read_only_arrays_and_no_rows():
    codes = np.eye(5, dtype=np.int8)
    codes.setflags(write=False)
    assert_same(codes)
    assert pack_plain(codes[:0]).shape == (0, 1)


def test_nothing_is_read_beyond_the_array(tmp_path):
    """A memory map of whole pages ends where nothing may be read."""
    np.tile(np.array([1, 0, 0, 1], np.uint8), 4096 // 4 * 3).tofile(tmp_path / "bits")
    for bits in (32, 48, 64, 96, 192, 3072):
        codes = np.memmap(tmp_path / "bits", np.uint8, "r").reshape(-1, bits)
        assert_same(codes)
