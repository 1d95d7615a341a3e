import numpy as np
import torch
from torch import nn

from skhash.nn.binary._norm_rounding import norm_rounding
from skhash.runtime import Affine, Network, interpret


def test_other_statistics_and_shapes_are_rounded_alike():
    rng = np.random.default_rng(1)
    for channels, side in ((5, 3), (64, 6), (130, 1)):
        weight, bias, mean = rng.normal(scale=3, size=(3, channels)).astype(np.float32)
        variance = rng.uniform(1e-6, 9, channels).astype(np.float32)
        x = rng.normal(scale=4, size=(3, side, side, channels)).astype(np.float32)
        norm = nn.BatchNorm2d(channels).eval()
        for name, values in (("weight", weight), ("bias", bias), ("running_mean", mean), ("running_var", variance)):
            getattr(norm, name).data.copy_(torch.from_numpy(values))
        with torch.inference_mode():
            expected = norm(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
        operation = Affine.from_batch_norm(0, weight, bias, mean, variance, **norm_rounding())
        found = interpret(Network((channels,), [operation]), x.reshape(-1, channels))[-1]
        np.testing.assert_array_equal(found.reshape(x.shape), expected)
