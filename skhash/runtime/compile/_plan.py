"""The plan: a network compiled for one thread, with its jobs, buffers and tables."""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.runtime.codegen._jobs import JOB
from skhash.runtime.codegen._kernels import CONVOLUTIONS, compile_runner, compile_single_runner
from skhash.runtime.compile._explanation import CompiledBuffer, CompiledJob, CompiledPlan
from skhash.runtime.compile._lowering import LoweringContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skhash.runtime.codegen._targets import Target
    from skhash.runtime.compile._lowering import Job
    from skhash.runtime.compile._packed_weights import PackedWeights
    from skhash.runtime.network._network import Network

__all__ = ["Plan"]


class Plan:
    """A network compiled for one thread: buffers, tables, and a list of jobs.

    Parameters
    ----------
    network : Network
        The network.
    target : Target
        Target of the kernels.
    n_rows : int, default=1
        Number of feature vectors that are computed together; images are computed one by one.
    weights : dict of int to PackedWeights, default=None
        Packed weights, shared by the plans of one network and target; missing ones are added.

    Raises
    ------
    ValueError
        If the network cannot be run; the message names the operation.

    Attributes
    ----------
    n_rows : int
        Number of samples that are computed together.
    names : list of str
        Names of the jobs.
    """

    def __init__(
        self, network: Network, target: Target, n_rows: int = 1, weights: dict[int, PackedWeights] | None = None
    ) -> None:
        self.n_rows = 1 if network.takes_images else n_rows
        self._target, self._weights = target, {} if weights is None else weights
        context = LoweringContext(network, target, self.n_rows, self._weights)
        context.lower()
        rows = [tuple(job.fields.get(name, 0) for name in JOB.names or ()) for job in context.jobs]
        self._table = np.array(rows, JOB)
        self._buffers, self._tables = context.buffers, context.tables  # the jobs point to them
        self._jobs = context.jobs
        self._run_many = compile_runner(target)
        self._run_once = compile_single_runner(target)
        self.names = [job.name for job in context.jobs]
        first = self._table.ctypes.data
        last = first + (len(self._table) - 1) * JOB.itemsize
        self._job_range = first, len(self._table)
        assert JOB.fields is not None
        # The cells of the table that hold the addresses of input and output; runners overwrite them for each sample.
        self._cells = first + JOB.fields["source"][1], last + JOB.fields["out"][1]

    def run(self, X: NDArray[Any], out: NDArray[Any]) -> None:
        """Compute the codes of some inputs.

        Parameters
        ----------
        X : ndarray
            C-contiguous uint8 images or float32 vectors; the number of vectors is a multiple of `n_rows`.
        out : ndarray
            Receives the codes, C-contiguous: float32 `(n, bits)` if the network's last value is real, else zeros of
            uint64 `(n, ceil(bits / 64))`.
        """
        source, code = _address(X), _address(out)
        source_stride, out_stride = self.n_rows * X.strides[0], self.n_rows * out.strides[0]
        source_cell, out_cell = self._cells
        n = len(X) // self.n_rows
        self._run_many(*self._job_range, source, source_stride, source_cell, code, out_stride, out_cell, n)

    def bind(self, X: NDArray[Any], out: NDArray[Any]) -> None:
        """Bind this plan to two arrays permanently; `run_bound` then reads the first and writes the second.

        Parameters
        ----------
        X, out : ndarray
            As for `run`, of `n_rows` samples.
        """
        self._table[0]["source"], self._table[-1]["out"] = _address(X), _address(out)
        self._bound = X, out

    def run_bound(self) -> None:
        """Compute the codes of the bound input into the bound output."""
        self._run_once(*self._job_range)

    def profile(self, X: NDArray[Any], out: NDArray[Any], n_rounds: int, seconds: float = 0.002) -> dict[str, float]:
        """Time each job in isolation.

        Parameters
        ----------
        X, out : ndarray
            As for `run`, of `n_rows` samples.
        n_rounds : int
            Number of rounds, of which the best counts.
        seconds : float, default=0.002
            Approximate duration of a round, in which a job is repeated.

        Returns
        -------
        times : dict of str to float
            Microseconds by name.
        """
        self.run(X, out)
        cells = np.zeros(2, np.int64)
        times = dict.fromkeys(self.names, 0.0)
        for number, name in enumerate(self.names):
            job = self._table[number : number + 1].copy()
            job["source"] = job["source"] or _address(X)
            job["out"] = job["out"] or _address(out)
            n, best = 1, np.inf
            for _ in range(n_rounds):
                start = time.thread_time()
                self._run_many(_address(job), 1, 0, 0, _address(cells), 0, 0, _address(cells) + 8, n)
                best = min(best, (time.thread_time() - start) / n)
                n = max(1, min(int(seconds / max(best, 1e-8)), 10**5))
            times[name] += 1e6 * best
        return times

    @property
    def buffer_bytes(self) -> int:
        """Size of the buffers of all values."""
        return self._buffers.nbytes

    def explain(self) -> CompiledPlan:
        """Return the jobs and buffers in readable form, as read from the table that runs."""
        buffers = self._buffers.buffers
        by_address = sorted(range(len(buffers)), key=lambda number: _address(buffers[number]))
        starts = [_address(buffers[number]) for number in by_address]

        def find(addresses: Sequence[int]) -> tuple[int, ...]:
            return tuple(dict.fromkeys(by_address[bisect_right(starts, address) - 1] for address in addresses))

        jobs = []
        for number, job in enumerate(self._jobs):
            row = self._table[number]
            reads = [] if number == 0 else [row["source"]]
            writes = [] if number == len(self._jobs) - 1 else [row["out"]]
            reads, writes = reads + [row["residual"]], writes + [row["bits"]]
            jobs.append(_describe(job, find([a for a in reads if a]), find([a for a in writes if a])))
        shared = zip(buffers, self._buffers.labels, strict=True)
        return CompiledPlan(
            self._target.name,
            self.n_rows,
            tuple(jobs),
            tuple(CompiledBuffer(buffer.nbytes, tuple(labels)) for buffer, labels in shared),
            sum(weights.tiles.nbytes for weights in self._weights.values()),
        )


def _describe(job: Job, reads: tuple[int, ...], writes: tuple[int, ...]) -> CompiledJob:
    kernel = job.kernel
    tile = f"{kernel.pixels} x {kernel.vectors}" if kernel.kind in CONVOLUTIONS else ""
    return CompiledJob(job.name, job.operations, kernel.kind, tile, kernel.steps, reads, writes, job.multiply_adds)


def _address(array: NDArray[Any]) -> int:
    """Return where an array begins; faster than `array.ctypes.data`, which matters for a single sample."""
    return array.__array_interface__["data"][0]
