"""The checksum of large data is that of zlib, with and without the processor's carry-less products."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import _checksum, crc32


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300_000), st.integers(0, 2**32 - 1), st.integers(0, 63))
def test_it_is_that_of_zlib(n, value, offset):
    data = np.random.default_rng(n).integers(0, 256, n + offset, dtype=np.uint8)[offset:]
    assert crc32(data, value) == zlib.crc32(data, value)


@pytest.mark.parametrize("n", [0, 1, 2**16 - 1, 2**16, 2**16 + 1, 2**16 + 63, 2**17, 2**20 + 17])
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_constant_data(n, byte):
    assert crc32(bytes([byte]) * n) == zlib.crc32(bytes([byte]) * n)


def test_pieces_equal_the_whole_in_any_form():
    data = np.random.default_rng(0).integers(0, 2**64, 50_000, dtype=np.uint64)
    whole = zlib.crc32(data)
    value = 0
    for start in range(0, len(data), 9000):
        value = crc32(data[start : start + 9000], value)
    assert value == whole
    data.setflags(write=False)
    for form in (data, data.tobytes(), memoryview(data), data.reshape(100, 500), data.view(np.int32)):
        assert crc32(form) == whole


def test_every_bit_counts():
    data = np.zeros(2**16 + 5, np.uint8)
    seen = {crc32(data)}
    for position in (0, 15, 16, 63, 64, 127, 128, 2**16 - 1, 2**16, 2**16 + 4):
        for bit in range(8):
            data[position] = 1 << bit
            seen.add(crc32(data))
        data[position] = 0
    assert len(seen) == 81


def test_zlib_computes_it_on_other_processors(monkeypatch):
    monkeypatch.setattr(_checksum, "_folder", lambda: None)
    data = bytes(range(256)) * 1000
    assert crc32(data, 5) == zlib.crc32(data, 5)
