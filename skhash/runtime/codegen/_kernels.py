"""Kernels: loops around tiles, pools and copies, generated for a target when a plan first needs them.

A kernel is a function of one job. Nothing is cached on disk: all kernels of a network compile in half a second, and
without a cache nothing can be stale.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir

from skhash.runtime.codegen._emitter import F32, I8, I32, I64, Emitter
from skhash.runtime.codegen._epilogue import Epilogue
from skhash.runtime.codegen._jobs import FIELDS, JOB, JobReader
from skhash.runtime.codegen._tiles import sum_tile

if TYPE_CHECKING:
    from collections.abc import Hashable

    from skhash.runtime.codegen._emitter import Value
    from skhash.runtime.codegen._targets import Target


__all__ = [
    "CONVOLUTIONS",
    "POOL_CHANNELS",
    "Kernel",
    "assembly",
    "compile_function",
    "compile_kernel",
    "compile_runner",
    "compile_single_runner",
]

CONVOLUTIONS = ("binary", "int8", "real")
POOL_CHANNELS = 32  # channels of a block of a pool or pass; every real map is padded to a multiple of it


@dataclass(frozen=True)
class Kernel:
    """The kind of a kernel, its epilogue and the shape of its tiles.

    Parameters
    ----------
    kind : str
        "binary", "int8", "real" (convolutions), "max", "max_integers", "mean" (pools; "max" of one tap just reads),
        "mean_of_all" (the same, summed in groups of 16), "unpack" (signs to floats), "bit_or" (max pool of signs),
        "copy" (rows of bytes) or "lookup" (rows of pixels through a table).
    steps : tuple of str
        Steps of the epilogue; see `_epilogue`.
    pixels, tail : int
        Pixels of a tile, and of the last, smaller tile (0: none).
    vectors : int
        Vectors of channels of a tile.
    """

    kind: str
    steps: tuple[str, ...] = ()
    pixels: int = 1
    tail: int = 0
    vectors: int = 1


class _Compiler:
    """Compiles for one target; compiled functions live as long as the process."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lock = Lock()
        self._addresses: dict[Hashable, int] = {}
        self._machine = target.machine()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target.machine())

    def address(self, key: Hashable, write: Callable[..., None]) -> int:
        """Return the address of the function that `write(emitter, *arguments)` writes, compiled once for each key."""
        with self._lock:
            if key not in self._addresses:
                self._addresses[key] = self._compile(f"kernel{len(self._addresses)}", write)
            return self._addresses[key]

    def _compile(self, name: str, write: Callable[..., None]) -> int:
        self._engine.add_module(_optimized(name, write, self.target.lanes, self._machine))
        self._engine.finalize_object()
        return self._engine.get_function_address(name)


def _optimized(name: str, write: Callable[..., None], lanes: int, machine: binding.TargetMachine) -> binding.ModuleRef:
    """Build LLVM's module of one function, whose arguments are 64-bit integers."""
    module = ir.Module(name)
    n_arguments = write.__code__.co_argcount - 1  # the first is the emitter
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * n_arguments), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    write(Emitter(builder, lanes), *function.args)
    builder.ret_void()
    compiled = binding.parse_assembly(str(module))
    compiled.verify()
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(2))
    passes.getModulePassManager().run(compiled, passes)
    return compiled


_make_compiler = cache(_Compiler)
_makers = Lock()


def _compiler(target: Target) -> _Compiler:
    """Return the only compiler for a target: the code of another one would be freed while its addresses are used."""
    with _makers:  # `cache` calls the function again for threads that come before the first call ends
        return _make_compiler(target)


def compile_kernel(target: Target, kernel: Kernel) -> int:
    """Return the address of a kernel's code."""
    return _compiler(target).address(kernel, _writer(target, kernel))


def compile_function(target: Target, key: Hashable, write: Callable[..., None]) -> int:
    """Return the address of the function that `write(emitter, *arguments)` writes; `key` identifies it."""
    return _compiler(target).address(key, write)


def assembly(target: Target, kernel: Kernel) -> str:
    """Return a kernel's code as assembly text."""
    machine = target.machine()
    return machine.emit_assembly(_optimized("kernel", _writer(target, kernel), target.lanes, machine))


def _writer(target: Target, kernel: Kernel) -> Callable[[Emitter, Value], None]:
    def write(e: Emitter, job: Value) -> None:
        _WRITERS[kernel.kind](e, JobReader(e, job), target, kernel)

    return write


@cache
def compile_runner(target: Target) -> Callable[..., None]:
    """Build a Python function that runs all jobs of a plan for each of several inputs; it releases the GIL.

    Returns
    -------
    run : callable
        `run(jobs, n_jobs, source, source_stride, source_cell, out, out_stride, out_cell, n)`: addresses as integers;
        the addresses of input and output `i` are written to the cells before the jobs run.
    """

    def write(
        e: Emitter,
        jobs: Value,
        n_jobs: Value,
        source: Value,
        source_stride: Value,
        source_cell: Value,
        out: Value,
        out_stride: Value,
        out_cell: Value,
        n: Value,
    ) -> None:
        def run_one(index: Value) -> None:
            e.store(e.at(source, index, source_stride), source_cell, 8)
            e.store(e.at(out, index, out_stride), out_cell, 8)
            _write_jobs(e, jobs, n_jobs)

        e.loop_if_any(n, run_one)

    address = _compiler(target).address("runner", write)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 9)(address)


def compile_single_runner(target: Target) -> Callable[[int, int], None]:
    """Build a Python function that runs all jobs of a plan once, on the addresses in them; it releases the GIL.

    Returns
    -------
    run : callable
        `run(jobs, n_jobs)`. It has fewer arguments than the other runner, whose conversion matters for one sample.
    """
    address = _compiler(target).address("single runner", _write_jobs)
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address)


def _write_jobs(e: Emitter, jobs: Value, n_jobs: Value) -> None:
    kernel_type = ir.FunctionType(ir.VoidType(), [I64]).as_pointer()

    def run_job(number: Value) -> None:
        job = e.at(jobs, number, JOB.itemsize)
        e.b.call(e.b.inttoptr(e.load(job, I64, 8), kernel_type), [job])

    e.loop_if_any(n_jobs, run_job)


def _write_convolution(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    # Blocks of channels outside, tiles of pixels inside: a block's weights stay in the cache for the whole map.
    epilogue = Epilogue(e, job, kernel.steps)
    width = e.lanes * kernel.vectors

    def write_block(block: Value) -> None:
        weights = e.at(job.weights, block, e.b.mul(job.n_taps, I64(4 * width)))
        channel = e.b.mul(block, I64(width))

        def write_tile(pixel: Value, n_pixels: int) -> None:
            windows = [e.b.add(job.source, e.offset(job.window, e.at(pixel, p, 1))) for p in range(n_pixels)]
            sums = sum_tile(e, job, kernel.kind, target.counts_in_lanes, kernel.vectors, weights, windows)
            for q in range(kernel.vectors):
                first = e.at(channel, q * e.lanes, 1)
                column = [_finish(e, job, kernel.kind, row[q], e.at(pixel, p, 1), first) for p, row in enumerate(sums)]
                epilogue.apply(column, pixel, first)

        # `n_pixels` is a constant of the code, so the last, smaller tile needs code of its own.
        e.loop_if_any(job.n_tiles, lambda tile: write_tile(e.b.mul(tile, I64(kernel.pixels)), kernel.pixels))
        if kernel.tail:
            write_tile(e.b.mul(job.n_tiles, I64(kernel.pixels)), kernel.tail)

    e.loop_if_any(job.n_blocks, write_block)


def _finish(e: Emitter, job: JobReader, kind: str, total: Value, pixel: Value, channel: Value) -> Value:
    """Convert counts to sums of products: `base - 2 * differing bits` for signs, `base + total` for bytes."""
    if kind == "real":
        return total
    base = e.load(e.at(e.b.add(job.base, e.offset(job.cases, pixel)), channel, 4), e.ints)
    return e.b.sub(base, e.b.add(total, total)) if kind == "binary" else e.b.add(base, total)


def _write_pool(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    """Reduce windows; rows of `taps` start with the number of taps, which differs at borders."""
    epilogue = Epilogue(e, job, kernel.steps)
    type_ = e.ints if kernel.kind == "max_integers" else e.floats
    combine = e.larger if kernel.kind.startswith("max") else e.b.fadd

    def write_pixel(pixel: Value) -> None:
        window, row = e.b.add(job.source, e.offset(job.window, pixel)), e.b.add(job.taps, e.offset(job.cases, pixel))
        n_taps, taps = e.offset(row, 0), e.at(row, 1, 4)
        divisor = e.splat(e.b.sitofp(n_taps, F32))

        def write_block(block: Value) -> None:
            channels = [e.b.add(e.b.mul(block, I64(POOL_CHANNELS)), I64(c)) for c in range(0, POOL_CHANNELS, e.lanes)]

            def read(tap: Value | int) -> list[Value]:
                start = e.b.add(window, e.offset(taps, tap))
                return [e.load(e.at(start, channel, 4), type_) for channel in channels]

            def add_tap(tap: Value, totals: list[Value]) -> list[Value]:
                return [combine(total, x) for total, x in zip(totals, read(tap), strict=True)]

            if kernel.kind == "mean_of_all":
                totals = _sum_by_sixteens(e, n_taps, [e.constant(e.floats, 0.0)] * len(channels), add_tap)
            else:  # starts from the first tap, because no constant is neutral for all of maxima, minima and -0
                others = e.b.sub(n_taps, I64(1))
                totals = e.fold_if_any(others, read(0), lambda i, totals: add_tap(e.at(i, 1, 1), totals))
            for x, channel in zip(totals, channels, strict=True):
                epilogue.apply([e.b.fdiv(x, divisor) if kernel.kind.startswith("mean") else x], pixel, channel)

        e.loop_if_any(job.n_blocks, write_block)

    e.loop_if_any(job.n_tiles, write_pixel)


def _sum_by_sixteens(
    e: Emitter, count: Value, zeros: list[Value], add_tap: Callable[[Value, list[Value]], list[Value]]
) -> list[Value]:
    """Sum over the pixels of a map in torch's order: groups of 16, groups of 16 of these, and the rest of each."""

    def add(totals: list[Value], others: list[Value]) -> list[Value]:
        return [e.b.fadd(x, y) for x, y in zip(totals, others, strict=True)]

    def sum_from(first: Value, n: Value) -> list[Value]:
        return e.fold_if_any(n, zeros, lambda i, totals: add_tap(e.b.add(first, i), totals))

    def sum_groups_from(first: Value, n: Value) -> list[Value]:
        return e.fold_if_any(
            n, zeros, lambda i, totals: add(totals, sum_from(e.b.add(first, e.at(I64(0), i, 16)), I64(16)))
        )

    n_large = e.b.sdiv(count, I64(256))
    done = e.b.mul(n_large, I64(256))
    n_groups = e.b.sdiv(e.b.sub(count, done), I64(16))
    large = e.fold_if_any(n_large, zeros, lambda i, totals: add(totals, sum_groups_from(e.b.mul(i, I64(256)), I64(16))))
    groups = sum_groups_from(done, n_groups)
    done = e.b.add(done, e.b.mul(n_groups, I64(16)))
    return add(add(sum_from(done, e.b.sub(count, done)), groups), large)


def _write_unpack(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    """Convert bits to -1 and +1."""
    epilogue = Epilogue(e, job, kernel.steps)
    one, minus_one = (e.constant(e.floats, value) for value in (1.0, -1.0))

    def write_pixel(pixel: Value) -> None:
        window = e.b.add(job.source, e.offset(job.window, pixel))

        def write_block(block: Value) -> None:
            for first in range(0, POOL_CHANNELS, e.lanes):
                channel = e.b.add(e.b.mul(block, I64(POOL_CHANNELS)), I64(first))
                mask = e.load_mask(e.b.add(window, e.b.lshr(channel, I64(3))))
                epilogue.apply([e.b.select(mask, one, minus_one)], pixel, channel)

        e.loop_if_any(job.n_blocks, write_block)

    e.loop_if_any(job.n_tiles, write_pixel)


def _write_bit_or(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    """Pool signs, a word of 32 channels at a time: any of the bits; the parameters are the bits to flip."""

    def write_pixel(pixel: Value) -> None:
        window = e.b.add(job.source, e.offset(job.window, pixel))
        row = e.b.add(job.taps, e.offset(job.cases, pixel))
        n_taps, taps = e.offset(row, 0), e.at(row, 1, 4)
        out = e.b.add(job.bits, e.offset(job.bit_offsets, pixel))

        def write_word(word: Value) -> None:
            start = e.at(window, word, 4)

            def body(tap: Value, carried: list[Value]) -> list[Value]:
                return [e.b.or_(carried[0], e.load(e.b.add(start, e.offset(taps, tap)), I32))]

            [bits] = e.fold(n_taps, [I32(0)], body)
            flips = e.load(e.at(job.parameters, word, 4), I32)
            e.store(e.b.xor(bits, flips), e.at(out, word, 4))

        e.loop_if_any(job.n_blocks, write_word)

    e.loop_if_any(job.n_tiles, write_pixel)


def _write_copy(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    """Copy `n_tiles` rows of `n_taps` bytes."""
    pointer = I8.as_pointer()
    name = "llvm.memcpy.p0.p0.i64"
    signature = ir.FunctionType(ir.VoidType(), [pointer, pointer, I64, ir.IntType(1)])
    memcpy = ir.Function(e.b.module, signature, name)

    def write_row(row: Value) -> None:
        out, source = e.at(job.out, row, job.out_stride), e.at(job.source, row, job.source_stride)
        e.b.call(memcpy, [e.b.inttoptr(out, pointer), e.b.inttoptr(source, pointer), job.n_taps, ir.IntType(1)(0)])

    e.loop_if_any(job.n_tiles, write_row)


def _write_lookup(e: Emitter, job: JobReader, target: Target, kernel: Kernel) -> None:
    """Write `n_tiles` rows of `n_taps` pixels of `n_blocks` channels; the parameters are a table (256, channels)."""

    def write_row(row: Value) -> None:
        source, out = e.at(job.source, row, job.source_stride), e.at(job.out, row, job.out_stride)

        def write_pixel(pixel: Value) -> None:
            first = e.b.mul(pixel, job.n_blocks)

            def write_channel(channel: Value) -> None:
                i = e.b.add(first, channel)
                value = e.b.zext(e.load(e.b.add(source, i), I8, 1), I64)
                entry = e.at(e.at(job.parameters, value, job.parameter_stride), channel, 4)
                e.store(e.load(entry, F32), e.at(out, i, 4))

            e.loop_if_any(job.n_blocks, write_channel)

        e.loop_if_any(job.n_taps, write_pixel)

    e.loop_if_any(job.n_tiles, write_row)


_WRITERS: dict[str, Callable[[Emitter, JobReader, Any, Kernel], None]] = {
    **dict.fromkeys(CONVOLUTIONS, _write_convolution),
    **dict.fromkeys(("max", "max_integers", "mean", "mean_of_all"), _write_pool),
    "unpack": _write_unpack,
    "bit_or": _write_bit_or,
    "copy": _write_copy,
    "lookup": _write_lookup,
}
assert next(iter(FIELDS)) == "kernel"  # where `_write_jobs` reads it
