"""The buffer pool of a plan: values that are not alive at the same time share memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skhash.runtime.compile._layout import aligned, padded

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from skhash.runtime.network._operation import Map

__all__ = ["BufferPool", "BufferView"]


@dataclass(frozen=True)
class BufferView:
    """The part of a buffer that holds one value.

    Parameters
    ----------
    buffer : ndarray
        The buffer.
    number : int
        Position of the buffer in the pool.
    address : int
        Address of the first pixel inside the border.
    pixel_bytes, row_bytes : int
        Distance from pixel to pixel, and from row to row.
    border : int
        Width of the border.
    key : tuple
        Property that a later value must share to reuse the buffer.
    """

    buffer: NDArray[np.uint8]
    number: int
    address: int
    pixel_bytes: int
    row_bytes: int
    border: int = 0
    key: tuple[Hashable, ...] = ()


class BufferPool:
    """Allocates views of buffers and takes them back for reuse.

    No buffer is freed before the plan is, because jobs hold raw addresses. The labels that `allocate_*` take record the
    values that a buffer held.

    Attributes
    ----------
    buffers : list of ndarray
        All buffers.
    labels : list of list of str
        For each buffer the labels of its views, in order.
    """

    def __init__(self) -> None:
        self.buffers: list[NDArray[np.uint8]] = []
        self.labels: list[list[str]] = []
        self._free: dict[tuple[Hashable, ...], list[int]] = {}

    def allocate_real(self, map_: Map, label: str = "") -> BufferView:
        """Return a view for a real or integer map, without a border: the smallest free buffer that is large enough."""
        pixel_bytes = 4 * padded(map_.channels)
        size = map_.n_pixels * pixel_bytes
        numbers = (n for key, free in self._free.items() if key[0] == "real" for n in free)
        fitting = [n for n in numbers if self.buffers[n].nbytes >= size]
        if fitting:
            number = min(fitting, key=lambda n: self.buffers[n].nbytes)
            self._free["real", self.buffers[number].nbytes].remove(number)
        else:
            number = self._new(size)
        buffer = self.buffers[number]
        view = BufferView(
            *(buffer, number, buffer.ctypes.data, pixel_bytes, map_.width * pixel_bytes), key=("real", buffer.nbytes)
        )
        return self.relabel(view, label)

    def allocate_signs(self, map_: Map, border: int, label: str = "") -> BufferView:
        """Return a view for packed signs. The border is zero and stays zero: only maps of the same shape reuse it."""
        return self.allocate_bordered(map_, padded(map_.channels) // 8, border, 0, label)

    def allocate_bordered(self, map_: Map, pixel_bytes: int, border: int, fill: int, label: str = "") -> BufferView:
        """Return a view for a map with a border of bytes `fill`."""
        key = ("bordered", map_.height, map_.width, pixel_bytes, border, fill)
        row_bytes = (map_.width + 2 * border) * pixel_bytes
        if self._free.get(key):
            number = self._free[key].pop()
        else:
            number = self._new((map_.height + 2 * border) * row_bytes, fill)
        buffer = self.buffers[number]
        address = buffer.ctypes.data + border * (row_bytes + pixel_bytes)
        return self.relabel(BufferView(buffer, number, address, pixel_bytes, row_bytes, border, key), label)

    def relabel(self, view: BufferView, label: str) -> BufferView:
        """Record that the view's buffer now holds another value, and return the view."""
        self.labels[view.number].append(label)
        return view

    def release(self, view: BufferView) -> None:
        """Make the view's buffer available for reuse."""
        self._free.setdefault(view.key, []).append(view.number)

    @property
    def nbytes(self) -> int:
        """Size of all buffers in bytes."""
        return sum(buffer.nbytes for buffer in self.buffers)

    def _new(self, size: int, fill: int = 0) -> int:
        buffer = aligned(size, np.uint8)
        buffer[:] = fill
        self.buffers.append(buffer)
        self.labels.append([])
        return len(self.buffers) - 1
