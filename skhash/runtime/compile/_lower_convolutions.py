"""Jobs of convolutions: tables of windows, laid-out weights, and what pixels need before the first layer."""

from dataclasses import replace

import numpy as np

from skhash.runtime.codegen._kernels import Kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile import _lower_others as others
from skhash.runtime.compile._fusion import Chain, find_threshold
from skhash.runtime.compile._packed_weights import LaidOut

__all__ = ["lower_binary", "lower_int8", "lower_lookup", "lower_real"]

_VECTORS = 2  # vectors of output channels of a tile


def lower_binary(lowering, op, number):
    """A convolution of signs, perhaps all the way to the next signs by comparing integers."""
    lowering.refuse_windows(op, op.kernel, op.stride, op.padding)
    source, out, place = lowering.maps[op.sources[0]], lowering.maps[number + 1], lowering.places[op.sources[0]]
    size, out_size = ((1, 1), (1, 1)) if lowering.n_rows > 1 else ((m.height, m.width) for m in (source, out))
    masks, cases = layout.inside_cases(size, out_size, op.kernel, op.stride, op.padding, op.padding_value)
    if len(cases) < out.n_pixels:
        cases = np.zeros(out.n_pixels, np.int64)
    threshold = find_threshold(lowering.network, number, lowering.users)
    if threshold is None:
        chain = lowering.chain_from(number + 1)
    else:
        chain = Chain(out.channels, ["threshold"], [threshold.row], set(threshold.done))

    def lay_out():
        signs, factors = op.signs(), None
        if threshold is not None:
            factors = threshold.factors
            signs *= factors[:, None, None, None]
        base = layout.base_rows(signs, masks, op.padding_value)
        return LaidOut(layout.tile_binary(signs, block_size(lowering.target)), base, factors)

    weights = lowering.laid_out(number, lay_out)
    tables = {
        **_windows(op, op.kernel, out, place, layout.padded(source.channels) // 32),
        **{"base": weights.base, "cases": layout.kept(cases * weights.base.strides[0], np.int32)},
        "source": place.address,
    }
    if threshold is None or threshold.pool is None:
        chain.signed = chain.signed if threshold is None else threshold.value
        add_tiles(lowering, number, "binary", chain, out, weights, **tables)
        return chain.done
    unpooled = lowering.memory.signs(out, 0)
    tables |= {
        "bits": unpooled.address,
        "bit_offsets": layout.bit_offsets(out.height, out.width, out.channels, 0),
    }
    add_tiles(lowering, number, "binary", chain, out, weights, **tables)
    _pool_bits(lowering, number, threshold, out, unpooled)
    lowering.memory.release(unpooled)
    return chain.done


def lower_int8(lowering, op, number):
    """The first layer: by products of bytes, or in floats, which hold its integers exactly."""
    out, place = lowering.maps[number + 1], lowering.places[0]
    chain = lowering.chain_from(number + 1)
    kernel, channels = op.kernel, op.weight.shape[3]
    if not lowering.target.multiplies_bytes:
        table = np.broadcast_to(np.arange(256, dtype=np.float32) - 128, (channels, 256))
        floats = _look_up(lowering, number, table, op.padding)
        _add_real_tiles(lowering, number, op, chain, floats)
        lowering.memory.release(floats)
        return chain.done

    def lay_out():
        sums = -128 * op.weight.reshape(len(op.weight), -1).sum(axis=1, dtype=np.int32)
        tiles = layout.tile_bytes(op.weight, block_size(lowering.target))
        return LaidOut(tiles, layout.kept(layout.channel_row(sums, len(sums)), np.int32))

    weights = lowering.laid_out(number, lay_out)
    n_words = -(-kernel[1] * channels // 4)  # a row of the window is one run of bytes
    tables = _windows(op, (kernel[0], 1), out, place, n_words)
    cases = layout.kept(np.zeros(out.n_pixels), np.int32)
    tables |= {"base": weights.base, "cases": cases, "source": place.address}
    add_tiles(lowering, number, "int8", chain, out, weights, **tables)
    return chain.done


def lower_lookup(lowering, op, number):
    """Pixels as numbers, with the border that the convolution wants."""
    border = lowering.padding_of_readers(number + 1)
    lowering.places[number + 1] = _look_up(lowering, number, op.table, border)
    return ()


def lower_real(lowering, op, number):
    """A convolution or linear layer in float32."""
    lowering.refuse_windows(op, op.kernel, op.stride, op.padding)
    map_, place = lowering.maps[op.sources[0]], lowering.places[op.sources[0]]
    chain = lowering.chain_from(number + 1)
    if place.border >= op.padding:
        _add_real_tiles(lowering, number, op, chain, place)
        return chain.done
    bordered = lowering.memory.bordered(map_, place.pixel_bytes, op.padding, 0)
    lowering.copy(
        f"{lowering.name(number)}: border",
        *(map_.height, map_.width * place.pixel_bytes, place.row_bytes, bordered.row_bytes),
        source=place.address,
        out=bordered.address,
    )
    _add_real_tiles(lowering, number, op, chain, bordered)
    lowering.memory.release(bordered)
    return chain.done


def add_tiles(lowering, number, kind, chain, out, weights, **tables):
    """Add the jobs of a convolution's tiles; with a max pool that reads nothing else, also those of the pool."""
    tables |= {"weights": weights.tiles, "n_blocks": layout.padded(out.channels) // block_size(lowering.target)}
    pool = lowering.pool_that_streams(chain, out)
    if pool is not None:
        _stream(lowering, number, kind, chain, out, pool, tables)
        return
    tables |= lowering.fields(chain)
    _add_tile_job(lowering, number, kind, chain, out.n_pixels, tables)


def _add_tile_job(lowering, number, kind, chain, n_pixels, fields):
    pixels, n_tiles, tail = split_pixels(n_pixels, lowering.target.pixels)
    lowering.add_job(
        lowering.name(number), Kernel(kind, tuple(chain.steps), pixels, tail, _VECTORS), n_tiles=n_tiles, **fields
    )


def _stream(lowering, number, kind, chain, out, pool_number, tables):
    """Pool row by row while the convolution's last rows are in a ring: the whole map is never in memory."""
    pool, pooled = lowering.network.operations[pool_number], lowering.maps[pool_number + 1]
    height, width = pool.kernel
    ring = lowering.memory.real(replace(out, height=height))
    tables |= lowering.fields(replace(chain, stored=None)) | {"out_stride": ring.pixel_bytes}
    pool_chain = lowering.chain_from(pool_number + 1)
    fields = lowering.fields(pool_chain)
    computed = 0
    for row in range(pooled.height):
        first = row * pool.stride - pool.padding
        rows = range(max(first, 0), min(first + height, out.height))
        for y in range(max(computed, rows.start), rows.stop):
            part = slice(y * out.width, (y + 1) * out.width)
            now = {name: tables[name][part] for name in ("window", "cases") if name in tables}
            now["out"] = ring.address + y % height * ring.row_bytes
            _add_tile_job(lowering, number, kind, chain, out.width, tables | now)
        computed = rows.stop
        windows, taps, cases = layout.ring_window(
            *(tuple(y % height for y in rows), out.width, pooled.width, width, pool.stride, pool.padding),
            *(ring.row_bytes, ring.pixel_bytes),
        )
        others.add_row_of_pool(lowering, pool_number, pool_chain, fields, row, ring, windows, taps, cases)
    lowering.memory.release(ring)
    chain.done |= pool_chain.done | {pool_number}


def block_size(target):
    """Output channels of a tile."""
    return target.lanes * _VECTORS


def split_pixels(n_pixels, most):
    """Cut pixels into tiles of nearly `most` pixels.

    Returns
    -------
    pixels, n_tiles, tail : int
        Pixels of a whole tile, number of these, and pixels of the one after them.
    """
    for pixels in (most, most - 1):
        if pixels and n_pixels % pixels == 0:
            return pixels, n_pixels // pixels, 0
    pixels = -(-n_pixels // -(-n_pixels // most))
    return pixels, n_pixels // pixels, n_pixels % pixels


def _windows(op, kernel, out, place, n_steps):
    """Fields of a job that say where windows lie; a step is four bytes."""
    start = -op.padding * (place.row_bytes + place.pixel_bytes)
    window, taps = layout.convolution_window(
        (out.height, out.width), tuple(kernel), op.stride, place.row_bytes, place.pixel_bytes, n_steps, start
    )
    return {"window": window, "taps": taps, "n_taps": len(taps)}


def _add_real_tiles(lowering, number, op, chain, place):
    out = lowering.maps[number + 1]
    weights = lowering.laid_out(number, lambda: LaidOut(layout.tile_floats(op.weight, block_size(lowering.target))))
    tables = _windows(op, op.kernel, out, place, op.weight.shape[3])
    add_tiles(lowering, number, "real", chain, out, weights, source=place.address, **tables)


def _look_up(lowering, number, table, border):
    map_, place = lowering.maps[0], lowering.places[0]
    out = lowering.memory.bordered(map_, 4 * map_.channels, border, 0)
    lowering.add_job(
        f"{lowering.name(number)}: look up",
        Kernel("lookup"),
        source=place.address,
        source_stride=place.row_bytes,
        out=out.address,
        out_stride=out.row_bytes,
        n_tiles=map_.height,
        n_taps=map_.width,
        n_blocks=map_.channels,
        parameters=layout.kept(np.transpose(table), np.float32),
        parameter_stride=4 * map_.channels,
    )
    return out


def _pool_bits(lowering, number, threshold, map_, place):
    """The maximum of signs: any of the bits, flipped in the end where the least sum is wanted."""
    pool, out = threshold.pool, lowering.maps[threshold.value]
    window, taps, cases = layout.pool_window(
        *((map_.height, map_.width), (out.height, out.width), tuple(pool.kernel), pool.stride, pool.padding),
        *(place.row_bytes, place.pixel_bytes),
    )
    flips = np.packbits(layout.channel_row(threshold.flips, map_.channels), bitorder="little").view("<u4")
    lowering.add_job(
        f"{lowering.name(number)}: pool",
        Kernel("bit_or"),
        source=place.address,
        window=window,
        taps=taps,
        cases=cases,
        n_tiles=out.n_pixels,
        n_blocks=len(flips),
        parameters=layout.kept(flips, np.uint32),
        **lowering.sign_fields(threshold.value),
    )
