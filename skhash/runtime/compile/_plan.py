"""A network made ready to run: jobs, buffers and tables for one thread."""

import time

import numpy as np

from skhash.runtime.codegen._jobs import JOB
from skhash.runtime.codegen._kernels import compile_runner, compile_single_runner
from skhash.runtime.compile._lowering import Lowering

__all__ = ["Plan"]


class Plan:
    """A network laid out for one thread: buffers, tables, and a list of jobs.

    Parameters
    ----------
    network : Network
        What to compute.
    target : Target
        For which kernels.
    n_rows : int, default=1
        Feature vectors that are computed together; images are computed one by one.
    weights : dict, default=None
        Laid-out weights, shared by the plans of one network and target; filled as needed.

    Raises
    ------
    ValueError
        If the network cannot be run; the message names the operation.
    """

    def __init__(self, network, target, n_rows=1, weights=None):
        self.n_rows = 1 if network.takes_images else n_rows
        lowering = Lowering(network, target, self.n_rows, {} if weights is None else weights)
        lowering.lower()
        self._table = np.array([tuple(job.get(name, 0) for name in JOB.names) for job in lowering.jobs], JOB)
        self._kept = lowering.memory, lowering.kept  # what the jobs point to
        self._call = compile_runner(target)
        self._call_once = compile_single_runner(target)
        self.names = lowering.names
        first = self._table.ctypes.data
        last = first + (len(self._table) - 1) * JOB.itemsize
        self._jobs = first, len(self._table)
        self._cells = first + JOB.fields["source"][1], last + JOB.fields["out"][1]

    def run(self, X, out):
        """Compute codes of some inputs.

        Parameters
        ----------
        X : ndarray
            C-contiguous uint8 images or float32 vectors; of vectors a multiple of `n_rows`.
        out : ndarray
            For the codes, C-contiguous: float32 `(n, bits)` if the network's last value is real, else zeros of uint64
            `(n, ceil(bits / 64))`.
        """
        source, code = _address(X), _address(out)
        source_stride, out_stride = self.n_rows * X.strides[0], self.n_rows * out.strides[0]
        source_cell, out_cell = self._cells
        n = len(X) // self.n_rows
        self._call(*self._jobs, source, source_stride, source_cell, code, out_stride, out_cell, n)

    def bind(self, X, out):
        """Tie this plan to two arrays for good; then `run_bound` reads the one and writes the other.

        Parameters
        ----------
        X, out : ndarray
            As for `run`, of `n_rows` samples.
        """
        self._table[0]["source"], self._table[-1]["out"] = _address(X), _address(out)
        self._bound = X, out

    def run_bound(self):
        """Compute codes of what is in the one bound array into the other."""
        self._call_once(*self._jobs)

    def profile(self, X, out, n_rounds, seconds=0.002):
        """Time each job alone, for `seconds` a round.

        Parameters
        ----------
        X, out : ndarray
            As for `run`, of `n_rows` samples.
        n_rounds : int
            The best of so many counts.
        seconds : float, default=0.002
            About how long a job is repeated in a round.

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
                self._call(_address(job), 1, 0, 0, _address(cells), 0, 0, _address(cells) + 8, n)
                best = min(best, (time.thread_time() - start) / n)
                n = max(1, min(int(seconds / max(best, 1e-8)), 10**5))
            times[name] += 1e6 * best
        return times

    @property
    def buffer_bytes(self):
        """Bytes of the buffers that values lie in."""
        return self._kept[0].nbytes


def _address(array):
    """Where an array begins; quicker than `array.ctypes.data`, which is felt at a single sample."""
    return array.__array_interface__["data"][0]
