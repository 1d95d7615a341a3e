import pytest
import torch

from skhash.nn import build
from skhash.nn.binary import BinaryConv2d, RPReLU, RSign, bireal18_32, bireal_small, bireal_tiny


@pytest.mark.parametrize(
    ("factory", "n_binary", "n_features"),
    [(bireal_tiny, 294_912, 128), (bireal_small, 1_179_648, 256), (bireal18_32, 10_985_472, 512)],
)
def test_sizes(factory, n_binary, n_features):
    with torch.device("meta"):
        network = factory()
    convolutions = [layer for layer in network.modules() if isinstance(layer, BinaryConv2d)]
    assert sum(layer.n_binary for layer in convolutions) == n_binary
    assert network.out_features == n_features
    assert {type(block.activation) for block in network.blocks} == {RPReLU}
    assert {type(block.body[0]) for block in network.blocks} == {RSign}


@pytest.mark.parametrize(("factory", "size"), [(bireal_tiny, 14), (bireal_small, 14), (bireal18_32, 28)])
def test_the_stem_halves_what_it_should(factory, size):
    network = build(factory, 1, width=4, generator=torch.Generator().manual_seed(0))
    assert network.stem(torch.zeros(1, 1, 28, 28)).shape[2:] == (size, size)
    assert build(factory, 1, width=4, stem_stride=1, generator=torch.Generator()).stem(torch.zeros(1, 1, 9, 9)).shape[
        2:
    ] == (
        9,
        9,
    )


@pytest.mark.parametrize("factory", [bireal_tiny, bireal_small, bireal18_32])
@pytest.mark.parametrize("size", [(28, 28), (32, 32), (8, 8), (7, 9), (1, 1)])
def test_any_size(factory, size):
    network = build(factory, 3, width=4, generator=torch.Generator().manual_seed(0))
    features = network(torch.rand(2, 3, *size))
    assert features.shape == (2, network.out_features)
    features.sum().backward()
