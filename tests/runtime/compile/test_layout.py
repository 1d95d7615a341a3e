"""Tables and tiles: every offset is that of a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.runtime.compile import _layout as layout


def test_buffers_lie_on_cache_lines():
    for size in (1, 7, 1000):
        array = layout.aligned((size, 3), np.float32)
        assert array.shape == (size, 3)
        assert array.ctypes.data % 64 == 0
        assert not array.any()


def test_rows_of_channels():
    np.testing.assert_array_equal(layout.channel_row(np.float32([1, 2]), 2, 9), [1, 2] + [9] * 30)
    assert [layout.padded(n) for n in (1, 32, 33)] == [32, 32, 64]


def test_bit_offsets_skip_the_border():
    offsets = layout.bit_offsets(2, 3, 40, 1).reshape(2, 3)
    assert offsets[0, 0] == (5 + 1) * 8
    assert offsets[1, 2] == (2 * 5 + 3) * 8


def test_windows_of_a_convolution():
    row, pixel = 700, 12
    window, taps = layout.convolution_window((3, 2), (2, 3), 2, row, pixel, 3, start=-5)
    expected = [-5 + 2 * y * row + 2 * x * pixel for y in range(3) for x in range(2)]
    assert window.tolist() == expected
    assert taps.tolist() == [y * row + x * pixel + 4 * k for y in range(2) for x in range(3) for k in range(3)]


@given(
    height=st.integers(1, 6), width=st.integers(1, 6), kernel=st.integers(1, 3), stride=st.integers(1, 3),
    padding=st.integers(0, 1),
)  # fmt: skip
def test_windows_of_a_pool_cover_what_lies_inside(height, width, kernel, stride, padding):
    padding = min(padding, kernel // 2)
    out = [(n + 2 * padding - kernel) // stride + 1 for n in (height, width)]
    if min(out) < 1:
        return
    pixel, row = 128, 128 * width
    tables = layout.pool_window((height, width), tuple(out), (kernel, kernel), stride, padding, row, pixel)
    window, taps, cases = tables
    for y in range(out[0]):
        for x in range(out[1]):
            expected = {
                i * row + j * pixel
                for i in range(y * stride - padding, y * stride - padding + kernel)
                for j in range(x * stride - padding, x * stride - padding + kernel)
                if 0 <= i < height and 0 <= j < width
            }
            place = y * out[1] + x
            n, *offsets = taps[cases[place] // taps.strides[0]]
            assert {window[place] + offset for offset in offsets[:n]} == expected


def test_windows_of_a_ring_take_its_rows():
    window, taps, cases = layout.ring_window((2, 0), 4, 2, 3, 2, 1, 1000, 10)
    assert window.tolist() == [-10, 10]
    first, second = taps[cases[0] // taps.strides[0]], taps[cases[1] // taps.strides[0]]
    assert first.tolist() == [4, 2010, 2020, 10, 20, 0, 0]
    assert second.tolist() == [6, 2000, 2010, 2020, 0, 10, 20]


@pytest.mark.parametrize("shape", [(5, 3, 2, 7), (64, 1, 1, 64), (33, 3, 3, 40)])
@pytest.mark.parametrize("block", [16, 32])
def test_tiles_hold_what_they_were_made_of(shape, block):
    rng = np.random.default_rng(0)
    signs = rng.choice(np.int8([-1, 1]), size=shape)
    words = layout.tile_binary(signs, block)
    assert words.shape == (layout.padded(shape[0]) // block, shape[1] * shape[2] * layout.padded(shape[3]) // 32, block)
    np.testing.assert_array_equal(layout.untile_binary(words, shape), signs)
    weight = rng.normal(size=shape).astype(np.float32)
    tiles = layout.tile_floats(weight, block)
    assert tiles[0, 1, 2] == weight[2].ravel()[1]
    np.testing.assert_array_equal(layout.untile_floats(tiles, shape), weight)


def test_bits_of_a_tile():
    signs = -np.ones((32, 1, 2, 33), np.int8)
    signs[3, 0, 1, 32] = 1
    words = layout.tile_binary(signs, 16)
    assert words[0, 3, 3] == 1
    assert words.sum() == 1


def test_bytes_of_a_tile_fill_rows_up_to_words():
    weight = np.arange(2 * 2 * 3).reshape(1, 2, 3, 2).astype(np.int8)
    tiles = layout.tile_bytes(weight, 16)
    assert tiles.shape == (2, 4, 16, 4)
    assert tiles[0, :, 0].ravel().tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 6, 7, 8, 9, 10, 11, 0, 0]


@given(
    seed=st.integers(0, 99), size=st.integers(2, 5), kernel=st.sampled_from([1, 3]), stride=st.integers(1, 2),
    value=st.sampled_from(["zero", "minus", "plus"]),
)  # fmt: skip
def test_base_rows_make_the_border_count_as_it_should(seed, size, kernel, stride, value):
    rng = np.random.default_rng(seed)
    padding = kernel // 2
    signs = rng.choice(np.int8([-1, 1]), size=(3, kernel, kernel, 5))
    x = rng.choice([-1, 1], size=(size, size, 5))
    out = (size + 2 * padding - kernel) // stride + 1
    masks, cases = layout.inside_cases((size, size), (out, out), (kernel, kernel), stride, padding, value)
    rows = layout.base_rows(signs, masks, value)
    stored, wanted = (
        np.pad(x, [(padding, padding)] * 2 + [(0, 0)], constant_values=fill)
        for fill in (-1, {"zero": 0, "minus": -1, "plus": 1}[value])
    )
    for place, case in enumerate(cases):
        y, z = place // out * stride, place % out * stride
        seen, meant = (a[y : y + kernel, z : z + kernel] for a in (stored, wanted))
        for channel, weight in enumerate(signs):
            assert rows[case, channel] - 2 * (seen != weight).sum() == (meant * weight).sum()
