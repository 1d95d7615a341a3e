"""Lowering of all operations except convolutions: pools, passes over maps that nothing was fused with, copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.runtime.codegen._kernels import POOL_CHANNELS, Kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile._fusion import FusedOps
from skhash.runtime.network._elementwise import Sign

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from skhash.runtime.compile._buffers import BufferView
    from skhash.runtime.compile._lowering import LoweringContext
    from skhash.runtime.network._elementwise import Concat, SignsToReal
    from skhash.runtime.network._operation import Operation
    from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool

__all__ = [
    "add_row_of_pool",
    "lower_avg_pool",
    "lower_concat",
    "lower_elementwise",
    "lower_global_avg_pool",
    "lower_max_pool",
    "lower_signs_to_real",
]


def lower_max_pool(context: LoweringContext, op: MaxPool, number: int) -> Collection[int]:
    """Add the job of a max pool."""
    ops = context.fuse_from(number + 1)
    return _add_pool(context, number, _max_kind(context, op), op, ops, (op.kernel, op.stride, op.padding))


def lower_avg_pool(context: LoweringContext, op: AvgPool, number: int) -> Collection[int]:
    """Add the job of an average pool."""
    return _add_pool(context, number, "mean", op, context.fuse_from(number + 1), (op.kernel, op.stride, 0))


def lower_global_avg_pool(context: LoweringContext, op: GlobalAvgPool, number: int) -> Collection[int]:
    """Add the job of the mean over the whole map."""
    map_ = context.maps[op.sources[0]]
    window = ((map_.height, map_.width // context.n_rows), 1, 0)
    return _add_pool(context, number, "mean_of_all", op, context.fuse_from(number + 1), window)


def lower_signs_to_real(context: LoweringContext, op: SignsToReal, number: int) -> Collection[int]:
    """Add the job that converts bits to -1 and +1."""
    return _add_pool(context, number, "unpack", op, context.fuse_from(number + 1))


def lower_elementwise(context: LoweringContext, op: Operation, number: int) -> Collection[int]:
    """Add a pass of its own for an operation that was not fused into the kernel of its source."""
    ops = FusedOps(context.maps[number + 1].channels)
    if isinstance(op, Sign):
        ops.append_sign(number, op)
    else:
        ops.append(number, op, op.sources[0])
        context.fuse_from(number + 1, ops)
    return _add_pool(context, number, _max_kind(context, op), op, ops)


def lower_concat(context: LoweringContext, op: Concat, number: int) -> Collection[int]:
    """Add jobs that copy the sources, pixel by pixel."""
    label = context.label(number + 1)
    out = context.views[number + 1] = context.buffers.allocate_real(context.maps[number + 1], label)
    address = out.address
    for value in op.sources:
        map_, view = context.maps[value], context.views[value]
        size = 4 * map_.channels
        context.copy(
            context.name(number),
            *(map_.n_pixels, size, view.pixel_bytes, out.pixel_bytes),
            operations=(number,),
            source=view.address,
            out=address,
        )
        address += size
    return ()


def _max_kind(context: LoweringContext, op: Operation) -> str:
    """Return the kind of the kernel that takes maxima of a value, or just reads it if the window is one pixel."""
    return "max_integers" if context.maps[op.sources[0]].kind == "integer" else "max"


def _add_pool(
    context: LoweringContext,
    number: int,
    kind: str,
    op: Operation,
    ops: FusedOps,
    window: tuple[Sequence[int], int, int] = ((1, 1), 1, 0),
) -> Collection[int]:
    """Add a job that reduces windows and runs an epilogue."""
    map_, out, view = context.maps[op.sources[0]], context.maps[number + 1], context.views[op.sources[0]]
    kernel, stride, padding = window
    context.refuse_windows(op, kernel, stride, padding)
    windows, taps, cases = layout.pool_window(
        *((map_.height, map_.width), (out.height, out.width), tuple(kernel), stride, padding),
        *(view.row_bytes, view.pixel_bytes),
    )
    context.add_job(
        context.name(number),
        Kernel(kind, tuple(ops.steps)),
        dict.fromkeys((number, *sorted(ops.fused))),
        source=view.address,
        window=windows,
        taps=taps,
        cases=cases,
        n_tiles=out.n_pixels,
        n_blocks=layout.padded(out.channels) // POOL_CHANNELS,
        **context.fields(ops),
    )
    return ops.fused


def add_row_of_pool(
    context: LoweringContext,
    number: int,
    ops: FusedOps,
    fields: dict[str, Any],
    row: int,
    view: BufferView,
    windows: NDArray[Any],
    taps: NDArray[Any],
    cases: NDArray[Any],
) -> None:
    """Add a job for one row of a max pool, given the fields of a job for the whole map."""
    out = context.maps[number + 1]
    first = row * out.width
    now = {name: fields[name] + first * fields[f"{name}_stride"] for name in ("out", "residual") if name in fields}
    if "bit_offsets" in fields:
        now["bit_offsets"] = fields["bit_offsets"][first : first + out.width]
    tables = {"source": view.address, "window": windows, "taps": taps, "cases": cases}
    n_blocks = layout.padded(out.channels) // POOL_CHANNELS
    context.add_job(
        context.name(number),
        Kernel("max", tuple(ops.steps)),
        (number, *sorted(ops.fused)),
        n_tiles=out.width,
        n_blocks=n_blocks,
        **fields | tables | now,
    )
