"""Hashers of images that come in several forms."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skhash import OrthoHasher
from skhash.inputs import read_images


def small(**options):
    return OrthoHasher(**{"bits": 16, "random_state": 0, **options})


def test_a_background_is_kept():
    images8, y = load_digits().images.astype(np.uint8), load_digits().target
    image_module = pytest.importorskip("PIL.Image")
    clear = np.zeros((40, 8, 8, 4), np.uint8)
    clear[..., 3] = 255 - 15 * images8[:40]
    images = [image_module.fromarray(image) for image in clear]
    hasher = small(max_epochs=1, background="red").fit(images, y[:40])
    codes = hasher.transform(images)
    np.testing.assert_array_equal(hasher.transform(clear), codes)
    np.testing.assert_array_equal(hasher.transform(read_images(images, background="red")), codes)
    assert (small(max_epochs=1).fit(images, y[:40]).decision_function(images) != hasher.decision_function(images)).any()
    with pytest.raises(ValueError, match="X has background='black', but the hasher has background='red'"):
        hasher.transform(read_images(images, background="black"))
    np.testing.assert_array_equal(hasher.set_params(background="white").transform(images), codes)


def test_files_for_a_network_of_gray_arrays_become_gray():
    images8, y = load_digits().images.astype(np.uint8), load_digits().target
    image_module = pytest.importorskip("PIL.Image")
    hasher = small(max_epochs=1).fit(images8, y)
    files = [image_module.fromarray(image) for image in images8[:9]]
    for images in (files, [file.convert("RGB") for file in files]):
        np.testing.assert_array_equal(hasher.transform(images), hasher.transform(images8[:9]))


class Items(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, row):
        return self.items[row]


@pytest.mark.parametrize("channels", [1, 3])
def test_every_form_of_the_same_pictures_has_the_same_continuous_codes(channels):
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3)).astype(np.uint8)[..., :channels]
    hasher = small(max_epochs=1).fit(pixels, np.arange(24) % 4)
    expected = hasher.decision_function(pixels)
    first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    pil = [image_module.fromarray(image if channels == 3 else image[..., 0]) for image in pixels]
    forms = {
        "contiguous": pixels.copy(),
        "channels first": first,
        "fortran": np.asfortranarray(pixels),
        "tensor": torch.from_numpy(first),
        "list": list(pixels),
        "uint16": pixels.astype(np.uint16) << 8,
        "int64": pixels.astype(int),
        "PIL": pil,
        "dataset of PIL": Items(pil),
        "dataset of arrays": Items(list(pixels)),
        "dataset of tensors": Items(list(torch.from_numpy(first))),
    }
    if channels == 3:
        forms["opaque"] = np.concatenate([pixels, np.full((24, 16, 16, 1), 255, np.uint8)], axis=3)
    for name, form in forms.items():
        np.testing.assert_array_equal(hasher.decision_function(form), expected, err_msg=name)
