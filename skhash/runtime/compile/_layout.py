"""Where everything lies: packed maps, weights as tiles want them, tables of offsets, what sums start from.

Packed maps have channels innermost, 32 to a word, rounded up to whole words, and a border of zero bits that nothing
ever writes. Real maps have channels innermost, as many as the words hold, and no border.
"""

from functools import lru_cache

import numpy as np

__all__ = [
    "aligned",
    "base_rows",
    "bit_offsets",
    "channel_row",
    "convolution_window",
    "inside_cases",
    "kept",
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

_SLACK = 256  # bytes behind every buffer that a vector may read over its end
_LINE = 64


def padded(channels):
    """Channels with those that only fill the last word."""
    return -(-channels // 32) * 32


def aligned(shape, dtype):
    """Zeros on a cache line, with readable bytes behind."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(size + _SLACK, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def kept(array, dtype):
    """A copy on a cache line."""
    out = aligned(np.shape(array), dtype)
    out[...] = array
    return out


def channel_row(values, channels, fill=0.0):
    """A number for each channel, `fill` for those that only fill the last word."""
    row = np.full(padded(channels), fill, np.asarray(values).dtype)
    row[:channels] = values
    return row


@lru_cache(maxsize=512)
def bit_offsets(height, width, channels, border):
    """Byte offset of each pixel in a packed map with a border."""
    y, x = np.mgrid[:height, :width]
    return kept((((y + border) * (width + 2 * border) + x + border) * (padded(channels) // 8)).ravel(), np.int32)


@lru_cache(maxsize=512)
def convolution_window(out_size, kernel, stride, row_bytes, pixel_bytes, n_steps, start=0):
    """Offsets of windows in a map and of the steps, words or floats of four bytes, within a window.

    Parameters
    ----------
    out_size, kernel : tuple of int
        Height and width.
    stride : int
        From window to window.
    row_bytes, pixel_bytes : int
        Of the map.
    n_steps : int
        Steps of a pixel.
    start : int
        Offset of the first window.

    Returns
    -------
    window, taps : ndarray of int32
        One by output pixel, one by step.
    """
    y, x = np.mgrid[: out_size[0], : out_size[1]] * stride
    window = start + y * row_bytes + x * pixel_bytes
    ky, kx, k = np.mgrid[: kernel[0], : kernel[1], :n_steps]
    return kept(window.ravel(), np.int32), kept((ky * row_bytes + kx * pixel_bytes + 4 * k).ravel(), np.int32)


@lru_cache(maxsize=512)
def pool_window(size, out_size, kernel, stride, padding, row_bytes, pixel_bytes):
    """Offsets of windows in a map without a border, and of the pixels of each that lie inside the map.

    Returns
    -------
    window : ndarray of int32 of shape (n_pixels,)
        By output pixel.
    taps : ndarray of int32 of shape (n_cases, 1 + kernel height * kernel width)
        How many pixels of a window lie inside, and their offsets in the window.
    cases : ndarray of int32 of shape (n_pixels,)
        Byte offset of each output pixel's row of taps.
    """
    (y, rows), (x, columns) = (
        _sweep(n, n_out, k, stride, padding) for n, n_out, k in zip(size, out_size, kernel, strict=True)
    )
    window = y[:, None] * row_bytes + x * pixel_bytes
    return kept(window.ravel(), np.int32), *_pool_taps(rows, columns, np.arange(kernel[0]) * row_bytes, pixel_bytes)


@lru_cache(maxsize=512)
def ring_window(rows, width, out_width, kernel_width, stride, padding, row_bytes, pixel_bytes):
    """As `pool_window`, for one row of windows whose pixels lie in some rows of a ring."""
    x, columns = _sweep(width, out_width, kernel_width, stride, padding)
    all_rows = np.ones((1, len(rows)), bool)
    taps = _pool_taps(all_rows, columns, np.array(rows) * row_bytes, pixel_bytes)
    return kept(x * pixel_bytes, np.int32), *taps


def _sweep(n, n_out, kernel, stride, padding):
    """Where windows start along one axis, and which of their places lie inside."""
    start = np.arange(n_out) * stride - padding
    at = start[:, None] + np.arange(kernel)
    return start, (at >= 0) & (at < n)


def _pool_taps(rows, columns, row_offsets, pixel_bytes):
    masks, cases = window_cases(rows, columns)
    offsets = (row_offsets[:, None] + np.arange(columns.shape[1]) * pixel_bytes).ravel()
    taps = np.zeros((len(masks), 1 + len(offsets)), np.int32)
    for row, mask in zip(taps, masks, strict=True):
        row[0] = mask.sum()
        row[1 : 1 + row[0]] = offsets[mask]
    return kept(taps, np.int32), kept(cases * taps.strides[0], np.int32)


def window_cases(rows, columns):
    """Distinct sets of pixels of a window, and which one each output pixel has.

    Parameters
    ----------
    rows, columns : ndarray of bool of shape (out_height, kernel height) and (out_width, kernel width)
        Which rows and columns of a window count.

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


def _in_blocks(weights, block):
    """From (out_channels, taps, ...) to (blocks, taps, block, ...)."""
    blocks = weights.reshape(-1, block, *weights.shape[1:])
    return np.ascontiguousarray(blocks.swapaxes(1, 2))


def _more_filters(weights):
    out = np.zeros((padded(len(weights)), *weights.shape[1:]), weights.dtype)
    out[: len(weights)] = weights
    return out


def tile_binary(signs, block):
    """Lay +-1 weights (out, height, width, in) out as uint32 words (blocks, taps, block)."""
    out_channels, height, width, channels = signs.shape
    ones = np.zeros((padded(out_channels), height, width, padded(channels)), bool)
    ones[:out_channels, ..., :channels] = signs > 0
    words = np.packbits(ones, axis=-1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
    return kept(_in_blocks(words.reshape(len(words), -1), block), np.uint32)


def untile_binary(words, shape):
    """Give +-1 weights of a shape (out, height, width, in) back from their tiles."""
    flat = words.swapaxes(1, 2).reshape(padded(shape[0]), *shape[1:3], -1)
    as_bytes = np.ascontiguousarray(flat, "<u4").view(np.uint8)
    ones = np.unpackbits(as_bytes, axis=3, bitorder="little")[: shape[0], ..., : shape[3]].view(np.int8)
    return 2 * ones - 1


def tile_bytes(weight, block):
    """Lay int8 weights out, four of a row in a lane: int8 (blocks, taps, block, 4); see `words_per_row`."""
    out_channels, height, width, channels = weight.shape
    per_row = -(-width * channels // 4)
    rows = np.zeros((out_channels, height, 4 * per_row), np.int8)
    rows[..., : width * channels] = weight.reshape(out_channels, height, -1)
    return kept(_in_blocks(_more_filters(rows.reshape(out_channels, -1, 4)), block), np.int8)


def tile_floats(weight, block):
    """Lay float weights out as (blocks, taps, block)."""
    flat = weight.reshape(len(weight), -1).astype(np.float32)
    return kept(_in_blocks(_more_filters(flat), block), np.float32)


def untile_floats(tiles, shape):
    """Give float weights of a shape (out, height, width, in) back from their tiles."""
    return tiles.swapaxes(1, 2).reshape(padded(shape[0]), *shape[1:])[: shape[0]]


@lru_cache(maxsize=512)
def inside_cases(size, out_size, kernel, stride, padding, padding_value):
    """Which weights of a convolution see something other than the border's -1; see `window_cases`."""
    inside = [_sweep(n, n_out, k, stride, padding)[1] for n, n_out, k in zip(size, out_size, kernel, strict=True)]
    return window_cases(*(axis | (padding_value == "minus") for axis in inside))


def base_rows(signs, masks, padding_value):
    """What `base - 2 * differing bits` needs as base, so that the border counts as `padding_value`.

    The border's zero bits stand for -1, so a weight there adds minus itself. Where something else is wanted the sum of
    these weights is put back: once for 0, twice for +1.

    Parameters
    ----------
    signs : ndarray of int8 of shape (out_channels, height, width, in_channels)
        Weights.
    masks : ndarray of bool of shape (n_cases, height * width)
        Of `inside_cases`.
    padding_value : {"zero", "minus", "plus"}
        What the border is.

    Returns
    -------
    rows : ndarray of int32 of shape (n_cases, padded out_channels)
        By set of weights that lie inside.
    """
    sums = signs.sum(axis=3, dtype=np.int64).reshape(len(signs), -1)
    rows = aligned((len(masks), padded(len(signs))), np.int32)
    rows[:, : len(signs)] = signs[0].size + {"minus": 0, "zero": 1, "plus": 2}[padding_value] * (~masks @ sums.T)
    return rows
