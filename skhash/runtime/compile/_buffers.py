"""Buffers of a plan: where values lie while a network runs, shared by values that do not live at the same time."""

from dataclasses import dataclass

import numpy as np

from skhash.runtime.compile._layout import aligned, padded

__all__ = ["Memory", "Place"]


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    Parameters
    ----------
    buffer : ndarray
        The memory.
    address : int
        Of the first pixel inside the border.
    pixel_bytes, row_bytes : int
        From pixel to pixel, and from row to row.
    border : int
        Width of the border.
    key : tuple
        What the buffer can be used for again.
    """

    buffer: np.ndarray
    address: int
    pixel_bytes: int
    row_bytes: int
    border: int = 0
    key: tuple = ()


class Memory:
    """Gives places and takes them back. Everything stays until the plan dies: jobs hold raw addresses."""

    def __init__(self):
        self._free, self._all = {}, []

    def real(self, map_):
        """Place for a real or integer map, without a border."""
        pixel_bytes = 4 * padded(map_.channels)
        size = map_.n_pixels * pixel_bytes
        free = [b for key, buffers in self._free.items() if key[0] == "real" for b in buffers if b.nbytes >= size]
        if free:
            buffer = min(free, key=lambda b: b.nbytes)
            self._free["real", buffer.nbytes] = [b for b in self._free["real", buffer.nbytes] if b is not buffer]
        else:
            buffer = self._new(size)
        key = ("real", buffer.nbytes)
        return Place(buffer, buffer.ctypes.data, pixel_bytes, map_.width * pixel_bytes, 0, key)

    def signs(self, map_, border):
        """Place for packed signs; the border is zero and stays it, since only maps of the same shape come after."""
        return self.bordered(map_, padded(map_.channels) // 8, border, 0)

    def bordered(self, map_, pixel_bytes, border, fill):
        """Place for a map with a border of bytes `fill`."""
        key = ("bordered", map_.height, map_.width, pixel_bytes, border, fill)
        row_bytes = (map_.width + 2 * border) * pixel_bytes
        if self._free.get(key):
            buffer = self._free[key].pop()
        else:
            buffer = self._new((map_.height + 2 * border) * row_bytes, fill)
        address = buffer.ctypes.data + border * (row_bytes + pixel_bytes)
        return Place(buffer, address, pixel_bytes, row_bytes, border, key)

    def release(self, place):
        """Take a place back."""
        self._free.setdefault(place.key, []).append(place.buffer)

    @property
    def nbytes(self):
        """Bytes of all buffers."""
        return sum(buffer.nbytes for buffer in self._all)

    def _new(self, size, fill=0):
        buffer = aligned(size, np.uint8)
        buffer[:] = fill
        self._all.append(buffer)
        return buffer
