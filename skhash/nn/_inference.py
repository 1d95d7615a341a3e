"""Batch-invariant inference: a code does not depend on the batch in which it is computed.

Matrix products and convolutions round differently at different batch sizes, enough to flip the sign of a value near
zero. So every pass has one fixed shape, the last one padded. Features run in double precision as well, where even a
different split over threads changes nothing that single precision can represent; convolutions of eight images do not
depend on the split, and eight small images are also the batch at which a CPU is fastest.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skhash.nn._packed_convolution import pack_convolutions

if TYPE_CHECKING:
    from skhash.inputs import Samples

_FEATURE_ROWS = 64
_IMAGE_ROWS = 8
_BLOCK_VALUES = 2**22  # input values in memory at once: 16 or 32 MB


@dataclass(frozen=True, eq=False)
class Inference:
    """A module as it computes codes, see `prepare_inference`.

    Parameters
    ----------
    module : nn.Module
        The module, or a copy: in double precision, or with packed convolutions.
    dtype : torch.dtype
        Type of its inputs.
    device : torch.device
        Where it is.
    pass_rows : int
        Samples per pass.
    is_copy : bool
        Whether the module is a copy, which is in evaluation mode.
    """

    module: nn.Module
    dtype: torch.dtype
    device: torch.device
    pass_rows: int
    is_copy: bool

    def _mode(self) -> AbstractContextManager[None]:
        """Return the context in which the module is in evaluation mode."""
        return nullcontext() if self.is_copy else evaluation_mode(self.module)

    def run(self, inputs: Tensor) -> Tensor:
        """Return the outputs for some samples, in passes of the fixed shape."""
        with self._mode(), torch.inference_mode():
            parts = inputs.split(self.pass_rows)
            return torch.cat([self.module(_pad(part, self.pass_rows).to(self.device))[: len(part)] for part in parts])

    def run_freely(self, inputs: Tensor) -> Tensor:
        """Return the outputs for a few samples in one pass of their number, which may round differently."""
        with self._mode(), torch.inference_mode():
            return self.module(inputs.to(self.device))


def prepare_inference(module: nn.Module, samples: Samples) -> Inference:
    """Prepare a module to compute codes.

    Parameters
    ----------
    module : nn.Module
        Module with at least one parameter. It is copied where it runs in double precision or convolutions are packed.
    samples : Samples
        Its inputs, of which only the kind and the shape count.

    Returns
    -------
    inference : Inference
        The module as it stands: a copy does not follow its changes.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skhash.inputs import Samples
    >>> from skhash.nn import prepare_inference
    >>> prepare_inference(nn.Linear(4, 2), Samples(np.eye(4))).dtype
    torch.float64
    """
    device = next(module.parameters()).device
    images = samples.kind == "images"
    double = not images and device.type != "mps"
    pass_rows = _IMAGE_ROWS if images else _FEATURE_ROWS
    double = double and _runs_in_double(module, samples, pass_rows)
    # `Standardize` may need inputs in double precision even if the rest of the module cannot compute in it.
    far = any(getattr(layer, "input_dtype", None) == torch.float64 for layer in module.modules())
    dtype = torch.float64 if double or far else torch.float32
    if double:
        module = copy.deepcopy(module).double().eval()
    packed = None
    if images and device.type == "cpu":
        packed = pack_convolutions(module, torch.zeros((pass_rows, *samples.sample_shape)))
    return Inference(packed or module, dtype, device, pass_rows, double or packed is not None)


def encode(module: nn.Module, samples: Samples, inference: Inference | None = None) -> Iterator[NDArray[np.floating]]:
    """Run a module over samples in passes of one fixed shape.

    Parameters
    ----------
    module : nn.Module
        Module with at least one parameter. Left in the mode (training or evaluation) in which it was.
    samples : Samples
        Inputs of the module.
    inference : Inference, default=None
        From `prepare_inference` for this module and such samples; None prepares it.

    Yields
    ------
    outputs : ndarray of shape (rows, n_outputs)
        Blocks of outputs, in order: float64 for features where device and module can compute in it, float32 for
        others and for images.
    """
    if inference is None:
        inference = prepare_inference(module, samples)
    block_rows = inference.pass_rows * max(_BLOCK_VALUES // (inference.pass_rows * math.prod(samples.sample_shape)), 1)
    for start in range(0, len(samples), block_rows):
        block = samples.batch(range(start, min(start + block_rows, len(samples))), dtype=inference.dtype)
        yield inference.run(block).cpu().numpy()


def _runs_in_double(module: nn.Module, samples: Samples, rows: int) -> bool:
    """Return whether a module can compute features in double precision; one that calls `x.float()` cannot."""
    # The library's and torch's own layers can.
    if all(type(layer).__module__.startswith(("torch.nn.", "skhash.nn.")) for layer in module.modules()):
        return True
    device = next(module.parameters()).device
    zeros = torch.zeros((rows, *samples.sample_shape), dtype=torch.float64, device=device)
    module = copy.deepcopy(module).double()
    try:
        with evaluation_mode(module), torch.inference_mode():
            module(zeros)
    except RuntimeError:
        return False
    return True


def _pad(part: Tensor, rows: int) -> Tensor:
    """Append zeros up to `rows` rows."""
    missing = rows - len(part)
    return torch.cat([part, part.new_zeros((missing, *part.shape[1:]))]) if missing else part


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Switch a module to evaluation, and afterwards every submodule back to the mode in which it was."""
    # Part by part, since `module.train()` would also switch parts that were frozen in evaluation mode.
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
