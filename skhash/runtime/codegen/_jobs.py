"""A job: one call of a kernel, as a row of addresses and sizes that generated code reads."""

import numpy as np

from skhash.runtime.codegen._emitter import I64

__all__ = ["FIELDS", "JOB", "JobReader"]

FIELDS = {
    "kernel": "address of the code",
    "source": "address of what is read",
    "out": "address of the integers or floats that are written",
    "bits": "address of the packed signs that are written",
    "residual": "address of the floats that step `add` adds",
    "weights": "address of the weights, laid out for the tile",
    "parameters": "address of the rows of numbers that the steps take",
    "base": "address of the rows of integers that sums start from",
    "window": "address of int32: by pixel, offset of its window in the source",
    "taps": "address of int32: offsets within a window; for pools by rows, each after their number",
    "cases": "address of int32: by pixel, offset of its row of `base`, or of `taps` for pools",
    "bit_offsets": "address of int32: by pixel, offset in `bits`",
    "n_tiles": "number of whole tiles (pixels, for kernels without tiles)",
    "n_blocks": "number of blocks of channels",
    "n_taps": "number of taps of a convolution; bytes or pixels of a row, for copies",
    "out_stride": "bytes from pixel to pixel (or row to row) in `out`",
    "residual_stride": "the same in `residual`",
    "parameter_stride": "bytes from row to row of the parameters",
    "source_stride": "bytes from row to row of the source, for copies",
}
JOB = np.dtype([(name, np.int64) for name in FIELDS])


class JobReader:
    """Loads the fields of a job inside generated code, each where it is first asked for: the kernel's beginning.

    Parameters
    ----------
    emitter : Emitter
        At the beginning of the kernel.
    address : value
        The job.
    """

    def __init__(self, emitter, address):
        for number, name in enumerate(FIELDS):
            setattr(self, name, emitter.load(emitter.at(address, number, 8), I64, 8))
