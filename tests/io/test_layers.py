"""The table of layers is complete, and every layer in it comes back."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn

import skhash
from skhash import OrthoHasher, losses
from skhash.io import _container
from skhash.io._decode import Decoder
from skhash.io._encode import Encoder
from skhash.io._layers import TORCH_LAYERS, find_layer, layer_name
from skhash.io._trust import Trust
from skhash.nn import DeepHead, LayoutCNN, PretrainedBackbone, ResNet, make_backbone
from skhash.nn.binary import BINARY_BACKBONES, binary_mlp

# Not in files: bases, those that inference makes, and those whose content no file can hold.
OTHERS = {"OnnxBackbone", "PackedConv2d", "_BinaryLayer", "_Features", "_Method", "_Block"}


def library_layers():
    for info in pkgutil.walk_packages(skhash.__path__, "skhash."):
        if info.name.endswith("__main__") or info.name.startswith("skhash.onnx."):
            continue  # the modules of graphs are made for one export
        module = importlib.import_module(info.name)
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, nn.Module) and cls.__module__ == info.name:
                yield cls


def test_every_layer_of_the_library_is_in_the_table():
    found = set(library_layers())
    assert len(found) > 60
    missing = {cls.__qualname__ for cls in found if layer_name(cls.__new__(cls)) is None}
    assert missing <= OTHERS, "add it to skhash/io/_layers.py"
    names = [layer_name(cls.__new__(cls)) for cls in found if layer_name(cls.__new__(cls)) is not None]
    assert len(set(names)) == len(names)
    for cls in found:
        name = layer_name(cls.__new__(cls))
        assert name is None or find_layer(name) is cls


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_settings_of_torch_layers_are_arguments_of_their_constructors(name):
    arguments = inspect.signature(getattr(nn, name)).parameters
    assert set(TORCH_LAYERS[name]) <= set(arguments)
    required = {
        key
        for key, each in arguments.items()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    assert required <= set(TORCH_LAYERS[name])


def again(module, tmp_path):
    """Save and load a module by itself."""
    encoder = Encoder()
    node = encoder.value(module, "module")
    with open(tmp_path / "x", "wb") as file:
        _container.write(file, {"module": node}, encoder.tensors)
    state, tensors = _container.parse(tmp_path / "x", (tmp_path / "x").read_bytes())
    decoder = Decoder(tensors, Trust(None, ()), None)
    loaded = decoder.value(state["module"])
    decoder.check_complete()
    return loaded


def assert_same(old, new, inputs):
    assert repr(old) == repr(new)
    for each, other in zip(old.modules(), new.modules(), strict=True):
        assert vars(each).keys() == vars(other).keys()
        assert each.training == other.training
    assert list(old.state_dict()) == list(new.state_dict())
    with torch.inference_mode():
        assert torch.equal(old(inputs), new(inputs))


FLAT, SIGNAL, PICTURES = torch.randn(4, 6), torch.randn(2, 6, 8), torch.randn(2, 6, 8, 8)
LAYERS = {
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(3), SIGNAL),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((3, None)), PICTURES),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(2), PICTURES),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, True, False, 5), PICTURES),
    "BatchNorm1d": (nn.BatchNorm1d(6, 1e-3, None), FLAT),
    "BatchNorm2d": (nn.BatchNorm2d(6, affine=False, track_running_stats=False), PICTURES),
    "Conv1d": (nn.Conv1d(6, 4, 3, 2, 1, 1, 2, True, "circular"), SIGNAL),
    "Conv2d": (nn.Conv2d(6, 4, (3, 1), padding="same", bias=False, padding_mode="reflect"), PICTURES),
    "Dropout": (nn.Dropout(0.3), FLAT),
    "Dropout2d": (nn.Dropout2d(0.3), PICTURES),
    "ELU": (nn.ELU(0.7), FLAT),
    "Flatten": (nn.Flatten(0, 1), PICTURES),
    "GELU": (nn.GELU("tanh"), FLAT),
    "GroupNorm": (nn.GroupNorm(3, 6, 1e-3), PICTURES),
    "Hardsigmoid": (nn.Hardsigmoid(), FLAT),
    "Hardswish": (nn.Hardswish(), FLAT),
    "Hardtanh": (nn.Hardtanh(-0.3, 0.4), FLAT),
    "Identity": (nn.Identity(), FLAT),
    "LayerNorm": (nn.LayerNorm((6,), 1e-3, bias=False), FLAT),
    "LeakyReLU": (nn.LeakyReLU(0.3), FLAT),
    "Linear": (nn.Linear(6, 3, bias=False, dtype=torch.bfloat16), FLAT.bfloat16()),
    "MaxPool1d": (nn.MaxPool1d(3, 2, 1, ceil_mode=True), SIGNAL),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1, 1), PICTURES),
    "ModuleList": (nn.Sequential(nn.ModuleList([nn.Linear(6, 2)])[0]), FLAT),
    "PReLU": (nn.PReLU(6, 0.1), FLAT),
    "ReLU": (nn.ReLU(), FLAT),
    "ReLU6": (nn.ReLU6(), 9 * FLAT),
    "Sequential": (nn.Sequential(nn.Linear(6, 4), nn.Sequential(nn.Tanh())), FLAT),
    "SiLU": (nn.SiLU(), FLAT),
    "Sigmoid": (nn.Sigmoid(), FLAT),
    "Softmax": (nn.Softmax(1), FLAT),
    "Tanh": (nn.Tanh(), FLAT),
}


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_layers_of_torch(name, tmp_path):
    layer, inputs = LAYERS[name]
    assert_same(layer.eval(), again(layer, tmp_path), inputs)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", BINARY_BACKBONES)
def test_binary_networks(name, tmp_path):
    shape = (20,) if name == "binary_mlp" else (3, 32, 32)
    network, _ = make_backbone(name, shape, generator())
    assert_same(network.eval(), again(network, tmp_path), torch.rand((2, *shape), generator=generator()))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (binary_mlp(12, width=64, rule="bireal", stem="binary", random_state=0), (12,)),
        (DeepHead(12, 8), (12,)),
        (LayoutCNN(3, 20, 24), (3, 20, 24)),
        (PretrainedBackbone(nn.Flatten(), size=None), (3, 5, 5)),
        (ResNet(18), (3, 64, 64)),
        (ResNet(50), (3, 64, 64)),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, nn.Module) else "",
)
def test_other_layers_of_the_library(layer, shape, tmp_path):
    assert_same(layer.eval(), again(layer, tmp_path), torch.rand((2, *shape), generator=generator()))


def test_losses_that_remember_pairs_forget_them(tmp_path):
    loss = losses.HashNetLoss(pairs="memory")
    z, targets = torch.randn(4, 8), torch.tensor([0, 1, 0, 1])
    loss(z, targets, rows=torch.arange(4), epoch=0)
    assert loss.pairing.memory.n_seen == 4
    loaded = again(loss, tmp_path)
    assert (loaded.pairing.pairs, loaded.pairing.memory.n_seen) == ("memory", 0)


def test_attributes_beyond_the_constructor_come_back(tmp_path):
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    backbone.takes_pixels = True
    backbone[1].note = ("a", 1.5)
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    hasher = OrthoHasher(8, backbone=backbone, max_epochs=1, random_state=0).fit(images, np.arange(12) % 2)
    hasher.save(tmp_path / "y")
    loaded = skhash.load(tmp_path / "y").module_.backbone
    assert loaded.takes_pixels is True
    assert loaded[1].note == ("a", 1.5)
