import pytest
import torch

from skhash.nn import BACKBONES, SmallCNN, make_backbone
from skhash.nn.binary import BINARY_BACKBONES, Int8Stem, bireal_tiny

SMALL = ["bireal_tiny", "bireal_small", "bireal18_32", "vgg_small", "binary_mlp"]


def test_the_names():
    assert list(BINARY_BACKBONES) == [
        "bireal_tiny", "bireal_small", "bireal18_32", "vgg_small",
        "bireal18", "reactnet18", "xnor_resnet18", "xnor_resnet50", "irnet18", "recu34",
        "binary_mlp",
    ]  # fmt: skip
    assert set(BACKBONES) == {"mlp", "small_cnn", "layout_cnn", *BINARY_BACKBONES}


@pytest.mark.parametrize("name", BINARY_BACKBONES)
@pytest.mark.parametrize("integer_pixels", [True, False])
def test_the_first_layer_fits_the_pixels(name, integer_pixels):
    with torch.device("meta"):
        backbone = BINARY_BACKBONES[name]
        network = backbone((3, 32, 32) if backbone.takes_images else (20,), integer_pixels)
    assert network.takes_pixels == (integer_pixels and backbone.takes_images)
    assert any(isinstance(layer, Int8Stem) for layer in network.modules()) == network.takes_pixels


@pytest.mark.parametrize("name", SMALL)
def test_backbones_by_name_are_drawn_from_the_generator(name):
    shape = (3, 28, 28) if BACKBONES[name] else (20,)
    before = torch.get_rng_state()
    (first, width), (second, _) = (make_backbone(name, shape, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert first(torch.rand(2, *shape)).shape == (2, width)


def test_an_option_goes_before_the_registrys():
    assert BINARY_BACKBONES["bireal_tiny"]((1, 28, 28), False, stem="int8", width=8).takes_pixels
    assert BINARY_BACKBONES["vgg_small"]((1, 28, 28), width=8).out_features == 32 * 9


def test_an_instance_is_a_backbone_too():
    module = bireal_tiny(width=8)
    assert make_backbone(module, (1, 28, 28), torch.Generator()) == (module, 32)
    assert module.training


def test_auto_stays_what_it_was():
    assert isinstance(make_backbone("auto", (1, 28, 28), torch.Generator())[0], SmallCNN)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("bireal_tiny", (10,), r"backbone='bireal_tiny' takes images, got inputs of shape \(10,\)"),
        ("binary_mlp", (1, 8, 8), r"backbone='binary_mlp' takes features .* got inputs of shape \(1, 8, 8\)"),
        ("vgg_small", (1, 7, 9), "image_size must be at least 8 pixels, got 7 x 9"),
        ("bireal", (1, 8, 8), "backbone must be one of .*'bireal_tiny'.* got 'bireal'"),
    ],
)
def test_backbones_that_do_not_fit(name, shape, message):
    with pytest.raises(ValueError, match=message):
        make_backbone(name, shape, torch.Generator())
