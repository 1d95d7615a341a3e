"""Memory layout: packed maps, weights in tiles, tables of offsets, and the integers that sums start from.

Packed maps have channels innermost, 32 to a word, rounded up to whole words, and a border of zero bits that is never
written. Real maps have channels innermost, rounded up to the same number, and no border.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Table = NDArray[np.int32]

__all__ = [
    "aligned",
    "base_rows",
    "bit_offsets",
    "channel_row",
    "convolution_window",
    "inside_cases",
    "aligned_copy",
    "padded",
    "pool_window",
    "tile_binary",
    "tile_bytes",
    "tile_floats",
    "ring_window",
    "untile_binary",
    "untile_floats",
    "window_cases",
]

_SLACK = 256  # readable bytes after every buffer, because vectors may read beyond its end
_LINE = 64  # bytes of a cache line


def padded(channels: int) -> int:
    """Return the number of channels, rounded up to whole words of 32."""
    return -(-channels // 32) * 32


def aligned(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros that start on a cache line, with readable bytes after them."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(size + _SLACK, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned_copy(array: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Return a copy that starts on a cache line, with readable bytes after it."""
    out = aligned(np.shape(array), dtype)
    out[...] = array
    return out


def channel_row(values: NDArray[Any], channels: int, fill: float = 0.0) -> NDArray[Any]:
    """Return a number for each channel, and `fill` for the channels that only fill the last word."""
    row = np.full(padded(channels), fill, np.asarray(values).dtype)
    row[:channels] = values
    return row


@lru_cache(maxsize=512)
def bit_offsets(height: int, width: int, channels: int, border: int) -> Table:
    """Return the byte offset of each pixel in a packed map with a border."""
    y, x = np.mgrid[:height, :width]
    pixels = (y + border) * (width + 2 * border) + x + border
    return aligned_copy((pixels * (padded(channels) // 8)).ravel(), np.int32)


@lru_cache(maxsize=512)
def convolution_window(
    out_size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    row_bytes: int,
    pixel_bytes: int,
    n_steps: int,
    start: int = 0,
) -> tuple[Table, Table]:
    """Compute the offsets of windows in a map, and of the steps (words or floats of four bytes) within a window.

    Parameters
    ----------
    out_size, kernel : tuple of int
        Height and width of the result and of the window.
    stride : int
        Step of the window.
    row_bytes, pixel_bytes : int
        Distance from row to row and from pixel to pixel in the map.
    n_steps : int
        Steps of a pixel.
    start : int
        Offset of the first window.

    Returns
    -------
    window, taps : ndarray of int32
        Offsets by output pixel, and by step.
    """
    y, x = np.mgrid[: out_size[0], : out_size[1]] * stride
    window = start + y * row_bytes + x * pixel_bytes
    ky, kx, k = np.mgrid[: kernel[0], : kernel[1], :n_steps]
    taps = ky * row_bytes + kx * pixel_bytes + 4 * k
    return aligned_copy(window.ravel(), np.int32), aligned_copy(taps.ravel(), np.int32)


@lru_cache(maxsize=512)
def pool_window(
    size: tuple[int, int],
    out_size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    row_bytes: int,
    pixel_bytes: int,
) -> tuple[Table, Table, Table]:
    """Compute the offsets of windows in a map without a border, and of the pixels of each that lie inside the map.

    Parameters
    ----------
    size, out_size, kernel : tuple of int
        Height and width of the map, of the result and of the window.
    stride, padding : int
        Step of the window, and number of positions by which the first one starts outside.
    row_bytes, pixel_bytes : int
        Distance from row to row and from pixel to pixel in the map.

    Returns
    -------
    window : ndarray of int32 of shape (n_pixels,)
        Offsets by output pixel.
    taps : ndarray of int32 of shape (n_cases, 1 + kernel height * kernel width)
        Number of pixels of a window that lie inside the map, then their offsets in the window.
    cases : ndarray of int32 of shape (n_pixels,)
        Byte offset of each output pixel's row in `taps`.
    """
    (y, rows), (x, columns) = (
        _sweep(n, n_out, k, stride, padding) for n, n_out, k in zip(size, out_size, kernel, strict=True)
    )
    window = y[:, None] * row_bytes + x * pixel_bytes
    taps, cases = _pool_taps(rows, columns, np.arange(kernel[0]) * row_bytes, pixel_bytes)
    return aligned_copy(window.ravel(), np.int32), taps, cases


@lru_cache(maxsize=512)
def ring_window(
    rows: tuple[int, ...],
    width: int,
    out_width: int,
    kernel_width: int,
    stride: int,
    padding: int,
    row_bytes: int,
    pixel_bytes: int,
) -> tuple[Table, Table, Table]:
    """Compute the same as `pool_window` for one row of windows, whose pixels lie in some rows of a ring buffer."""
    x, columns = _sweep(width, out_width, kernel_width, stride, padding)
    all_rows = np.ones((1, len(rows)), bool)
    taps = _pool_taps(all_rows, columns, np.array(rows) * row_bytes, pixel_bytes)
    return aligned_copy(x * pixel_bytes, np.int32), *taps


def _sweep(n: int, n_out: int, kernel: int, stride: int, padding: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return where windows start along one axis, and which of their positions lie inside the map."""
    start = np.arange(n_out) * stride - padding
    at = start[:, None] + np.arange(kernel)
    return start, (at >= 0) & (at < n)


def _pool_taps(
    rows: NDArray[np.bool_], columns: NDArray[np.bool_], row_offsets: NDArray[Any], pixel_bytes: int
) -> tuple[Table, Table]:
    masks, cases = window_cases(rows, columns)
    offsets = (row_offsets[:, None] + np.arange(columns.shape[1]) * pixel_bytes).ravel()
    taps = np.zeros((len(masks), 1 + len(offsets)), np.int32)
    for row, mask in zip(taps, masks, strict=True):
        row[0] = mask.sum()
        row[1 : 1 + row[0]] = offsets[mask]
    return aligned_copy(taps, np.int32), aligned_copy(cases * taps.strides[0], np.int32)


def window_cases(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the distinct sets of pixels of a window that lie inside the map, and which one each output pixel has.

    Windows at corners, edges and in the middle differ; there are few distinct sets, however large the map is.

    Parameters
    ----------
    rows, columns : ndarray of bool of shape (out_height, kernel height) and (out_width, kernel width)
        Which rows and columns of each window lie inside.

    Returns
    -------
    masks : ndarray of bool of shape (n_cases, kernel height * kernel width)
        The sets.
    cases : ndarray of int of shape (n_pixels,)
        Positions in `masks`.
    """
    (rows, of_row), (columns, of_column) = (np.unique(a, axis=0, return_inverse=True) for a in (rows, columns))
    masks = (rows[:, None, :, None] & columns[None, :, None, :]).reshape(len(rows) * len(columns), -1)
    return masks, (of_row.reshape(-1, 1) * len(columns) + of_column.reshape(1, -1)).ravel()


def _in_blocks(weights: NDArray[Any], block: int) -> NDArray[Any]:
    """Rearrange (out_channels, taps, ...) to (blocks, taps, block, ...)."""
    blocks = weights.reshape(-1, block, *weights.shape[1:])
    return np.ascontiguousarray(blocks.swapaxes(1, 2))


def _pad_filters(weights: NDArray[Any]) -> NDArray[Any]:
    """Append filters of zeros up to whole words of output channels."""
    out = np.zeros((padded(len(weights)), *weights.shape[1:]), weights.dtype)
    out[: len(weights)] = weights
    return out


def tile_binary(signs: NDArray[np.int8], block: int) -> NDArray[np.uint32]:
    """Pack +-1 weights (out, height, width, in) as uint32 words (blocks, taps, block)."""
    out_channels, height, width, channels = signs.shape
    ones = np.zeros((padded(out_channels), height, width, padded(channels)), bool)
    ones[:out_channels, ..., :channels] = signs > 0
    words = np.packbits(ones, axis=-1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
    return aligned_copy(_in_blocks(words.reshape(len(words), -1), block), np.uint32)


def untile_binary(words: NDArray[np.uint32], shape: Sequence[int]) -> NDArray[np.int8]:
    """Return the +-1 weights of shape (out, height, width, in) that `tile_binary` packed."""
    flat = words.swapaxes(1, 2).reshape(padded(shape[0]), *shape[1:3], -1)
    as_bytes = np.ascontiguousarray(flat, "<u4").view(np.uint8)
    ones = np.unpackbits(as_bytes, axis=3, bitorder="little")[: shape[0], ..., : shape[3]].view(np.int8)
    return 2 * ones - 1


def tile_bytes(weight: NDArray[np.int8], block: int) -> NDArray[np.int8]:
    """Pack int8 weights (out, height, width, in), four to a lane: int8 (blocks, taps, block, 4).

    A row of a window is one run of bytes in the image; only its last word is filled up with zeros.
    """
    out_channels, height, width, channels = weight.shape
    per_row = -(-width * channels // 4)
    rows = np.zeros((out_channels, height, 4 * per_row), np.int8)
    rows[..., : width * channels] = weight.reshape(out_channels, height, -1)
    return aligned_copy(_in_blocks(_pad_filters(rows.reshape(out_channels, -1, 4)), block), np.int8)


def tile_floats(weight: NDArray[Any], block: int) -> NDArray[np.float32]:
    """Arrange weights (out, height, width, in) as float32 (blocks, taps, block)."""
    flat = weight.reshape(len(weight), -1).astype(np.float32)
    return aligned_copy(_in_blocks(_pad_filters(flat), block), np.float32)


def untile_floats(tiles: NDArray[np.float32], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the weights of shape (out, height, width, in) that `tile_floats` arranged."""
    return tiles.swapaxes(1, 2).reshape(padded(shape[0]), *shape[1:])[: shape[0]]


@lru_cache(maxsize=512)
def inside_cases(
    size: tuple[int, int],
    out_size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    padding_value: str,
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which weights of a convolution need no correction for the border of zero bits; see `window_cases`.

    Those inside the map; with border -1 all, because zero bits are that already.
    """
    inside = [_sweep(n, n_out, k, stride, padding)[1] for n, n_out, k in zip(size, out_size, kernel, strict=True)]
    return window_cases(*(axis | (padding_value == "minus") for axis in inside))


def base_rows(signs: NDArray[np.int8], masks: NDArray[np.bool_], padding_value: str) -> NDArray[np.int32]:
    """Compute the base of `base - 2 * differing bits`, so that the border counts as `padding_value`.

    Of n products of signs d are -1, where bits differ, so their sum is n - 2 d. The border's zero bits stand for -1,
    so a weight there contributes minus itself. For another border the sum of these weights is added back: once for 0,
    twice for +1.

    Parameters
    ----------
    signs : ndarray of int8 of shape (out_channels, height, width, in_channels)
        Weights.
    masks : ndarray of bool of shape (n_cases, height * width)
        Sets of `inside_cases`.
    padding_value : {"zero", "minus", "plus"}
        Value of the border.

    Returns
    -------
    rows : ndarray of int32 of shape (n_cases, padded out_channels)
        The base by set and output channel.
    """
    sums = signs.sum(axis=3, dtype=np.int64).reshape(len(signs), -1)
    rows = aligned((len(masks), padded(len(signs))), np.int32)
    rows[:, : len(signs)] = signs[0].size + {"minus": 0, "zero": 1, "plus": 2}[padding_value] * (~masks @ sums.T)
    return rows
