"""Places are shared in time, never at the same time, and borders stay what they were."""

import numpy as np

from skhash.runtime import Map
from skhash.runtime.compile._buffers import Memory


def test_real_maps_share_buffers_once_released():
    memory = Memory()
    first, second = memory.real(Map("real", 4, 4, 32)), memory.real(Map("real", 2, 2, 32))
    assert first.buffer is not second.buffer
    memory.release(first)
    third = memory.real(Map("real", 3, 3, 20))
    assert third.buffer is first.buffer
    assert (third.pixel_bytes, third.row_bytes) == (128, 3 * 128)
    assert memory.nbytes == (16 + 4) * 128


def test_the_smallest_buffer_that_fits_is_taken():
    memory = Memory()
    places = [memory.real(Map("real", n, 1, 32)) for n in (4, 2, 3)]
    for place in places:
        memory.release(place)
    assert memory.real(Map("real", 2, 1, 32)).buffer is places[1].buffer
    assert memory.real(Map("real", 2, 1, 32)).buffer is places[2].buffer


def test_signs_share_buffers_of_their_own_shape_only():
    memory = Memory()
    place = memory.signs(Map("sign", 3, 2, 40), 1)
    assert (place.pixel_bytes, place.row_bytes) == (8, 4 * 8)
    assert place.address - place.buffer.ctypes.data == 5 * 8
    memory.release(place)
    assert memory.signs(Map("sign", 2, 3, 40), 1).buffer is not place.buffer
    assert memory.signs(Map("sign", 3, 2, 33), 1).buffer is place.buffer


def test_borders_are_filled():
    place = Memory().bordered(Map("pixels", 1, 1, 3), 3, 1, 128)
    np.testing.assert_array_equal(place.buffer, np.full(27, 128))
