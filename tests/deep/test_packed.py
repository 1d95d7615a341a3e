"""A fitted hasher with a binary network computes all its codes on packed words, and so does its file without torch."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from skhash import HashNetHasher, OrthoHasher
from skhash.nn.binary import binary_mlp, bireal_tiny

WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("there is no torch here")
sys.meta_path.insert(0, NoTorch())
import numpy as np
from skhash import load_packed
hasher = load_packed(sys.argv[1])
np.save(sys.argv[3], hasher.codes(np.load(sys.argv[2])))
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def digits():
    digits = load_digits()
    return digits.images.astype(np.uint8) * 15, digits.target


def on_images(images, y, **options):
    torch.manual_seed(0)
    backbone = bireal_tiny(rule="reactnet", stem_stride=1)
    parameters = {"bits": 24, "backbone": backbone, "max_epochs": 5, "random_state": 0, **options}
    return OrthoHasher(**parameters).fit(images, y)


@pytest.fixture(scope="module")
def fitted(digits):
    images, y = digits
    return on_images(images[:600], y[:600])


@pytest.fixture(scope="module")
def fitted_on_features(digits):
    images, y = digits
    torch.manual_seed(0)
    hasher = OrthoHasher(bits=24, backbone=binary_mlp(64, width=128), standardize=True, max_epochs=5, random_state=0)
    return hasher.fit(images.reshape(len(images), -1).astype(float), y)


def test_codes_of_a_trained_network_are_those_of_torch(fitted, digits):
    images, y = digits
    assert fitted.inference_ == "packed"
    assert fitted.predict(images[600:]).shape == y[600:].shape
    assert np.mean(fitted.predict(images[600:]) == y[600:]) > 0.5
    comparison = fitted.compare_packed(images)
    assert comparison.n_samples == len(images)
    assert comparison.n_differing_bits == 0
    assert comparison.largest_difference < 1e-4
    z = fitted.decision_function(images)
    np.testing.assert_array_equal(fitted.to_packed().decision_function(images), z)
    np.testing.assert_array_equal(fitted.decision_function(images[7:9]), z[7:9])
    by_torch = on_images(images[:600], y[:600], inference="torch")
    assert by_torch.inference_ == "torch"
    np.testing.assert_array_equal(by_torch.transform(images), fitted.transform(images))


def test_codes_of_training_samples_are_packed_ones(fitted, digits):
    images, _ = digits
    distances, _ = fitted.label_index_.kneighbors(fitted.to_packed().codes(images[:600]), n_neighbors=1)
    assert distances.max() == 0


@pytest.mark.parametrize("kind", ["fitted", "fitted_on_features"])
def test_a_file_without_torch_gives_the_same_codes(kind, digits, request, tmp_path):
    hasher, X = request.getfixturevalue(kind), digits[0][:100]
    X = X if kind == "fitted" else X.reshape(len(X), -1).astype(np.float32)
    packed = hasher.to_packed()
    packed.save(tmp_path / "model.skhash")
    np.save(tmp_path / "X.npy", X)
    paths = [tmp_path / name for name in ("model.skhash", "X.npy", "codes.npy")]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), packed.codes(X))
    np.testing.assert_array_equal(packed.transform(X), hasher.transform(X))
    counts = packed.network.count_parameters()
    size = (tmp_path / "model.skhash").stat().st_size
    assert size <= counts["binary"] / 8 + counts["int8"] + 4 * counts["real"] + 4096


def test_features(fitted_on_features, digits):
    X = digits[0].reshape(len(digits[0]), -1).astype(float)
    assert fitted_on_features.inference_ == "packed"
    comparison = fitted_on_features.compare_packed(X)
    assert comparison.n_differing_bits <= 1e-4 * X.shape[0] * 24
    assert comparison.largest_differing < 1e-3
    z = fitted_on_features.decision_function(X)
    np.testing.assert_array_equal(fitted_on_features.decision_function(X[5:6]), z[5:6])


def test_pickles_and_clones(fitted, digits):
    images, _ = digits
    codes = fitted.transform(images[:50])
    state = fitted.__getstate__()
    assert "_packed" not in state
    assert "_packed" in vars(fitted)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.inference_ == "packed"
    np.testing.assert_array_equal(again.transform(images[:50]), codes)
    assert not hasattr(clone(fitted), "inference_")
    assert clone(fitted.set_params(inference="auto")).inference == "auto"


def test_changed_weights_change_codes(fitted, digits):
    images, _ = digits
    hasher = pickle.loads(pickle.dumps(fitted))
    before = hasher.transform(images[:50])
    with torch.no_grad():
        hasher.module_.head.balance.weight.neg_()
        hasher.module_.head.balance.bias.neg_()
    z = hasher.decision_function(images[:50])
    assert (hasher.transform(images[:50]) != before).mean() > 0.9
    hasher.module_.load_state_dict(fitted.module_.state_dict())
    np.testing.assert_array_equal(hasher.transform(images[:50]), before)
    for name in ("weight", "bias"):
        setattr(hasher.module_.head.balance, name, torch.nn.Parameter(-getattr(hasher.module_.head.balance, name)))
    np.testing.assert_array_equal(hasher.decision_function(images[:50]), z)
    parameters = list(hasher.module_.head.balance.parameters())
    torch.nn.utils.vector_to_parameters(-torch.nn.utils.parameters_to_vector(parameters), parameters)
    np.testing.assert_array_equal(hasher.transform(images[:50]), before)


def test_changed_layers_change_codes(fitted, digits):
    images, _ = digits
    hasher = pickle.loads(pickle.dumps(fitted))
    z = hasher.decision_function(images[:50])
    hasher.module_.head = torch.nn.Sequential(hasher.module_.head, torch.nn.ReLU())
    np.testing.assert_array_equal(hasher.decision_function(images[:50]), np.maximum(z, 0))
    hasher.module_.head[1] = torch.nn.Softplus()
    with pytest.raises(ValueError, match=r"head.1 \(Softplus\) cannot be exported"):
        hasher.transform(images[:50])


def test_partial_fit_goes_on_with_packed_codes(digits):
    images, y = digits
    hasher = HashNetHasher(bits=16, backbone=bireal_tiny(rule="bireal"), random_state=0)
    for part in (slice(200), slice(200, 400)):
        hasher.partial_fit(images[part], y[part])
        assert hasher.inference_ == "packed"
        np.testing.assert_array_equal(hasher.to_packed().transform(images), hasher.transform(images))


def test_what_cannot_be_packed_is_computed_by_torch(digits):
    images, y = digits
    small = OrthoHasher(bits=8, max_epochs=1, random_state=0).fit(images[:100], y[:100])
    assert small.inference_ == "torch"
    with pytest.raises(ValueError, match=r"backbone \(SmallCNN\) cannot be exported: there is no exporter"):
        small.to_packed()
    real = on_images(images[:100] / 255, y[:100], max_epochs=1)
    assert real.inference_ == "torch"
    with pytest.raises(ValueError, match="fitted on images with floating-point pixels"):
        real.to_packed()
    with pytest.raises(ValueError, match=r"X has integer pixels from 0 to 7\d\d; expected 0 to 255"):
        on_images(images[:100].astype(np.int32) * 3, y[:100], max_epochs=1)
    with pytest.raises(ValueError, match="inference"):
        OrthoHasher(inference="packed").fit(images[:100], y[:100])


def test_pixels_of_more_than_a_byte_are_refused(fitted, digits):
    images, _ = digits
    with pytest.raises(ValueError, match=r"X has integer pixels from 0 to 7\d\d; expected 0 to 255"):
        fitted.transform(images[:4].astype(np.int32) * 3)


class Items(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, row):
        return torch.from_numpy(self.images[row][None])


def test_images_in_any_container(fitted, digits):
    images = np.concatenate([digits[0][:40], np.arange(256, dtype=np.uint8).reshape(4, 8, 8)])  # all pixels there are
    codes = fitted.transform(images)
    for same in (images.astype(np.int64), images[..., None], images[:, None], Items(images), Items(images.astype(int))):
        np.testing.assert_array_equal(fitted.transform(same), codes)


def test_a_network_that_torch_computes_leaves_no_packed_one(digits):
    images, y = digits
    hasher = on_images(images[:100], y[:100], max_epochs=1)
    assert "_packed" in vars(hasher)
    hasher.set_params(inference="torch").fit(images[:100], y[:100])
    assert "_packed" not in vars(hasher)
