"""Running a network so that a sample's code is the same alone and in any company.

Matrix products and convolutions round differently at different batch sizes, enough to flip the sign of a value near
zero. So every pass has one fixed shape, the last one padded. Features run in double precision on top, where even a
different split over threads moves nothing that single precision could see; convolutions at eight images do not depend
on it, and eight small images are also where a CPU is fastest.
"""

import copy
import math
from contextlib import contextmanager

import torch

_FEATURE_ROWS = 64
_IMAGE_ROWS = 8
_BLOCK_VALUES = 2**22  # in memory at once, in numbers: 16 or 32 MB


def encode(module, samples):
    """Run a module over samples in passes of one fixed shape.

    Parameters
    ----------
    module : nn.Module
        With at least one parameter. Left in the mode (training or evaluation) in which it was.
    samples : Samples
        What to run it on.

    Yields
    ------
    outputs : ndarray of shape (rows, n_outputs)
        Blocks of outputs, in order: float64 for features where the device has it, float32 for images.
    """
    device = next(module.parameters()).device
    images = samples.kind == "images"
    double = not images and device.type != "mps"
    pass_rows = _IMAGE_ROWS if images else _FEATURE_ROWS
    if double:
        module = copy.deepcopy(module).double()
    dtype = torch.float64 if double else torch.float32
    block_rows = pass_rows * max(_BLOCK_VALUES // (pass_rows * math.prod(samples.sample_shape)), 1)
    for start in range(0, len(samples), block_rows):
        block = samples.batch(range(start, min(start + block_rows, len(samples))), dtype=dtype)
        with evaluation_mode(module), torch.inference_mode():
            outputs = [module(_pad(part, pass_rows).to(device))[: len(part)].cpu() for part in block.split(pass_rows)]
        yield torch.cat(outputs).numpy()


def _pad(part, rows):
    """Fill up to `rows` rows with zeros."""
    missing = rows - len(part)
    return torch.cat([part, part.new_zeros((missing, *part.shape[1:]))]) if missing else part


@contextmanager
def evaluation_mode(module):
    """Switch a module to evaluation, and every submodule back to the mode in which it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
