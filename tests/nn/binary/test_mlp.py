import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.nn import build, encode
from skhash.nn.binary import RULES, BinaryLinear, binary_mlp


def make(**options):
    return build(binary_mlp, 20, width=32, generator=torch.Generator().manual_seed(0), **options)


@pytest.mark.parametrize("stem", ["real", "binary"])
@pytest.mark.parametrize("rule", RULES)
def test_layers_and_gradients(rule, stem):
    network = make(rule=rule, stem=stem, depth=3)
    x = torch.randn(16, 20, generator=torch.Generator().manual_seed(0))
    features = network(x)
    assert features.shape == (16, network.out_features) == (16, 32)
    (features * torch.randn(16, 32, generator=torch.Generator().manual_seed(1))).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    binary = [layer.n_binary for layer in network.modules() if isinstance(layer, BinaryLinear)]
    assert binary == [640] * (stem == "binary") + [1024] * 3
    assert sum(isinstance(layer, nn.Linear) for layer in network.modules()) == (stem == "real")


def test_shortcuts_carry_the_first_layer_through():
    network = make(rule="bireal").eval()
    for block in network.blocks:
        nn.init.zeros_(block.body[2].weight)
    x = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), network.stem(x))


def test_codes_do_not_depend_on_company():
    network = make()
    network(torch.randn(64, 20, generator=torch.Generator().manual_seed(0)))
    X = np.random.default_rng(0).normal(size=(70, 20))
    network.eval()
    together = np.concatenate(list(encode(network, Samples(X))))
    alone = np.concatenate([out for i in range(70) for out in encode(network, Samples(X[i : i + 1]))])
    assert np.array_equal(together, alone)


def test_unknown_stem():
    with pytest.raises(ValueError, match=r"stem must be one of .* got 'int8'"):
        make(stem="int8")
