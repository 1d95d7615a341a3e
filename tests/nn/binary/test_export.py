"""Exported networks give the features of torch to the last bit, and its codes; what cannot be exported says so."""

import numpy as np
import pytest
import torch
from torch import nn

from skhash import load_packed
from skhash.nn import DeepHead, HashHead, HashNetwork, SmallCNN, Standardize
from skhash.nn.binary import (
    RULES,
    BinaryLinear,
    BinaryVGG,
    Sign,
    binary_mlp,
    bireal18,
    bireal_small,
    bireal_tiny,
    export_network,
    reactnet18,
    vgg_small,
    xnor_resnet18,
    xnor_resnet50,
)
from skhash.runtime import Lookup, PackedHasher, compare_codes

GRAY, COLOR, LARGE = (1, 13, 10), (3, 16, 15), (3, 70, 67)
ZOO = {
    **{f"tiny {rule}": (lambda rule=rule: bireal_tiny(rule=rule), GRAY) for rule in RULES},
    **{
        f"small {shortcut} {pad}": (lambda s=shortcut, p=pad: bireal_small(shortcut=s, pad=p), COLOR)
        for shortcut, pad in (("dup", "minus"), ("binary", "zero"), ("real", "plus"))
    },
    "vgg": (lambda: vgg_small(image_size=COLOR[1:], width=32), COLOR),
    "vgg reactnet": (lambda: vgg_small(image_size=COLOR[1:], width=32, rule="reactnet"), COLOR),
    "bireal18": (bireal18, LARGE),
    "reactnet18": (reactnet18, LARGE),
    "xnor18": (xnor_resnet18, LARGE),
    "xnor50": (xnor_resnet50, LARGE),
}


def draw(shape, n=5, seed=0):
    """Pixels as integers, and as networks get them."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(n, *shape), dtype=np.uint8)
    return pixels, torch.from_numpy(pixels) / 255


@pytest.mark.parametrize("name", ZOO)
def test_image_networks(name, settle):
    make, shape = ZOO[name]
    torch.manual_seed(0)
    backbone = settle(make())
    head = HashHead(backbone.out_features, 48, "batch_norm")
    network = settle(nn.Sequential(backbone, head), seed=1)
    pixels, x = draw(shape)
    with torch.inference_mode():
        features, z = backbone(x), network(x)
    assert features.std() > 0
    if not isinstance(backbone, BinaryVGG):
        found = PackedHasher(export_network(backbone, shape)).decision_function(pixels)
        # Real shortcuts are sums of real numbers, whose order is up to torch.
        tolerance = 1e-5 if "real" in name else 0
        np.testing.assert_allclose(found, features.numpy(), rtol=tolerance, atol=tolerance)
    comparison = compare_codes(z.numpy(), PackedHasher(export_network(network, shape)).decision_function(pixels))
    assert comparison.n_differing_bits == 0
    assert comparison.largest_difference < 1e-5


@pytest.mark.parametrize("stem", ["real", "binary"])
@pytest.mark.parametrize("head", [HashHead, DeepHead])
def test_feature_networks(stem, head, settle, tmp_path):
    torch.manual_seed(0)
    X = np.random.default_rng(0).normal(3, 2, size=(70, 50)).astype(np.float32)
    backbone = binary_mlp(50, width=96, stem=stem)
    preprocess = Standardize((50,)).fit(torch.from_numpy(X))
    network = settle(HashNetwork(backbone, head(96, 24), nn.Identity(), preprocess))
    with torch.inference_mode():
        features, z = network.features(torch.from_numpy(X)), network(torch.from_numpy(X))
    until_features = nn.Sequential(preprocess, backbone)
    found = PackedHasher(export_network(until_features, (50,))).decision_function(X)
    if stem == "binary":
        np.testing.assert_array_equal(found, features.numpy())
    else:
        np.testing.assert_allclose(found, features.numpy(), rtol=1e-4, atol=1e-4)
    packed = PackedHasher(export_network(network, (50,)))
    assert compare_codes(z.numpy(), packed.decision_function(X)).n_differing_bits == 0
    packed.save(tmp_path / "model.skhash")
    again = load_packed(tmp_path / "model.skhash")
    np.testing.assert_array_equal(again.decision_function(X), packed.decision_function(X))


@pytest.mark.parametrize("standardize", [True, False])
def test_a_first_layer_of_real_weights(standardize, settle):
    torch.manual_seed(0)
    pixels, x = draw(COLOR)
    preprocess = Standardize(COLOR).fit(x) if standardize else None
    network = HashNetwork(bireal_small(stem="float"), HashHead(256, 32), nn.Identity(), preprocess)
    exported = export_network(settle(network), COLOR)
    table = next(operation for operation in exported.operations if isinstance(operation, Lookup)).table
    seen = network.preprocess(x).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(table[np.arange(3), pixels.transpose(0, 2, 3, 1)], seen)
    with torch.inference_mode():
        comparison = compare_codes(network(x).numpy(), PackedHasher(exported).decision_function(pixels))
    assert comparison.n_differing_bits == 0


def test_torch_layers_and_a_binary_head(settle):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 24, 3, stride=2, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Dropout(0.5),
        Sign(),
        nn.Flatten(),
        BinaryLinear(24 * 4 * 4, 40),
        nn.BatchNorm1d(40),
        Sign(),
        BinaryLinear(40, 16),
        nn.BatchNorm1d(16),
        Sign(),
    )
    pixels, x = draw(COLOR)
    with torch.inference_mode():
        signs = settle(network)(x).numpy()
    packed = PackedHasher(export_network(network, COLOR))
    np.testing.assert_array_equal(packed.decision_function(pixels), signs)
    assert packed.network.maps()[-1].kind == "sign"


def test_training_and_device_of_the_network_stay(settle):
    network = settle(nn.Sequential(bireal_tiny(), HashHead(128, 8))).train()
    export_network(network, GRAY)
    assert network.training


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def hooked():
    layer = nn.Linear(8, 4)
    layer.register_forward_hook(lambda *_: None)
    return layer


def replaced():
    layer = nn.Linear(8, 4)
    layer.forward = lambda x: -x
    return layer


def in_training_only(layer):
    return nn.Sequential(nn.Linear(8, 8), layer)


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (
            nn.Sequential(SmallCNN(1), HashHead(64, 8)),
            GRAY,
            r"^0 \(SmallCNN\) cannot be exported: there is no exporter",
        ),
        (HashNetwork(nn.Linear(8, 8), Doubled(8, 4), nn.Identity()), (8,), r"^head \(Doubled\).*only for .*Linear"),
        (HashNetwork(hooked(), nn.Linear(4, 4), nn.Identity()), (8,), r"^backbone \(Linear\).*hooks"),
        (HashNetwork(replaced(), nn.Linear(4, 4), nn.Identity()), (8,), r"^backbone \(Linear\).*forward method"),
        (bireal_tiny(binarize_activations=False), GRAY, r"^blocks.0.body.1 \(BinaryConv2d\).*must be signs, got real"),
        (HashNetwork(bireal_tiny(), nn.Identity(), nn.Identity(), Standardize(GRAY)), GRAY, r"^backbone.stem.0 \(Int8"),
        (nn.Conv2d(2, 4, 3, groups=2), (2, 9, 9), "groups"),
        (nn.Conv2d(1, 4, 3, padding=(1, 0)), GRAY, "one number for both"),
        (nn.MaxPool2d(2, ceil_mode=True), GRAY, "ceil_mode"),
        (
            in_training_only(nn.BatchNorm1d(8, track_running_stats=False)),
            (8,),
            r"^1 \(BatchNorm1d\).*no running statistics",
        ),
        (in_training_only(nn.BatchNorm1d(9)), (8,), r"^1 \(BatchNorm1d\).*8 channels"),
        (nn.Linear(9, 4), (8,), "takes 9 inputs"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), GRAY, r"^1 \(ReLU\).*flattened"),
        (nn.Conv2d(1, 4, 3), GRAY, "one vector per sample"),
        (nn.Linear(8, 4), (8, 8), "sample_shape must be"),
    ],
)
def test_what_cannot_be_exported_is_named(network, shape, message):
    with pytest.raises(ValueError, match=message) as caught:
        export_network(network, shape)
    assert caught.type is ValueError
