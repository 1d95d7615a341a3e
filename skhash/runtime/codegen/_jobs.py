"""Jobs: calls of kernels, as rows of addresses and sizes that generated code reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.runtime.codegen._emitter import I64

if TYPE_CHECKING:
    from skhash.runtime.codegen._emitter import Emitter, Value

__all__ = ["FIELDS", "JOB", "JobReader"]

FIELDS = {
    "kernel": "address of the code",
    "source": "address of the map that is read",
    "out": "address of the integers or floats that are written",
    "bits": "address of the packed signs that are written",
    "residual": "address of the floats that step `add` adds",
    "weights": "address of the weights, packed for the tiles",
    "parameters": "address of the rows of numbers that the steps take",
    "base": "address of the rows of integers that sums start from",
    "window": "address of int32: by pixel, offset of its window in the source",
    "taps": "address of int32: offsets within a window; for pools in rows, each of which starts with their number",
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
    """Loads all fields of a job at the beginning of a kernel; LLVM removes the loads of fields that are not used.

    Parameters
    ----------
    emitter : Emitter
        Emitter at the beginning of the kernel.
    address : value
        Address of the job.
    """

    kernel: Value
    source: Value
    out: Value
    bits: Value
    residual: Value
    weights: Value
    parameters: Value
    base: Value
    window: Value
    taps: Value
    cases: Value
    bit_offsets: Value
    n_tiles: Value
    n_blocks: Value
    n_taps: Value
    out_stride: Value
    residual_stride: Value
    parameter_stride: Value
    source_stride: Value

    def __init__(self, emitter: Emitter, address: Value) -> None:
        for number, name in enumerate(FIELDS):
            setattr(self, name, emitter.load(emitter.at(address, number, 8), I64, 8))
