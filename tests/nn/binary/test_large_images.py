"""Counts are those of the methods specification, section 10.2, found on the meta device: nothing is computed."""

import pytest
import torch
from torch import nn

from skhash.nn.binary import (
    BinaryConv2d,
    bireal18,
    irnet18,
    reactnet18,
    recu34,
    xnor_resnet18,
    xnor_resnet50,
)

BODY_18, BODY_34, BODY_50 = 10_985_472, 21_086_208, 20_676_608
DOWN_18, DOWN_50 = 172_032, 2_768_896
ALL = [bireal18, reactnet18, xnor_resnet18, xnor_resnet50, irnet18, recu34]


def count(network):
    """Count binary weights and, for an image of 224 pixels, binary multiplications, apart for body and shortcuts."""
    found = {"body": [0, 0], "shortcut": [0, 0]}
    for name, layer in network.named_modules():
        if isinstance(layer, BinaryConv2d):
            part = found["shortcut" if "shortcut" in name else "body"]
            part[0] += layer.n_binary

            def note(layer, inputs, out, part=part):
                part[1] += layer.macs(out.shape[2] * out.shape[3])

            layer.register_forward_hook(note)
    network(torch.zeros(1, 3, 224, 224, device="meta"))
    return found


def make(factory, **options):
    with torch.device("meta"):
        return factory(**options).eval()


@pytest.mark.parametrize(
    ("factory", "body", "shortcut"),
    [
        (bireal18, [BODY_18, 1_676_279_808], [DOWN_18, 19_267_584]),
        (reactnet18, [BODY_18, 1_676_279_808], [DOWN_18, 19_267_584]),
        (xnor_resnet18, [BODY_18, 1_676_279_808], [DOWN_18, 19_267_584]),
        (irnet18, [BODY_18, 1_676_279_808], [DOWN_18, 19_267_584]),
        (recu34, [BODY_34, 3_525_967_872], [DOWN_18, 19_267_584]),
        (xnor_resnet50, [BODY_50, 3_609_460_736], [DOWN_50, 359_661_568]),
    ],
)
def test_binary_counts(factory, body, shortcut):
    network = make(factory)
    assert count(network) == {"body": body, "shortcut": shortcut}
    assert network.stem[0].weight.numel() == 9_408


@pytest.mark.parametrize(("factory", "channels"), [(bireal18, 4_800), (recu34, 8_512), (xnor_resnet50, 26_560)])
def test_normalised_channels(factory, channels):
    norms = [layer for layer in make(factory).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert sum(layer.num_features for layer in norms) == channels


@pytest.mark.parametrize("factory", ALL)
def test_published_forms_have_real_shortcuts(factory):
    network = make(factory, shortcut="real", stem="float")
    real = [layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert sum(real) == 9_408 + (DOWN_50 if factory is xnor_resnet50 else DOWN_18)
    assert count(network)["shortcut"] == [0, 0]
    assert not network.takes_pixels


def test_the_release_of_odh_has_real_activations():
    network = make(xnor_resnet50, binarize_activations=False)
    before = [layer for layer in network.modules() if isinstance(layer, nn.Sequential) and len(layer) == 3]
    before = [layer[0] for layer in before if isinstance(layer[1], BinaryConv2d)]
    assert len(before) == 52
    assert {type(layer) for layer in before} == {nn.Identity}
    assert isinstance(network.blocks[0].activation, nn.Hardtanh)


def test_a_large_network_runs():
    network = bireal18()
    features = network(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, 512)
    assert features.isfinite().all()
