"""The epilogue of a kernel: the steps that are applied to a sum before it is stored.

They are fused into convolutions, pools and passes. A tuple names the steps in order; those with rows take them in turn
from the job's parameters:

| step | rows | effect |
|---|---|---|
| `integers` | | stores the integer sum |
| `threshold` | 1 (int32) | stores the bits `sum >= row` |
| `scale` | 1 | `x * row`; here and below integers become floats |
| `fused` | 2 | `x * row + row`, one rounding |
| `rounded` | 2 | the same with two roundings |
| `add` | | adds the residual |
| `rprelu` | 3 | adds a row, multiplies numbers that are not positive by a row, adds a row |
| `clip` | 2 | limits to rows |
| `store` | | stores the float |
| `sign` | 1 | stores the bits `x >= row` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.runtime.codegen._emitter import I64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skhash.runtime.codegen._emitter import Emitter, Value
    from skhash.runtime.codegen._jobs import JobReader

__all__ = ["ROWS", "Epilogue"]

ROWS = {
    "integers": 0,
    "threshold": 1,
    "scale": 1,
    "fused": 2,
    "rounded": 2,
    "add": 0,
    "rprelu": 3,
    "clip": 2,
    "store": 0,
    "sign": 1,
}


class Epilogue:
    """Writes the code of some steps.

    Parameters
    ----------
    emitter : Emitter
        Emitter of the kernel.
    job : JobReader
        Addresses.
    steps : tuple of str
        Steps in order.
    """

    def __init__(self, emitter: Emitter, job: JobReader, steps: Sequence[str]) -> None:
        self.e, self.job, self.steps = emitter, job, steps

    def apply(self, vectors: Sequence[Value], pixel: Value, channel: Value) -> None:
        """Write the steps for one vector of channels of several successive pixels.

        Parameters
        ----------
        vectors : list of value
            A vector of integers or floats for each pixel.
        pixel : value
            Number of the first pixel.
        channel : value
            Number of the first channel.
        """
        rows = self._load_rows(channel)  # once for all pixels
        for p, x in enumerate(vectors):
            self._apply_one(x, self.e.at(pixel, p, 1), channel, rows)

    def _load_rows(self, channel: Value) -> list[list[Value]]:
        rows, number = [], 0
        for step in self.steps:
            type_ = self.e.ints if step == "threshold" else self.e.floats
            addresses = (
                self.e.at(self.e.at(self.job.parameters, I64(number + i), self.job.parameter_stride), channel, 4)
                for i in range(ROWS[step])
            )
            rows.append([self.e.load(address, type_) for address in addresses])
            number += ROWS[step]
        return rows

    def _apply_one(self, x: Value, pixel: Value, channel: Value, rows: list[list[Value]]) -> None:
        e, b, job = self.e, self.e.b, self.job
        for step, row in zip(self.steps, rows, strict=True):
            if step not in ("integers", "threshold") and x.type == e.ints:
                x = b.sitofp(x, e.floats)
            if step in ("integers", "store"):
                e.store(x, e.at(e.at(job.out, pixel, job.out_stride), channel, 4))
            elif step == "threshold":
                self._store_bits(b.icmp_signed(">=", x, row[0]), pixel, channel)
            elif step == "sign":
                self._store_bits(b.fcmp_ordered(">=", x, row[0]), pixel, channel)
            elif step == "scale":
                x = b.fmul(x, row[0])
            elif step == "fused":
                x = e.fused(x, *row)
            elif step == "rounded":
                x = b.fadd(b.fmul(x, row[0]), row[1])
            elif step == "add":
                x = b.fadd(x, e.load(e.at(e.at(job.residual, pixel, job.residual_stride), channel, 4), e.floats))
            elif step == "rprelu":
                # Not max(x, slope * x): slopes may be negative or above 1.
                x = b.fadd(x, row[0])
                positive = b.fcmp_ordered(">", x, e.constant(e.floats, 0.0))
                x = b.fadd(b.select(positive, x, b.fmul(x, row[1])), row[2])
            else:  # clip
                x = b.select(b.fcmp_ordered(">", x, row[0]), x, row[0])
                x = b.select(b.fcmp_ordered("<", x, row[1]), x, row[1])

    def _store_bits(self, mask: Value, pixel: Value, channel: Value) -> None:
        # Lanes are channels, so a mask of `lanes` bits is a run of the packed map; `channel` is a multiple of 8.
        e = self.e
        start = e.b.add(self.job.bits, e.offset(self.job.bit_offsets, pixel))
        e.store_mask(mask, e.b.add(start, e.b.lshr(channel, I64(3))))
