import pytest
import torch

from skhash.nn import build
from skhash.nn.binary import RULES, BinaryConv2d, vgg_small


def make(channels=3, image_size=32, **options):
    generator = torch.Generator().manual_seed(0)
    return build(vgg_small, channels, image_size, generator=generator, **{"width": 8, **options})


@pytest.mark.parametrize(("image_size", "n_features"), [(32, 512), (28, 288), ((17, 40), 320), (8, 32)])
@pytest.mark.parametrize("pad", ["zero", "minus", "plus"])
def test_features_are_signs_at_all_positions(image_size, n_features, pad):
    network = make(image_size=image_size, pad=pad)
    height, width = image_size if isinstance(image_size, tuple) else (image_size, image_size)
    features = network(torch.rand(4, 3, height, width))
    assert features.shape == (4, n_features)
    assert network.out_features == n_features
    assert set(features.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("rule", RULES)
def test_every_parameter_has_a_gradient(rule):
    network = make(rule=rule)
    features = network(torch.rand(4, 3, 32, 32))
    (features * torch.randn(features.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
    # The shift that is added before the last sign of another shift is the only one that could be said to be idle.
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_all_but_the_first_convolution_are_binary_and_see_signs():
    network = make(rule="xnor")
    seen = []
    for layer in network.modules():
        if isinstance(layer, BinaryConv2d):
            layer.register_forward_hook(lambda layer, inputs, out: seen.append(set(inputs[0].unique().tolist())))
    network(torch.rand(2, 3, 32, 32))
    assert seen == [{-1.0, 1.0}] * 5


def test_size():
    with torch.device("meta"):
        network = vgg_small()
    assert sum(layer.n_binary for layer in network.modules() if isinstance(layer, BinaryConv2d)) == 4_571_136
    assert network.out_features == 8192


def test_images_too_small():
    with pytest.raises(ValueError, match="image_size must be at least 8 pixels, got 7 x 12"):
        make(image_size=(7, 12))
