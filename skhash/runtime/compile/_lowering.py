"""Lowering: from operations to jobs, each with its kernel, its buffers and the operations that are fused into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.runtime.codegen._kernels import Kernel, compile_kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile import _lower_convolutions as convolutions
from skhash.runtime.compile import _lower_others as others
from skhash.runtime.compile._buffers import BufferPool, BufferView
from skhash.runtime.compile._fusion import CALLER, FusedOps, fuse
from skhash.runtime.network._convolutions import BinaryConv, Int8Conv, Lookup, RealConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, Concat, RPReLU, Sign, SignsToReal
from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from skhash.runtime.codegen._targets import Target
    from skhash.runtime.compile._packed_weights import PackedWeights
    from skhash.runtime.network._network import Network
    from skhash.runtime.network._operation import Map, Operation

__all__ = ["Job", "LoweringContext"]

# Each rule adds the jobs of an operation and returns the numbers of the operations that were fused into them.
_RULES: dict[type[Operation], Callable[[LoweringContext, Any, int], Collection[int]]] = {
    BinaryConv: convolutions.lower_binary,
    Int8Conv: convolutions.lower_int8,
    Lookup: convolutions.lower_lookup,
    RealConv: convolutions.lower_real,
    MaxPool: others.lower_max_pool,
    AvgPool: others.lower_avg_pool,
    GlobalAvgPool: others.lower_global_avg_pool,
    Concat: others.lower_concat,
    SignsToReal: others.lower_signs_to_real,
    **dict.fromkeys((Affine, RPReLU, Clip, Add, Sign), others.lower_elementwise),
}


@dataclass(frozen=True)
class Job:
    """One call of a kernel.

    Parameters
    ----------
    name : str
        Operation, and the part of it where there are several.
    kernel : Kernel
        The kernel.
    fields : dict of str to int
        Addresses and sizes; see `codegen._jobs`.
    operations : tuple of int
        Numbers of the operations that the job computes.
    multiply_adds : int
        Multiply-adds of a convolution.
    """

    name: str
    kernel: Kernel
    fields: dict[str, int]
    operations: tuple[int, ...] = ()
    multiply_adds: int = 0


class LoweringContext:
    """Lowers a network to jobs: the state that the rules for the kinds of operations share.

    Parameters
    ----------
    network : Network
        The network.
    target : Target
        Target of the kernels.
    n_rows : int
        Number of feature vectors, which lie side by side as the pixels of one map.
    weights : dict of int to PackedWeights
        Packed weights by operation, shared by all plans of a network and target; missing ones are added.

    Attributes
    ----------
    jobs : list of Job
        The jobs in order. The first reads the input, the last writes the code.
    buffers : BufferPool
        Memory of the values.
    tables : list of ndarray
        All other arrays that jobs point to.
    maps, views, consumers : list of Map, dict of int to BufferView, dict of int to list of int
        By value: its shape, its memory, and the operations that read it.
    """

    def __init__(self, network: Network, target: Target, n_rows: int, weights: dict[int, PackedWeights]) -> None:
        self.network, self.target, self.n_rows, self._weights = network, target, n_rows, weights
        self.maps: list[Map] = [replace(map_, width=map_.width * n_rows) for map_ in network.maps()]
        self.buffers = BufferPool()
        self.jobs: list[Job] = []
        self.tables: list[NDArray[Any]] = []
        self.views: dict[int, BufferView] = {}
        self.consumers: dict[int, list[int]] = {value: [] for value in range(len(self.maps))}
        for number, operation in enumerate(network.operations):
            for source in dict.fromkeys(operation.sources):
                self.consumers[source].append(number)
        self.consumers[len(network.operations)].append(CALLER)
        self._pending = {value: set(consumers) for value, consumers in self.consumers.items()}

    def lower(self) -> None:
        """Add all jobs."""
        self._read_input()
        lowered: set[int] = set()
        for number, operation in enumerate(self.network.operations):
            if number not in lowered:
                now = {number} | set(_RULES[type(operation)](self, operation, number))
                lowered |= now
                self._release_consumed(now)
        self._write_output()

    def _release_consumed(self, lowered: set[int]) -> None:
        """Release buffers after their last consumer."""
        for value, pending in self._pending.items():
            if pending and pending <= lowered and value in self.views:
                self.buffers.release(self.views[value])
            pending -= lowered

    def _read_input(self) -> None:
        """Copy the input to a buffer, because kernels read a border and whole vectors beyond its end."""
        map_ = self.maps[0]
        if self.network.takes_images:
            border = self.consumer_padding(0)
            view = self.buffers.allocate_bordered(map_, map_.channels, border, 128, self.label(0))
            self.copy("input", map_.height, map_.width * map_.channels, out=view.address, out_stride=view.row_bytes)
        else:
            view = self.buffers.allocate_real(map_, self.label(0))
            size = 4 * map_.channels
            self.copy("input", map_.n_pixels, size, out=view.address, out_stride=view.pixel_bytes)
        self.views[0] = view

    def _write_output(self) -> None:
        map_, view = self.maps[-1], self.views[len(self.network.operations)]
        if map_.kind == "real":
            size = row = 4 * map_.channels
        else:
            size, row = -(-map_.channels // 8), 8 * -(-map_.channels // 64)  # the other bytes of the words stay 0
        self.copy("output", map_.n_pixels, size, view.pixel_bytes, row, source=view.address)

    def copy(
        self,
        name: str,
        n_rows: int,
        size: int,
        source_stride: int | None = None,
        out_stride: int | None = None,
        operations: Iterable[int] = (),
        **fields: int,
    ) -> None:
        """Add a job that copies rows of bytes."""
        strides = {"source_stride": source_stride or size, "out_stride": out_stride or size}
        self.add_job(name, Kernel("copy"), operations, n_tiles=n_rows, n_taps=size, **strides, **fields)

    def add_job(
        self,
        name: str,
        kernel: Kernel,
        operations: Iterable[int] = (),
        multiply_adds: int = 0,
        **fields: int | NDArray[Any],
    ) -> None:
        """Add a job. Arrays among the fields are kept alive, and the job gets their addresses."""
        job = {"kernel": compile_kernel(self.target, kernel)}
        for field, value in fields.items():
            if isinstance(value, np.ndarray):
                self.tables.append(value)
                value = value.ctypes.data
            job[field] = value
        self.jobs.append(Job(name, kernel, job, tuple(operations), multiply_adds))

    def name(self, number: int) -> str:
        """Return the name of the jobs of an operation."""
        return f"{number} {type(self.network.operations[number]).__name__}"

    def label(self, value: int) -> str:
        """Return the label of a value in the buffer pool."""
        return f"{value}: {self.maps[value]}"

    def refuse_windows(self, operation: Operation, kernel: Sequence[int], stride: int, padding: int) -> None:
        """Refuse windows on feature vectors: several vectors lie side by side and must not mix."""
        if not self.network.takes_images and (tuple(kernel), stride, padding) != ((1, 1), 1, 0):
            raise ValueError(
                f"{type(operation).__name__}: feature vectors have no windows; expected kernel (1, 1), stride 1 and "
                f"padding 0, got {tuple(kernel)}, {stride} and {padding}."
            )

    def consumer_padding(self, value: int) -> int:
        """Return the width of the border that the consumers of a value read."""
        readers = [self.network.operations[number] for number in self.consumers[value] if number != CALLER]
        return max((getattr(reader, "padding", 0) for reader in readers), default=0)

    def packed_weights(self, number: int, pack: Callable[[], PackedWeights]) -> PackedWeights:
        """Return the packed weights of an operation, which are packed only once for all plans."""
        if number not in self._weights:
            self._weights[number] = pack()
        return self._weights[number]

    def fuse_from(self, value: int, ops: FusedOps | None = None) -> FusedOps:
        """Return the operations that one kernel can compute from a value on; see `fuse`."""
        ops = ops or FusedOps(self.maps[value].channels)
        available = {v for v in self.views if self.maps[v].kind == "real"}
        fuse(ops, value, self.network, self.consumers, available)
        return ops

    def streaming_pool(self, ops: FusedOps, out: Map) -> int | None:
        """Return the number of the max pool that is the only consumer of the stored value, if streaming saves memory.

        The pool then runs row by row beside the kernel, and the whole map is never stored.
        """
        if ops.stored is None or ops.signed is not None or ops.residual is not None:
            return None
        consumers = self.consumers[ops.stored]
        if len(consumers) != 1 or consumers[0] == CALLER or self.maps[ops.stored].kind != "real":
            return None
        pool = self.network.operations[consumers[0]]
        return consumers[0] if isinstance(pool, MaxPool) and pool.kernel[0] < out.height else None

    def fields(self, ops: FusedOps) -> dict[str, Any]:
        """Return the fields of a job for its epilogue; allocates buffers for the values that it writes."""
        fields: dict[str, Any] = {}
        if ops.rows:
            parameters = layout.aligned_copy(ops.parameters(), np.float32)
            fields |= {"parameters": parameters, "parameter_stride": parameters.strides[0]}
        if ops.residual is not None:
            view = self.views[ops.residual]
            fields |= {"residual": view.address, "residual_stride": view.pixel_bytes}
        if ops.stored is not None:
            view = self.views[ops.stored] = self._allocate_result(ops, ops.stored)
            fields |= {"out": view.address, "out_stride": view.pixel_bytes}
        if ops.signed is not None:
            fields |= self.sign_fields(ops.signed)
        return fields

    def sign_fields(self, value: int) -> dict[str, Any]:
        """Return the fields of a job that writes signs; allocates a buffer with the border that consumers read."""
        map_, border = self.maps[value], self.consumer_padding(value)
        view = self.views[value] = self.buffers.allocate_signs(map_, border, self.label(value))
        offsets = layout.bit_offsets(map_.height, map_.width, map_.channels, border)
        return {"bits": view.buffer.ctypes.data, "bit_offsets": offsets}

    def _allocate_result(self, ops: FusedOps, value: int) -> BufferView:
        """Return the residual's own view if nothing else reads it: each number is read before it is overwritten."""
        if ops.residual is not None and self._pending[ops.residual] <= ops.fused:
            view = self.views[ops.residual]
            if view.key[0] == "real":
                self._pending[ops.residual] = set()  # only the new value releases the buffer
                return self.buffers.relabel(view, self.label(value))
        return self.buffers.allocate_real(self.maps[value], self.label(value))
