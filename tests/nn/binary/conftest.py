"""Networks as they are after training, as far as numbers go."""

import pytest
import torch
from torch import nn

from skhash.nn.binary import BilinearRule, RPReLU, RSign


@pytest.fixture(scope="session")
def settle():
    """Give a network random statistics, slopes of both signs and thresholds: `settle(network, seed=0)`."""

    def fill(network, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def uniform(tensor, low, high):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                    uniform(module.weight, -0.3, 1.5)
                    module.weight[::7] = 0
                    uniform(module.bias, -1, 1)
                    uniform(module.running_mean, -1, 1)
                    uniform(module.running_var, 0.2, 2)
                elif isinstance(module, (RSign, RPReLU, BilinearRule)):
                    for parameter in module.parameters(recurse=False):
                        uniform(parameter, -0.5, 0.5)
        return network.eval()

    return fill
