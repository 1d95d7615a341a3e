"""A network made ready to run: jobs, buffers and tables for one thread."""

import numpy as np

from skhash.runtime._jobs import JOB
from skhash.runtime._kernels import compile_runner
from skhash.runtime._lowering import Lowering

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
        self._run = compile_runner(target)
        self.names = lowering.names

    def run(self, X, out):
        """Compute codes of some inputs.

        Parameters
        ----------
        X : ndarray
            C-contiguous uint8 images or float32 vectors; of vectors a multiple of `n_rows`.
        out : ndarray
            For the codes: C-contiguous; float32 `(n, bits)` if the network's last value is real, else uint8
            `(n, ceil(bits / 8))`.
        """
        jobs = self._table.ctypes.data
        source_cell = jobs + JOB.fields["source"][1]
        out_cell = jobs + (len(self._table) - 1) * JOB.itemsize + JOB.fields["out"][1]
        source_stride, out_stride = (self.n_rows * array.strides[0] for array in (X, out))
        self._run(
            *(jobs, len(self._table), X.ctypes.data, source_stride, source_cell),
            *(out.ctypes.data, out_stride, out_cell, len(X) // self.n_rows),
        )

    @property
    def buffer_bytes(self):
        """Bytes of the buffers that values lie in."""
        return self._kept[0].nbytes
