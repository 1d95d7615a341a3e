"""Lowering of convolutions: tables of windows, packed weights, and the conversion of pixels before the first layer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from skhash.runtime.codegen._kernels import Kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile import _lower_others as others
from skhash.runtime.compile._fusion import FusedOps, Threshold, find_threshold
from skhash.runtime.compile._packed_weights import PackedWeights
from skhash.runtime.network._convolutions import BinaryConv

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike

    from skhash.runtime.codegen._targets import Target
    from skhash.runtime.compile._buffers import BufferView
    from skhash.runtime.compile._lowering import LoweringContext
    from skhash.runtime.network._convolutions import Int8Conv, Lookup, RealConv
    from skhash.runtime.network._operation import Map
    from skhash.runtime.network._pools import MaxPool

    AnyConv = BinaryConv | Int8Conv | RealConv

__all__ = ["lower_binary", "lower_int8", "lower_lookup", "lower_real", "split_pixels"]

_VECTORS = 2  # vectors of output channels of a tile


def lower_binary(context: LoweringContext, op: BinaryConv, number: int) -> Collection[int]:
    """Add the jobs of a convolution of signs, up to the next signs if a comparison of integers yields them."""
    context.refuse_windows(op, op.kernel, op.stride, op.padding)
    source, out, view = context.maps[op.sources[0]], context.maps[number + 1], context.views[op.sources[0]]
    size, out_size = ((1, 1), (1, 1)) if context.n_rows > 1 else ((m.height, m.width) for m in (source, out))
    masks, cases = layout.inside_cases(size, out_size, op.kernel, op.stride, op.padding, op.padding_value)
    if len(cases) < out.n_pixels:  # feature vectors side by side: all are the one case
        cases = np.zeros(out.n_pixels, np.int64)
    threshold = find_threshold(context.network, number, context.consumers)
    if threshold is None:
        ops = context.fuse_from(number + 1)
    else:
        ops = FusedOps(out.channels, ["threshold"], [threshold.row], set(threshold.fused))

    def pack() -> PackedWeights:
        signs, factors = op.signs(), None
        if threshold is not None:
            factors = threshold.factors
            signs *= factors[:, None, None, None]
        base = layout.base_rows(signs, masks, op.padding_value)
        return PackedWeights(layout.tile_binary(signs, block_size(context.target)), base, factors)

    weights = context.packed_weights(number, pack)
    assert weights.base is not None
    tables: dict[str, Any] = {
        **_windows(op, op.kernel, out, view, layout.padded(source.channels) // 32),
        **{"base": weights.base, "cases": layout.aligned_copy(cases * weights.base.strides[0], np.int32)},
        "source": view.address,
    }
    if threshold is None or threshold.pool is None:
        ops.signed = ops.signed if threshold is None else threshold.value
        add_tiles(context, number, "binary", ops, out, weights, **tables)
        return ops.fused
    unpooled = context.buffers.allocate_signs(out, 0, f"{context.name(number)}: signs before pooling")
    tables |= {
        "bits": unpooled.address,
        "bit_offsets": layout.bit_offsets(out.height, out.width, out.channels, 0),
    }
    pool_number = next(i for i in threshold.fused if context.network.operations[i] is threshold.pool)
    fused = replace(ops, fused=ops.fused - {pool_number})
    add_tiles(context, number, "binary", fused, out, weights, **tables)
    _pool_bits(context, number, pool_number, threshold, out, unpooled)
    context.buffers.release(unpooled)
    return ops.fused


def lower_int8(context: LoweringContext, op: Int8Conv, number: int) -> Collection[int]:
    """Add the jobs of the first layer: by products of bytes, or in floats, which represent its integers exactly."""
    out, view = context.maps[number + 1], context.views[0]
    ops = context.fuse_from(number + 1)
    kernel, channels = op.kernel, op.weight.shape[3]
    if not context.target.multiplies_bytes:
        table = np.broadcast_to(np.arange(256, dtype=np.float32) - 128, (channels, 256))
        name = f"{context.name(number)}: look up"
        floats = _look_up(context, name, table, op.padding, f"{context.name(number)}: floats of pixels")
        _add_real_tiles(context, number, op, ops, floats)
        context.buffers.release(floats)
        return ops.fused

    def pack() -> PackedWeights:
        # The instruction multiplies unsigned pixels: sum w (x - 128) = sum w x - 128 sum w, the latter in `base`.
        sums = -128 * op.weight.reshape(len(op.weight), -1).sum(axis=1, dtype=np.int32)
        tiles = layout.tile_bytes(op.weight, block_size(context.target))
        return PackedWeights(tiles, layout.aligned_copy(layout.channel_row(sums, len(sums)), np.int32))

    weights = context.packed_weights(number, pack)
    assert weights.base is not None
    n_words = -(-kernel[1] * channels // 4)  # a row of the window is one run of bytes
    tables = _windows(op, (kernel[0], 1), out, view, n_words)
    cases = layout.aligned_copy(np.zeros(out.n_pixels), np.int32)
    tables |= {"base": weights.base, "cases": cases, "source": view.address}
    add_tiles(context, number, "int8", ops, out, weights, **tables)
    return ops.fused


def lower_lookup(context: LoweringContext, op: Lookup, number: int) -> Collection[int]:
    """Add the job that looks pixels up in a table, with the border that the next convolution reads."""
    border = context.consumer_padding(number + 1)
    name, label = f"{context.name(number)}: look up", context.label(number + 1)
    context.views[number + 1] = _look_up(context, name, op.table, border, label, (number,))
    return ()


def lower_real(context: LoweringContext, op: RealConv, number: int) -> Collection[int]:
    """Add the jobs of a convolution or linear layer in float32."""
    context.refuse_windows(op, op.kernel, op.stride, op.padding)
    map_, view = context.maps[op.sources[0]], context.views[op.sources[0]]
    ops = context.fuse_from(number + 1)
    if view.border >= op.padding:
        _add_real_tiles(context, number, op, ops, view)
        return ops.fused
    name = f"{context.name(number)}: border"
    bordered = context.buffers.allocate_bordered(map_, view.pixel_bytes, op.padding, 0, name)
    context.copy(
        name,
        *(map_.height, map_.width * view.pixel_bytes, view.row_bytes, bordered.row_bytes),
        source=view.address,
        out=bordered.address,
    )
    _add_real_tiles(context, number, op, ops, bordered)
    context.buffers.release(bordered)
    return ops.fused


def add_tiles(
    context: LoweringContext, number: int, kind: str, ops: FusedOps, out: Map, weights: PackedWeights, **tables: Any
) -> None:
    """Add the jobs of a convolution's tiles; also those of a max pool that is the only consumer of the result."""
    tables |= {"weights": weights.tiles, "n_blocks": layout.padded(out.channels) // block_size(context.target)}
    pool = context.streaming_pool(ops, out)
    if pool is not None:
        _stream(context, number, kind, ops, out, pool, tables)
        return
    tables |= context.fields(ops)
    _add_tile_job(context, number, kind, ops, out.n_pixels, tables)


def _add_tile_job(
    context: LoweringContext, number: int, kind: str, ops: FusedOps, n_pixels: int, fields: dict[str, Any]
) -> None:
    pixels, n_tiles, tail = split_pixels(n_pixels, context.target.pixels)
    op = cast("AnyConv", context.network.operations[number])
    shape = op.shape if isinstance(op, BinaryConv) else op.weight.shape
    context.add_job(
        context.name(number),
        Kernel(kind, tuple(ops.steps), pixels, tail, _VECTORS),
        (number, *sorted(ops.fused)),
        n_pixels * math.prod(shape),
        n_tiles=n_tiles,
        **fields,
    )


def _stream(
    context: LoweringContext,
    number: int,
    kind: str,
    ops: FusedOps,
    out: Map,
    pool_number: int,
    tables: dict[str, Any],
) -> None:
    """Pool row by row while a ring buffer holds the convolution's last rows: the whole map is never stored."""
    pool, pooled = cast("MaxPool", context.network.operations[pool_number]), context.maps[pool_number + 1]
    height, width = pool.kernel
    label = f"{context.name(number)}: ring of {height} rows"
    ring = context.buffers.allocate_real(replace(out, height=height), label)
    tables |= context.fields(replace(ops, stored=None)) | {"out_stride": ring.pixel_bytes}
    pool_ops = context.fuse_from(pool_number + 1)
    fields = context.fields(pool_ops)
    computed = 0
    for row in range(pooled.height):
        first = row * pool.stride - pool.padding
        rows = range(max(first, 0), min(first + height, out.height))
        for y in range(max(computed, rows.start), rows.stop):
            part = slice(y * out.width, (y + 1) * out.width)
            now = {name: tables[name][part] for name in ("window", "cases") if name in tables}
            now["out"] = ring.address + y % height * ring.row_bytes
            _add_tile_job(context, number, kind, ops, out.width, tables | now)
        computed = rows.stop
        windows, taps, cases = layout.ring_window(
            *(tuple(y % height for y in rows), out.width, pooled.width, width, pool.stride, pool.padding),
            *(ring.row_bytes, ring.pixel_bytes),
        )
        others.add_row_of_pool(context, pool_number, pool_ops, fields, row, ring, windows, taps, cases)
    context.buffers.release(ring)
    ops.fused |= pool_ops.fused | {pool_number}


def block_size(target: Target) -> int:
    """Return the number of output channels of a tile."""
    return target.lanes * _VECTORS


def split_pixels(n_pixels: int, most: int) -> tuple[int, int, int]:
    """Cut pixels into tiles of nearly `most` pixels.

    Parameters
    ----------
    n_pixels : int
        Number of pixels.
    most : int
        Largest number of pixels of a tile.

    Returns
    -------
    pixels, n_tiles, tail : int
        Pixels of a whole tile, number of whole tiles, and pixels of the last, smaller tile (0: none).
    """
    for pixels in (most, most - 1):
        if pixels and n_pixels % pixels == 0:
            return pixels, n_pixels // pixels, 0
    pixels = -(-n_pixels // -(-n_pixels // most))
    return pixels, n_pixels // pixels, n_pixels % pixels


def _windows(op: AnyConv, kernel: Sequence[int], out: Map, view: BufferView, n_steps: int) -> dict[str, Any]:
    """Return the fields of a job that locate windows; a step is four bytes."""
    start = -op.padding * (view.row_bytes + view.pixel_bytes)
    window, taps = layout.convolution_window(
        (out.height, out.width), tuple(kernel), op.stride, view.row_bytes, view.pixel_bytes, n_steps, start
    )
    return {"window": window, "taps": taps, "n_taps": len(taps)}


def _add_real_tiles(
    context: LoweringContext, number: int, op: RealConv | Int8Conv, ops: FusedOps, view: BufferView
) -> None:
    out = context.maps[number + 1]

    def pack() -> PackedWeights:
        return PackedWeights(layout.tile_floats(op.weight, block_size(context.target)))

    weights = context.packed_weights(number, pack)
    tables = _windows(op, op.kernel, out, view, op.weight.shape[3])
    add_tiles(context, number, "real", ops, out, weights, source=view.address, **tables)


def _look_up(
    context: LoweringContext, name: str, table: ArrayLike, border: int, label: str, operations: Sequence[int] = ()
) -> BufferView:
    map_, view = context.maps[0], context.views[0]
    out = context.buffers.allocate_bordered(map_, 4 * map_.channels, border, 0, label)
    context.add_job(
        name,
        Kernel("lookup"),
        operations,
        source=view.address,
        source_stride=view.row_bytes,
        out=out.address,
        out_stride=out.row_bytes,
        n_tiles=map_.height,
        n_taps=map_.width,
        n_blocks=map_.channels,
        parameters=layout.aligned_copy(np.transpose(table), np.float32),
        parameter_stride=4 * map_.channels,
    )
    return out


def _pool_bits(
    context: LoweringContext, number: int, pool_number: int, threshold: Threshold, map_: Map, view: BufferView
) -> None:
    """Add the max pool of signs: any of the bits, flipped at the end where the smallest sum is wanted."""
    pool, out = cast("MaxPool", threshold.pool), context.maps[threshold.value]
    window, taps, cases = layout.pool_window(
        *((map_.height, map_.width), (out.height, out.width), tuple(pool.kernel), pool.stride, pool.padding),
        *(view.row_bytes, view.pixel_bytes),
    )
    flips = np.packbits(layout.channel_row(threshold.flips, map_.channels), bitorder="little").view("<u4")
    context.add_job(
        f"{context.name(number)}: pool",
        Kernel("bit_or"),
        (pool_number,),
        source=view.address,
        window=window,
        taps=taps,
        cases=cases,
        n_tiles=out.n_pixels,
        n_blocks=len(flips),
        parameters=layout.aligned_copy(flips, np.uint32),
        **context.sign_fields(threshold.value),
    )
