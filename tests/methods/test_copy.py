"""CopyHasher: copies of an image get nearly its code."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skhash import CopyHasher, HammingIndex, PerceptualHasher
from skhash.losses import copy_loss
from skhash.training import CopyViews, FeatureViews


@pytest.fixture(scope="module")
def pictures():
    """Smooth random pictures, of which some are for training and others are copied."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.standard_normal((900, 24, 24)), (0, 3, 3))
    noise /= noise.std((1, 2), keepdims=True)
    return np.clip(128 + 60 * noise, 0, 255).astype(np.uint8)


def small(**options):
    return CopyHasher(**{"bits": 32, "max_epochs": 12, "batch_size": 128, "random_state": 0, **options})


def found_first(hasher, originals, copies):
    index = HammingIndex(n_neighbors=1).fit(hasher.transform(originals))
    return (index.kneighbors(hasher.transform(copies))[1][:, 0] == np.arange(len(originals))).mean()


def test_mirrored_copies_of_new_pictures_are_found(pictures):
    train, new = pictures[:600], pictures[600:]
    mirrored = np.ascontiguousarray(new[:, :, ::-1])
    hasher = small(views=CopyViews(flip=0.5, crop=0, rotate=0, border=0, overlay=0)).fit(train)
    untrained = small(max_epochs=1, learning_rate=1e-12).fit(train)
    assert found_first(PerceptualHasher("dhash"), new, mirrored) < 0.1
    assert found_first(untrained, new, mirrored) < 0.2
    assert found_first(hasher, new, mirrored) > 0.4


def test_brighter_copies_have_the_code(pictures):
    """Each image is standardized by itself."""
    hasher = small(max_epochs=2).fit(pictures[:300] / 255)
    darker = 0.2 + 0.5 * pictures[300:600] / 255
    assert (hasher.transform(darker) == hasher.transform(pictures[300:600] / 255)).mean() > 0.99


def test_the_trained_loss_is_the_loss(pictures):
    # One batch, so that the loss of the first epoch is that of the untrained network; views that change nothing.
    options = {"temperature": 0.3, "binary_weight": 0.25, "entropy_weight": 0.2}
    views = CopyViews(**dict.fromkeys(("crop", "flip", "rotate", "border", "overlay", "tone", "jitter"), 0.0),
                      grayscale=0.0, quality=0.0)  # fmt: skip
    hasher = small(max_epochs=1, batch_size=300, learning_rate=1e-12, views=views, **options).fit(pictures[:300])
    module = hasher.module_
    module.train()
    with torch.inference_mode():
        z = module(torch.from_numpy(pictures[:300, None] / np.float32(255)))
    expected = copy_loss(z, z, **options)
    assert hasher.history_[0]["loss"] == pytest.approx(expected.item(), rel=0.02)


def test_the_defaults_are_those_of_images_and_of_features(pictures, digits):
    hasher = small(max_epochs=1).fit(pictures[:64])
    assert type(hasher.module_.backbone).__name__ == "LayoutCNN"
    views = hasher._choose_views(type("Samples", (), {"sample_shape": (1, 24, 24)}))
    assert views[1] == CopyViews()
    views = hasher._choose_views(type("Samples", (), {"sample_shape": (64,)}))
    assert isinstance(views[1], FeatureViews)


def test_other_backbones_by_name(pictures):
    hasher = small(backbone="bireal_tiny", max_epochs=1).fit(pictures[:64])
    assert hasher.inference_ == "packed"
    np.testing.assert_array_equal(hasher.transform(pictures[:9]), hasher.decision_function(pictures[:9]) >= 0)


@pytest.mark.parametrize(("name", "value"), [("temperature", 0), ("binary_weight", 1.5), ("entropy_weight", -1)])
def test_parameters_are_checked(pictures, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of CopyHasher must be a float"):
        small(**{name: value}).fit(pictures[:64])
