"""Jobs of everything but convolutions: pools, passes over maps that nothing was fused with, concatenation."""

from skhash.runtime.codegen._kernels import POOL_CHANNELS, Kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile._fusion import Chain
from skhash.runtime.network._elementwise import Sign

__all__ = [
    "add_row_of_pool",
    "lower_concat",
    "lower_elementwise",
    "lower_max_pool",
    "lower_mean",
    "lower_mean_of_all",
    "lower_signs_to_real",
]


def lower_max_pool(lowering, op, number):
    """The largest of each window."""
    chain = lowering.chain_from(number + 1)
    return _add_pool(lowering, number, _reader(lowering, op), op, chain, (op.kernel, op.stride, op.padding))


def lower_mean(lowering, op, number):
    """The mean of each window."""
    chain = lowering.chain_from(number + 1)
    return _add_pool(lowering, number, "mean", op, chain, (op.kernel, op.stride, 0))


def lower_mean_of_all(lowering, op, number):
    """The mean of the whole map."""
    map_ = lowering.maps[op.sources[0]]
    window = ((map_.height, map_.width // lowering.n_rows), 1, 0)
    return _add_pool(lowering, number, "mean_of_all", op, lowering.chain_from(number + 1), window)


def lower_signs_to_real(lowering, op, number):
    """Bits as -1 and +1."""
    return _add_pool(lowering, number, "unpack", op, lowering.chain_from(number + 1))


def lower_elementwise(lowering, op, number):
    """What could not be done by the kernel that made its source: a pass of its own."""
    chain = Chain(lowering.maps[number + 1].channels)
    if isinstance(op, Sign):
        chain.sign(number, op)
    else:
        chain.apply(number, op, op.sources[0])
        lowering.chain_from(number + 1, chain)
    return _add_pool(lowering, number, _reader(lowering, op), op, chain)


def lower_concat(lowering, op, number):
    """Copies of the parts, pixel by pixel."""
    out = lowering.places[number + 1] = lowering.memory.real(lowering.maps[number + 1])
    address = out.address
    for value in op.sources:
        map_, place = lowering.maps[value], lowering.places[value]
        size = 4 * map_.channels
        lowering.copy(
            lowering.name(number),
            *(map_.n_pixels, size, place.pixel_bytes, out.pixel_bytes),
            source=place.address,
            out=address,
        )
        address += size
    return ()


def _reader(lowering, op):
    return "max_integers" if lowering.maps[op.sources[0]].kind == "integer" else "max"


def _add_pool(lowering, number, kind, op, chain, window=((1, 1), 1, 0)):
    """Add a job that combines what lies in windows and does a chain's steps."""
    map_, out, place = lowering.maps[op.sources[0]], lowering.maps[number + 1], lowering.places[op.sources[0]]
    kernel, stride, padding = window
    lowering.refuse_windows(op, kernel, stride, padding)
    windows, taps, cases = layout.pool_window(
        *((map_.height, map_.width), (out.height, out.width), tuple(kernel), stride, padding),
        *(place.row_bytes, place.pixel_bytes),
    )
    lowering.add_job(
        lowering.name(number),
        Kernel(kind, tuple(chain.steps)),
        source=place.address,
        window=windows,
        taps=taps,
        cases=cases,
        n_tiles=out.n_pixels,
        n_blocks=layout.padded(out.channels) // POOL_CHANNELS,
        **lowering.fields(chain),
    )
    return chain.done


def add_row_of_pool(lowering, number, chain, fields, row, place, windows, taps, cases):
    """Add a job for one row of a max pool, given the fields of a job for the whole map."""
    out = lowering.maps[number + 1]
    first = row * out.width
    now = {name: fields[name] + first * fields[f"{name}_stride"] for name in ("out", "residual") if name in fields}
    if "bit_offsets" in fields:
        now["bit_offsets"] = fields["bit_offsets"][first : first + out.width]
    tables = {"source": place.address, "window": windows, "taps": taps, "cases": cases}
    n_blocks = layout.padded(out.channels) // POOL_CHANNELS
    kernel = Kernel("max", tuple(chain.steps))
    lowering.add_job(lowering.name(number), kernel, n_tiles=out.width, n_blocks=n_blocks, **fields | tables | now)
