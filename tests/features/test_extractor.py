"""Features of images by a trained network: forms of samples, cache, threads, errors."""

import os
import pickle
import sqlite3
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from torch import nn

from skhash import FeatureExtractor, ITQHasher, OrthoHasher
from skhash.features import _extractor


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (70, 12, 12, 3), dtype=np.uint8)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())


@pytest.fixture(scope="module")
def files(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{number:02}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


class Seen:
    """How many images a network computed features of; not in the module, whose attributes are part of its key."""

    count = 0


class Counting(nn.Module):
    """A network that counts the images of which it computes features."""

    def __init__(self):
        super().__init__()
        self.network = network()

    def forward(self, x):
        Seen.count += len(x)
        return self.network(x)


def test_features_are_those_of_the_network(images):
    module = network().eval()
    with torch.inference_mode():
        expected = module(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()
    features = FeatureExtractor(module).fit_transform(images)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_forms_company_and_threads_do_not_matter(images, files, n_jobs):
    extractor = FeatureExtractor(network(), n_jobs=n_jobs)
    features = extractor.fit_transform(images)
    np.testing.assert_array_equal(extractor.transform(files), features)
    np.testing.assert_array_equal(extractor.transform([Image.fromarray(image) for image in images]), features)
    np.testing.assert_array_equal(np.concatenate([extractor.transform(images[i : i + 1]) for i in range(70)]), features)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(extractor)).transform(files[3:40]), features[3:40])


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("as_files", [False, True])
def test_the_cache_spares_the_network(images, files, tmp_path, as_files, n_jobs):
    X = files if as_files else images
    extractor = FeatureExtractor(Counting(), cache=tmp_path, n_jobs=n_jobs).fit(X)
    features = extractor.transform(X[:40])
    Seen.count = 0
    np.testing.assert_array_equal(extractor.transform(X[:40]), features)
    assert Seen.count == 0
    everything = FeatureExtractor(Counting(), cache=tmp_path, n_jobs=n_jobs).fit(X).transform(X[::-1])
    assert 0 < Seen.count <= 64  # the first sample in fit, preparations, and the missing ones in passes of eight
    np.testing.assert_array_equal(everything[::-1][:40], features)
    np.testing.assert_allclose(everything, FeatureExtractor(network()).fit_transform(X[::-1]), rtol=1e-4, atol=1e-6)


def test_a_file_is_known_by_its_content(images, tmp_path):
    path, cache = tmp_path / "image.png", tmp_path / "cache"
    Image.fromarray(images[0]).save(path)
    extractor = FeatureExtractor(network(), cache=cache).fit([path])
    first = extractor.transform([path])
    Image.fromarray(images[1]).save(path)
    second = extractor.transform([path])
    assert (first != second).any()
    np.testing.assert_array_equal(second, extractor.transform(images[1:2]))


def test_other_weights_settings_or_names_are_other_features(images, tmp_path):
    def transform(backbone, **parameters):
        return FeatureExtractor(backbone, cache=tmp_path, **parameters).fit_transform(images)

    assert (transform(network(0)) != transform(network(1))).any()
    scaled = nn.Sequential(network(0), nn.Threshold(0.5, 0.0))
    assert (transform(network(0)) != transform(scaled)).any()
    assert (
        transform(lambda x: x.mean((2, 3)), cache_key="a") != transform(lambda x: x.amax((2, 3)), cache_key="b")
    ).any()
    with pytest.raises(ValueError, match="cache needs a cache_key if backbone is a function"):
        transform(lambda x: x.mean((2, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_may_return_arrays_of_either_precision(images, dtype):
    features = FeatureExtractor(lambda x: x.numpy().mean((2, 3)).astype(dtype)).fit_transform(images)
    assert features.dtype == dtype
    np.testing.assert_allclose(features, images.mean((1, 2)) / 255, rtol=1e-5)


def test_vectors_go_through_a_network_of_vectors():
    X = np.random.default_rng(0).standard_normal((20, 6))
    features = FeatureExtractor(nn.Linear(6, 3)).fit_transform(X)
    assert features.shape == (20, 3)
    assert features.dtype == np.float64


def test_in_a_pipeline_with_names(images):
    y = np.arange(70) % 2
    pipeline = make_pipeline(FeatureExtractor(network()), OrthoHasher(bits=16, max_epochs=2, random_state=0))
    assert pipeline.fit(images, y).transform(images).shape == (70, 16)
    frame = FeatureExtractor(network()).set_output(transform="pandas").fit_transform(images)
    assert list(frame.columns[:2]) == ["featureextractor0", "featureextractor1"]
    assert make_pipeline(FeatureExtractor(Counting), ITQHasher(8, random_state=0)).fit_transform(images).shape == (
        70,
        8,
    )


def test_errors_say_what_is_wrong(images):
    with pytest.raises(ValueError, match=r"backbone does not take inputs of shape \(3, 12, 12\)"):
        FeatureExtractor(nn.Linear(5, 2)).fit(images)
    gray = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match=r"backbone does not take inputs of .* to have 1 channels, but got 3 channels"):
        FeatureExtractor(gray).fit(images)
    with pytest.raises(ValueError, match=r"backbone must return one vector per sample.*got \(1, 3, 12, 12\)"):
        FeatureExtractor(nn.Identity()).fit(images)
    extractor = FeatureExtractor(network()).fit(images)
    with pytest.raises(ValueError, match=r"samples of shape \(3, 9, 9\), but \(3, 12, 12\) was seen in fit"):
        extractor.transform(images[:, :9, :9])
    with pytest.raises(ValueError, match="floating-point pixels; fit has seen integer pixels"):
        extractor.transform(images / 255)
    with pytest.raises(ValueError, match="X is not an image input"):
        extractor.transform(images.reshape(70, -1))
    with pytest.raises(ValueError, match="backbone='resnet' is not known; expected one of"):
        FeatureExtractor("resnet").fit(images)


def test_changed_weights_are_used(images):
    extractor = FeatureExtractor(network()).fit(images)
    before = extractor.transform(images)
    with torch.no_grad():
        extractor.module_[0].weight.mul_(2)
    assert (extractor.transform(images) != before).any()


class Scaled(nn.Module):
    """A setting that is neither a weight nor in the repr; and one that is in the class."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x.mean((2, 3)) * self.scale


class Squared(Scaled):
    def forward(self, x):
        return x.mean((2, 3)) ** 2


def _with_buffer(value):
    module = Scaled()
    module.register_buffer("hidden", torch.full((3,), value), persistent=False)
    module.register_forward_hook(lambda module, args, out: out + module.hidden)
    return module


def _script(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # in favor of torch.export, whose files are not read
        return torch.jit.script(module)


def _rewritten(power):
    """Return a module of a class whose code was edited and which is called as before."""
    code = f"class Scaled(Base):\n    def forward(self, x):\n        return x.mean((2, 3)) ** {power}"
    names = {"Base": nn.Module, "__name__": "edited"}
    exec(code, names)  # a user's edit of a file
    return names["Scaled"]()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Scaled(1.0), Scaled(2.0)),
        (nn.Sequential(Scaled(1.0)), nn.Sequential(Scaled(2.0))),
        (Scaled(), Squared()),
        (nn.Sequential(Scaled()), nn.Sequential(Squared())),
        (_with_buffer(0.0), _with_buffer(1.0)),
        (_rewritten(2), _rewritten(3)),
        (_script(Scaled(1.0)), _script(Scaled(2.0))),
    ],
)
def test_the_cache_tells_networks_apart_whatever_they_differ_in(first, second, images, tmp_path):
    apart = [FeatureExtractor(each).fit_transform(images) for each in (first, second)]
    kept = [FeatureExtractor(each, cache=tmp_path).fit_transform(images) for each in (first, second)]
    assert (apart[0] != apart[1]).any()
    np.testing.assert_array_equal(kept, apart)


def test_the_key_of_a_network_is_the_same_in_another_process(tmp_path):
    code = (
        "import torch; from torch import nn; from skhash.nn import digest_network; torch.manual_seed(0)\n"
        "m = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Flatten()); m.names = {'b', 'a', 'c'}\n"
        "s = torch.jit.script(nn.Sequential(nn.Linear(2, 2)))\n"
        "print(digest_network(m, named=False), digest_network(s, named=False))"
    )
    outs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outs) == 1


def test_a_setting_of_unknown_content_needs_a_name(images, tmp_path):
    for key in (None, "name"):
        extractor = FeatureExtractor(Scaled(), cache=tmp_path, cache_key=key).fit(images)
        extractor.module_[0].source = (n for n in range(3))
        if key is None:
            with pytest.raises(ValueError, match="cache needs a cache_key for this backbone, whose attribute 'source'"):
                extractor.transform(images)
        else:
            assert extractor.transform(images).shape == (70, 3)


class Pair(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)), x


class Named(nn.Module):
    def forward(self, x):
        return {"features": x.mean((2, 3))}


@pytest.mark.parametrize(("backbone", "kind"), [(Pair(), "tuple"), (Named(), "dict")])
def test_several_outputs_are_refused_by_name(backbone, kind, images):
    with pytest.raises(ValueError, match=f"backbone must return one tensor, got {kind}"):
        FeatureExtractor(backbone).fit(images)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64])
def test_features_are_floats_whatever_the_network_returns(dtype, images):
    def function(x):
        return (x.mean((2, 3)) * 10).to(dtype)

    features = FeatureExtractor(function).fit_transform(images)
    assert features.dtype == np.float32
    expected = (torch.as_tensor(images).permute(0, 3, 1, 2) / 255).mean((2, 3)) * 10
    np.testing.assert_allclose(features, expected.to(dtype).float(), rtol=2e-2, atol=1)


def test_a_method_of_a_module_is_in_evaluation_mode_and_has_its_weights(images, tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(432, 4)).train()
    extractor = FeatureExtractor(module.forward, cache=tmp_path)  # no cache_key: the weights are known
    features = extractor.fit_transform(images)
    np.testing.assert_array_equal(features, FeatureExtractor(module).fit_transform(images))
    assert module.training
    with torch.no_grad():
        module[2].weight += 1
    assert (extractor.fit_transform(images) != features).any()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_full_disk_does_not_lose_features(n_jobs, images, tmp_path, monkeypatch):
    connect, calls = sqlite3.connect, []

    def nearly_full(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 5")
        calls.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", nearly_full)
    X = np.concatenate([images, 255 - images, images // 2, images // 3])
    extractor = FeatureExtractor(nn.Flatten(), cache=tmp_path, n_jobs=n_jobs).fit(X)
    with pytest.warns(UserWarning, match="features are not kept. .*disk is full") as caught:
        features = extractor.transform(X)
    assert len(caught) == 1
    np.testing.assert_array_equal(features, FeatureExtractor(nn.Flatten()).fit_transform(X))
    assert len(calls) == 1 + 5 + 1  # tables, a look per block, one attempt to store


def test_an_error_waits_for_no_other_image(files, tmp_path, monkeypatch):
    read, rows_read = _extractor._Reader._batch, []

    def slowly(self, rows):
        rows_read.append(rows)
        time.sleep(0.01)
        return read(self, rows)

    monkeypatch.setattr(_extractor._Reader, "_batch", slowly)
    bad = tmp_path / "bad.png"
    bad.write_bytes(files[0].read_bytes()[:100])
    extractor = FeatureExtractor(network(), n_jobs=2).fit(files[:1])
    with pytest.raises(ValueError, match="bad"):
        extractor.transform([bad, *files, *files, *files])
    assert len(rows_read) < 100
