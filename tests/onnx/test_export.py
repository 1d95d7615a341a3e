"""Exported graphs in onnxruntime, against the hashers that they were made of."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

import skhash
from skhash.features import FeatureExtractor
from skhash.nn import PretrainedBackbone
from skhash.onnx import export_onnx
from skhash.runtime import compare_codes

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

X, Y = load_digits(return_X_y=True)
X = X + np.random.default_rng(0).normal(0, 1, X.shape)
IMAGES = np.random.default_rng(1).integers(0, 256, (60, 1, 24, 24), dtype=np.uint8)
LABELS = np.arange(60) % 3


def run(path, samples):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["continuous", "codes"], {"X": samples})


def compare(hasher, samples, path, **options):
    """Export, and return the codes of the graph and the largest difference of continuous codes."""
    export_onnx(hasher, path, **options)
    z, codes = run(path, samples)
    assert codes.dtype == np.uint8
    expected = hasher.decision_function(samples)
    assert z.dtype == expected.dtype
    np.testing.assert_array_equal(run(path, samples[:1])[1], codes[:1])  # any number of samples
    return codes, float(np.abs(z - expected).max())


FEATURES = {
    "LSH fast": skhash.LSHHasher(256, directions="hadamard", center=True, random_state=0),
    "ITQ": skhash.ITQHasher(32, random_state=0),
    "spectral": skhash.SpectralHasher(100, random_state=0),
    "MLP": skhash.CSQHasher(32, backbone="mlp", max_epochs=1, random_state=0),
    "hidden layer": skhash.TBHHasher(16, max_epochs=1, random_state=0),
    "bound": skhash.LowerBoundHasher(skhash.CSQHasher(16, max_epochs=1, random_state=0)),
}


@pytest.mark.parametrize("name", FEATURES)
def test_features_have_the_same_codes(name, tmp_path):
    hasher = FEATURES[name].fit(X[:400], Y[:400])
    codes, difference = compare(hasher, X, tmp_path / "hasher.onnx")
    np.testing.assert_array_equal(codes, hasher.transform(X))
    assert difference < 1e-11  # a constant in single precision would be 1e-8 off


def test_values_that_are_zero_up_to_rounding_are_ones(tmp_path):
    hasher = skhash.LSHHasher(8, random_state=0).fit(X)
    directions = np.linalg.qr(hasher.components_.T)[0]
    orthogonal = X - X @ directions @ directions.T
    z = orthogonal @ hasher.components_.T
    assert 0 < np.abs(z).max() < 1e-12
    assert (z < 0).mean() > 0.2
    codes, _ = compare(hasher, orthogonal, tmp_path / "hasher.onnx")
    np.testing.assert_array_equal(codes, hasher.transform(orthogonal))
    assert codes.mean() > 0.99  # the bound on the rounding of the graph does not include that of the samples


def test_features_in_single_precision(tmp_path):
    samples = X.astype(np.float32)
    path = tmp_path / "hasher.onnx"
    hasher = skhash.OrthoHasher(32, max_epochs=1, random_state=0).fit(samples[:400], Y[:400])
    codes, difference = compare(hasher, samples, path, features="float32")
    np.testing.assert_array_equal(codes, hasher.transform(samples))
    assert difference < 1e-11
    assert onnxruntime.InferenceSession(path).get_inputs()[0].type == "tensor(float)"
    with pytest.raises(ValueError, match="features must be one of"):
        export_onnx(hasher, tmp_path / "hasher.onnx", features="float16")


@pytest.mark.parametrize(
    "steps",
    [
        (StandardScaler(), PCA(20, whiten=True), Normalizer()),
        (StandardScaler(with_std=False), "passthrough", MinMaxScaler((-1, 2)), PCA(10), Normalizer("l1")),
    ],
    ids=repr,
)
def test_pipelines(steps, tmp_path):
    samples = X.copy()
    samples[0] = 0.0  # has no length
    pipeline = make_pipeline(*steps, skhash.LSHHasher(64, center=True, random_state=0)).fit(samples)
    codes, difference = compare(pipeline, samples, tmp_path / "pipeline.onnx")
    np.testing.assert_array_equal(codes, pipeline.transform(samples))
    assert difference < 1e-12


def backbone(channels=1):
    layers = torch.nn.Conv2d(channels, 8, 3, 2), torch.nn.GELU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    return torch.nn.Sequential(*layers)


IMAGE_HASHERS = {
    "small_cnn": (IMAGES, {}),
    "layout_cnn": (IMAGES.repeat(3, 2)[:, :, :55], {"backbone": "layout_cnn"}),  # reduced to 48 x 48 pixels
    "float": ((IMAGES / 100).astype(np.float32), {}),
    "own": (IMAGES, {"backbone": backbone, "standardize": False}),
    "resized": (IMAGES, {"backbone": lambda: PretrainedBackbone(backbone(3), size=40)}),
}


@pytest.mark.parametrize("name", IMAGE_HASHERS)
def test_images_have_the_same_codes_up_to_rounding(name, tmp_path):
    images, options = IMAGE_HASHERS[name]
    hasher = skhash.OrthoHasher(16, max_epochs=1, random_state=0, **options).fit(images, LABELS[: len(images)])
    path = tmp_path / "hasher.onnx"
    codes, difference = compare(hasher, images, path)
    assert onnxruntime.InferenceSession(path).get_inputs()[0].type == (
        "tensor(float)" if name == "float" else "tensor(uint8)"
    )
    scale = np.abs(hasher.decision_function(images)).max()
    assert difference < 1e-5 * scale
    certain = np.abs(hasher.decision_function(images)) > 1e-5 * scale
    np.testing.assert_array_equal(codes[certain], hasher.transform(images)[certain])
    assert certain.mean() > 0.99


def test_extracted_features(tmp_path):
    pipeline = make_pipeline(FeatureExtractor(backbone()), StandardScaler(), skhash.ITQHasher(8, random_state=0))
    pipeline.fit(IMAGES)
    path = tmp_path / "pipeline.onnx"
    export_onnx(pipeline, path)
    z, codes = run(path, IMAGES)
    expected = pipeline.decision_function(IMAGES)
    assert compare_codes(expected, z).largest_differing < 1e-4
    np.testing.assert_allclose(z, expected, atol=1e-4)
    assert len(np.unique(codes, axis=0)) > 10


@pytest.mark.parametrize("images", [True, False])
def test_files_are_backbones(images, tmp_path):
    samples, y = (IMAGES, LABELS) if images else (X, Y)
    hasher = skhash.CSQHasher(16, max_epochs=1, random_state=0).fit(samples, y)
    export_onnx(hasher, tmp_path / "hasher.onnx")
    features = FeatureExtractor(str(tmp_path / "hasher.onnx")).fit_transform(samples)
    np.testing.assert_allclose(features, hasher.decision_function(samples), atol=1e-6)
    np.testing.assert_array_equal(features >= 0, hasher.transform(samples))


def test_the_file(tmp_path):
    path = tmp_path / "hasher.onnx"
    export_onnx(FEATURES["MLP"].fit(X[:200], Y[:200]), path)
    model = onnx.load(path)
    assert (model.ir_version, model.producer_name) == (8, "skhash")
    assert model.producer_version == skhash.__version__
    assert [(imported.domain, imported.version) for imported in model.opset_import] == [("", 18)]
    assert len(model.functions) == 0
    assert [(value.name, value.type.tensor_type.shape.dim[1].dim_value) for value in model.graph.output] == [
        ("continuous", 32),
        ("codes", 32),
    ]
    content = path.read_bytes()
    for private in (str(Path(skhash.__file__).parents[1]), "site-packages", "_modules.py"):
        assert private.encode() not in content


class _Strange(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(64, 4)

    def forward(self, x):
        return self.linear(x) if x.sum().item() < 1e30 else self.linear(2 * x)


def test_what_cannot_be_exported(tmp_path):
    path = tmp_path / "hasher.onnx"
    path.write_bytes(b"before")
    binary = skhash.OrthoHasher(8, backbone="binary_mlp", max_epochs=1, random_state=0).fit(X[:100], Y[:100])
    with pytest.raises(TypeError, match=r"OrthoHasher has a binary network\. .* use to_packed\(\)"):
        export_onnx(binary, path)
    with pytest.raises(TypeError, match=r"The step MaxAbsScaler cannot be .* FeatureExtractor, Stand"):
        export_onnx(make_pipeline(MaxAbsScaler(), skhash.LSHHasher(8)).fit(X), path)
    with pytest.raises(TypeError, match="HammingIndex cannot be exported to ONNX; estimator must be LSHHasher"):
        export_onnx(make_pipeline(skhash.LSHHasher(8), skhash.HammingIndex()).fit(X, Y), path)
    with pytest.raises(TypeError, match=r"MinMaxScaler\(clip=True\)"):
        export_onnx(make_pipeline(MinMaxScaler(clip=True), skhash.LSHHasher(8)).fit(X), path)
    with pytest.raises(TypeError, match="str cannot be exported"):
        export_onnx("hasher", path)
    with pytest.raises(NotFittedError):
        export_onnx(skhash.LSHHasher(8), path)
    strange = skhash.OrthoHasher(8, backbone=_Strange, max_epochs=1, random_state=0).fit(X[:100], Y[:100])
    with pytest.raises(ValueError, match="torch cannot export this network to ONNX: "):
        export_onnx(strange, path)
    with pytest.raises(FileNotFoundError, match="no such directory"):
        export_onnx(skhash.LSHHasher(8).fit(X), tmp_path / "nowhere" / "hasher.onnx")
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"Export to ONNX needs {package}, .* 'scikit-hash\[onnx\]'"):
        export_onnx(skhash.LSHHasher(8).fit(X), tmp_path / "hasher.onnx")
