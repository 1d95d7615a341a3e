"""Features of images by a trained network: forms of samples, cache, threads, errors."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from torch import nn

from skhash import FeatureExtractor, ITQHasher, OrthoHasher


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


class Counting(nn.Module):
    """A network that counts the images of which it computes features."""

    seen = 0

    def __init__(self):
        super().__init__()
        self.network = network()

    def forward(self, x):
        Counting.seen += len(x)
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
    Counting.seen = 0
    np.testing.assert_array_equal(extractor.transform(X[:40]), features)
    assert Counting.seen == 0
    everything = FeatureExtractor(Counting(), cache=tmp_path, n_jobs=n_jobs).fit(X).transform(X[::-1])
    assert 0 < Counting.seen <= 64  # the first sample in fit, preparations, and the missing ones in passes of eight
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
