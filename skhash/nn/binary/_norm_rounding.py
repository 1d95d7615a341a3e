"""How this build of torch rounds batch normalisation in evaluation, found out by trying."""

from functools import cache
from itertools import product

import numpy as np
import torch
from torch import nn

from skhash.runtime import Affine, Network, interpret

_CHANNELS = 37  # vectors and what is left of them
_POSITIONS = 8


@cache
def norm_rounding():
    """Find the roundings, of feature vectors and of maps with channels last.

    Returns
    -------
    options : dict of str to bool
        For `skhash.runtime.Affine.from_batch_norm`.

    Raises
    ------
    ValueError
        If it is none of the ways that are known, so that no network could be exported exactly.
    """
    rng = np.random.default_rng(0)
    mean, bias, weight = rng.normal(size=(3, _CHANNELS)).astype(np.float32)
    variance = rng.uniform(0.1, 3, _CHANNELS).astype(np.float32)
    X = rng.normal(size=(_POSITIONS**2, _CHANNELS)).astype(np.float32)
    expected = [_normalize(kind, X, weight, bias, mean, variance) for kind in (nn.BatchNorm1d, nn.BatchNorm2d)]
    for fused, fused_offset in product((True, False), repeat=2):
        options = {"fused": fused, "fused_offset": fused_offset}
        operation = Affine.from_batch_norm(0, weight, bias, mean, variance, **options)
        found = interpret(Network((_CHANNELS,), [operation]), X)[-1].reshape(X.shape)
        if all(np.array_equal(found, e) for e in expected):
            return options
    raise ValueError("this build of torch rounds batch normalisation in a way that the runtime does not know.")


def _normalize(kind, X, weight, bias, mean, variance):
    """What torch makes of rows of numbers."""
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
        x = x.view(_POSITIONS, _POSITIONS, 1, _CHANNELS).permute(0, 3, 1, 2)
    with torch.inference_mode():
        y = norm(x)
    return (y.permute(0, 2, 3, 1) if kind is nn.BatchNorm2d else y).reshape(X.shape).numpy()
