"""The roundings of batch normalization in evaluation in this build of torch, determined by trial.

torch computes `scale * x + offset`, with `scale` and `offset` derived from weight, bias, mean and variance. Whether a
product and a sum are rounded once (fused multiply-add) or twice depends on how torch was compiled and on the processor,
and a difference in the last bit can flip the sign of a value near a threshold.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skhash.runtime import Affine, Network, interpret

_CHANNELS = 37  # not a multiple of a vector register: loops over vectors and over the remainder may round differently
_POSITIONS = 8


@cache
def norm_rounding() -> dict[str, bool]:
    """Determine the roundings of batch normalization, of feature vectors and of maps with channels last.

    Returns
    -------
    options : dict of str to bool
        Arguments `fused` and `fused_offset` of `skhash.runtime.Affine.from_batch_norm`.

    Raises
    ------
    ValueError
        If torch rounds in another way, so that no network can be exported exactly.
    """
    rng = np.random.default_rng(0)
    mean, bias, weight = rng.normal(size=(3, _CHANNELS)).astype(np.float32)
    variance = rng.uniform(0.1, 3, _CHANNELS).astype(np.float32)
    X = rng.normal(size=(_POSITIONS**2, _CHANNELS)).astype(np.float32)
    expected = [_normalize(kind, X, weight, bias, mean, variance) for kind in (nn.BatchNorm1d, nn.BatchNorm2d)]
    for fused, fused_offset in product((True, False), repeat=2):
        options = {"fused": fused, "fused_offset": fused_offset}
        operation = Affine.from_batch_norm(0, weight, bias, mean, variance, **options)
        found = interpret(Network((_CHANNELS,), (operation,)), X)[-1].reshape(X.shape)
        if all(np.array_equal(found, e) for e in expected):
            return options
    raise ValueError("this build of torch rounds batch normalization in a way that the runtime does not support.")


def _normalize(
    kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d],
    X: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Compute torch's batch normalization of the rows of `X`."""
    norm = kind(_CHANNELS).eval()
    norm.load_state_dict(
        {
            name: torch.from_numpy(values)
            for name, values in {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}.items()
        },
        strict=False,
    )
    x = torch.from_numpy(X)
    if kind is nn.BatchNorm2d:
        # Channels last, the layout in which the image networks run.
        x = x.view(_POSITIONS, _POSITIONS, 1, _CHANNELS).permute(0, 3, 1, 2)
    with torch.inference_mode():
        y = norm(x)
    return (y.permute(0, 2, 3, 1) if kind is nn.BatchNorm2d else y).reshape(X.shape).numpy()
