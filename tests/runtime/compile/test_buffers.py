"""Buffers are shared in turn, never at the same time, and borders keep their values."""

import numpy as np

from skhash.runtime import Map
from skhash.runtime.compile._buffers import BufferPool


def test_real_maps_share_buffers_once_released():
    pool = BufferPool()
    first, second = pool.allocate_real(Map("real", 4, 4, 32)), pool.allocate_real(Map("real", 2, 2, 32))
    assert first.buffer is not second.buffer
    pool.release(first)
    third = pool.allocate_real(Map("real", 3, 3, 20))
    assert third.buffer is first.buffer
    assert (third.pixel_bytes, third.row_bytes) == (128, 3 * 128)
    assert pool.nbytes == (16 + 4) * 128


def test_the_smallest_buffer_that_fits_is_taken():
    pool = BufferPool()
    views = [pool.allocate_real(Map("real", n, 1, 32)) for n in (4, 2, 3)]
    for view in views:
        pool.release(view)
    assert pool.allocate_real(Map("real", 2, 1, 32)).buffer is views[1].buffer
    assert pool.allocate_real(Map("real", 2, 1, 32)).buffer is views[2].buffer


def test_signs_share_buffers_of_their_own_shape_only():
    pool = BufferPool()
    view = pool.allocate_signs(Map("sign", 3, 2, 40), 1)
    assert (view.pixel_bytes, view.row_bytes) == (8, 4 * 8)
    assert view.address - view.buffer.ctypes.data == 5 * 8
    pool.release(view)
    assert pool.allocate_signs(Map("sign", 2, 3, 40), 1).buffer is not view.buffer
    assert pool.allocate_signs(Map("sign", 3, 2, 33), 1).buffer is view.buffer


def test_borders_are_filled():
    view = BufferPool().allocate_bordered(Map("pixels", 1, 1, 3), 3, 1, 128)
    np.testing.assert_array_equal(view.buffer, np.full(27, 128))
