import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skhash import OneBitDeepHasher, OrthoHasher
from skhash.inputs import Samples
from skhash.nn import HashHead, HashNetwork, SmallCNN, build
from skhash.nn.binary import BinaryConv2d, Int8Stem, bireal_tiny
from skhash.training import TrainingLoop, _precision, has_bfloat16, resolve_precision

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 28, 28), dtype=np.uint8)
Y = np.arange(40) % 2


@pytest.fixture(params=[False, True], ids=["plain CPU", "CPU with bfloat16"])
def instructions(request, monkeypatch):
    monkeypatch.setattr(_precision, "has_bfloat16", lambda: request.param)
    return request.param


def test_automatic_is_bfloat16_where_it_is_fast_and_was_measured(instructions):
    fast = torch.bfloat16 if instructions else None
    assert resolve_precision("auto", CPU, automatic=True) is fast
    assert resolve_precision("auto", CPU, automatic=False) is None
    assert resolve_precision("auto", torch.device("cuda"), automatic=True) is None
    assert resolve_precision("float32", CPU, automatic=True) is None
    assert resolve_precision("bfloat16", CPU, automatic=False) is torch.bfloat16


@pytest.mark.parametrize(
    ("features", "expected"),
    [({"avx512bf16": True}, True), ({"amx-bf16": True}, True), ({"bf16": True}, True), ({"avx512f": True}, False),
     ({"avx512bf16": False}, False)],
)  # fmt: skip
def test_instructions_by_their_names_in_llvm(monkeypatch, features, expected):
    monkeypatch.setattr(_precision.binding, "get_host_cpu_features", lambda: features)
    assert has_bfloat16() is expected


def test_a_device_without_bfloat16_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device_type: False)
    with pytest.raises(ValueError, match="precision='bfloat16' is not available on device meta; use 'float32'"):
        resolve_precision("bfloat16", torch.device("meta"), automatic=False)


class Squares(nn.Module):
    def forward(self, z, targets):
        return z.square().mean()


def make_network(backbone):
    return HashNetwork(backbone, build(HashHead, 64, 4, generator=torch.Generator().manual_seed(0)), Squares())


# Without binary activations, because one sign that flips changes a gradient more than all rounding does.
@pytest.mark.parametrize(
    ("make", "sums"),
    [
        (lambda: SmallCNN(1), ("Conv2d", torch.bfloat16)),
        (lambda: bireal_tiny(1, width=16, binarize_activations=False), ("BinaryConv2d", torch.float32)),
    ],
    ids=["small_cnn", "real activations"],
)
def test_only_products_of_the_backbone_in_training_are_rounded(make, sums):
    torch.manual_seed(0)
    network = make_network(make())
    images = torch.rand(16, 1, 16, 16)
    single = network(images)
    single.square().mean().backward()
    expected = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    network.autocast_dtype = torch.bfloat16
    seen = []
    hooks = [
        layer.register_forward_hook(lambda module, args, out: seen.append((type(module).__name__, out.dtype)))
        for layer in network.modules()
    ]
    rounded = network(images)
    for hook in hooks:
        hook.remove()
    kinds = dict(seen)
    assert kinds[sums[0]] == sums[1]
    assert kinds["Linear"] == torch.float32  # the head
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, single)
    rounded.square().mean().backward()
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        assert parameter.dtype == parameter.grad.dtype == torch.float32
        assert nn.functional.cosine_similarity(parameter.grad.flatten(), gradient.flatten(), dim=0) > 0.9
    # Evaluation is in single precision, whatever was set.
    rounded = network.eval()(images)
    network.autocast_dtype = None
    torch.testing.assert_close(network(images), rounded, rtol=0, atol=0)


def dtypes_of_training(monkeypatch, hasher, X=IMAGES, y=Y):
    seen, original = [], TrainingLoop.run_epoch

    def run_epoch(self, *args):
        seen.append(self.network.autocast_dtype)
        return original(self, *args)

    monkeypatch.setattr(TrainingLoop, "run_epoch", run_epoch)
    hasher.fit(X, y)
    return set(seen)


class Foreign(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3)

    def forward(self, images):
        return self.convolution(images).mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("options", "fast"),
    [
        ({}, True),
        ({"backbone": "bireal_tiny"}, True),
        ({"backbone": Foreign}, False),
        ({"backbone": "small_cnn", "backbone_lr_ratio": 0.0, "views": lambda x, generator: x}, False),
    ],
)
@pytest.mark.filterwarnings("ignore:The recipe freezes")
def test_automatic_precision_of_a_hasher(monkeypatch, instructions, options, fast):
    hasher = OrthoHasher(bits=8, max_epochs=1, random_state=0, **options)
    assert dtypes_of_training(monkeypatch, hasher) == {torch.bfloat16 if fast and instructions else None}


def test_features_are_trained_in_single_precision(monkeypatch, instructions):
    X = RNG.normal(size=(40, 6))
    for backbone in ("auto", "mlp", "binary_mlp"):
        hasher = OrthoHasher(bits=8, max_epochs=1, backbone=backbone, random_state=0)
        assert dtypes_of_training(monkeypatch, hasher, X) == {None}


def test_warm_up_and_teacher_have_the_precision_of_the_training(monkeypatch, instructions):
    hasher = OneBitDeepHasher(8, max_epochs=1, random_state=0)
    expected = torch.bfloat16 if instructions else None
    assert dtypes_of_training(monkeypatch, hasher) == {expected}
    assert hasher.module_.criterion.classifier.autocast_dtype is expected


@pytest.mark.parametrize("backbone", ["small_cnn", "bireal_tiny", Foreign])
def test_codes_of_a_network_trained_in_bfloat16(backbone):
    options = {"max_epochs": 2, "backbone": backbone, "random_state": 0}
    hasher = OrthoHasher(bits=8, precision="bfloat16", **options).fit(IMAGES, Y)
    single = OrthoHasher(bits=8, precision="float32", **options).fit(IMAGES, Y)
    weights = list(hasher.module_.parameters())
    assert all(p.dtype == torch.float32 for p in weights)
    assert any(not torch.equal(p, q) for p, q in zip(weights, single.module_.parameters(), strict=True))
    codes = hasher.transform(IMAGES)
    np.testing.assert_array_equal(np.concatenate([hasher.transform(image[None]) for image in IMAGES]), codes)
    copied = pickle.loads(pickle.dumps(hasher))
    np.testing.assert_array_equal(copied.transform(IMAGES), codes)
    np.testing.assert_array_equal(clone(hasher).fit(IMAGES, Y).transform(IMAGES), codes)


def test_a_network_of_an_older_pickle_lacks_the_attribute():
    network = make_network(SmallCNN(1))
    assert "autocast_dtype" not in vars(network)
    assert network(torch.rand(4, 1, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("value", ["half", "float16", None, torch.bfloat16])
def test_refused_values(value):
    with pytest.raises(ValueError, match="'precision' parameter of OrthoHasher must be a str among"):
        OrthoHasher(bits=8, precision=value).fit(IMAGES, Y)


def test_inputs_of_a_network_are_asked_for_once_an_epoch(monkeypatch):
    asked = []
    monkeypatch.setattr(HashNetwork, "input_dtype", property(lambda self: asked.append(1) or torch.float32))
    hasher = OrthoHasher(bits=8, max_epochs=1, batch_size=10, precision="float32", random_state=0).fit(IMAGES, Y)
    assert len(asked) == 1
    assert isinstance(hasher.module_, HashNetwork)
    assert len(Samples(IMAGES)) == 40


@pytest.mark.parametrize("layer", [BinaryConv2d(64, 8, 3), Int8Stem(3, 8)], ids=["binary", "stem"])
def test_sums_of_binary_layers_stay_in_single_precision(layer):
    x = torch.rand(2, layer.in_channels, 8, 8)
    x = x if isinstance(layer, Int8Stem) else x.sub(0.5).sign()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.float32
    # The inputs are exact in bfloat16: only weights (not those of the stem) and sums are rounded, to 8 binary digits.
    torch.testing.assert_close(out, layer(x), rtol=2**-7, atol=2**-7 * layer(x).abs().max().item())
    out.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
