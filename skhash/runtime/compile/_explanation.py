"""A compiled plan in readable form: jobs, kernels, fused operations, buffers and work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CompiledBuffer", "CompiledJob", "CompiledPlan"]


@dataclass(frozen=True)
class CompiledJob:
    """One call of a kernel.

    Parameters
    ----------
    name : str
        Number and kind of the operation, and the part of it where there are several; "input" and "output" copy.
    operations : tuple of int
        Numbers of the operations of the network that the job computes: its own first, then those fused into it. Empty
        for copies.
    kernel : str
        Kind of the kernel: "binary", "int8", "real" (convolutions), "max", "max_integers", "mean", "mean_of_all",
        "unpack", "bit_or", "copy" or "lookup".
    tile : str
        Pixels x vectors of output channels that the kernel keeps in registers; "" for kernels without tiles.
    steps : tuple of str
        The epilogue: what happens to each sum before it is stored.
    reads, writes : tuple of int
        Positions in ``CompiledPlan.buffers``. The first job reads and the last writes an array of the caller instead.
    multiply_adds : int
        Multiply-adds of the convolution, the border included; 0 for other kernels.
    """

    name: str
    operations: tuple[int, ...]
    kernel: str
    tile: str
    steps: tuple[str, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    multiply_adds: int


@dataclass(frozen=True)
class CompiledBuffer:
    """Memory that one or several values use, one after the other.

    Parameters
    ----------
    nbytes : int
        Size.
    values : tuple of str
        The values in order: number, kind and shape, or the name of an intermediate result. A value that is computed in
        place of another follows it.
    """

    nbytes: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class CompiledPlan:
    """How a `PackedHasher` computes codes; printing it shows a table.

    Parameters
    ----------
    target : str
        What the kernels were generated for.
    n_rows : int
        Feature vectors that are computed together; 1 for images.
    jobs : tuple of CompiledJob
        Calls of kernels, in order.
    buffers : tuple of CompiledBuffer
        Memory for values, allocated once per thread.
    weight_bytes : int
        Size of the packed weights of all convolutions, which threads share.

    See Also
    --------
    PackedHasher.explain : Returns it.
    PackedHasher.profile : Times the jobs.
    """

    target: str
    n_rows: int
    jobs: tuple[CompiledJob, ...]
    buffers: tuple[CompiledBuffer, ...]
    weight_bytes: int

    @property
    def buffer_bytes(self) -> int:
        """Size of all buffers."""
        return sum(buffer.nbytes for buffer in self.buffers)

    @property
    def multiply_adds(self) -> dict[str, int]:
        """Multiply-adds by kind of kernel: "binary", "int8" and "real", those that occur."""
        totals: dict[str, int] = {}
        for job in self.jobs:
            if job.multiply_adds:
                totals[job.kernel] = totals.get(job.kernel, 0) + job.multiply_adds
        return totals

    def __str__(self) -> str:
        jobs = [("job", "operations", "kernel", "tile", "steps", "reads", "writes", "multiply-adds")]
        for job in self.jobs:
            numbers = (_join(job.operations), _join(job.reads), _join(job.writes))
            work = f"{job.multiply_adds:,}" if job.multiply_adds else ""
            jobs.append((job.name, numbers[0], job.kernel, job.tile, _join(job.steps), *numbers[1:], work))
        buffers = [("buffer", "bytes", "values, in turn")]
        for number, buffer in enumerate(self.buffers):
            buffers.append((str(number), f"{buffer.nbytes:,}", "; ".join(buffer.values)))
        work = ", ".join(f"{count:,} {kind}" for kind, count in self.multiply_adds.items()) or "none"
        return "\n".join(
            [
                f"Compiled for {self.target}, {self.n_rows} {'sample' if self.n_rows == 1 else 'samples'} at a time",
                *_table(jobs),
                "",
                *_table(buffers),
                "",
                f"Buffers {self.buffer_bytes:,} bytes per thread; packed weights {self.weight_bytes:,} bytes",
                f"Multiply-adds: {work}",
            ]
        )


def _join(items: Iterable[object]) -> str:
    return " ".join(map(str, items))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
