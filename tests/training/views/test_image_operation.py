import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skhash import OrthoHasher
from skhash.training import ColorJitter, GaussianBlur, ImageViews, RandomFlip, RandomGrayscale, RandomResizedCrop
from skhash.training.views._image_operation import ImageOperation

OPERATIONS = [
    RandomResizedCrop(scale=(0.2, 0.8)),
    RandomFlip(),
    ColorJitter(),
    RandomGrayscale(),
    GaussianBlur(kernel=5),
    ImageViews(),
]
by_name = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: type(operation).__name__)


@dataclass(frozen=True)
class AddOne(ImageOperation):
    p: float = 0.5

    def _apply(self, images, generator):
        return images + 1


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("p", "low", "high"), [(0, 0, 0), (0.3, 0.26, 0.34), (1, 1, 1)])
def test_images_are_changed_with_probability_p(p, low, high):
    changed = AddOne(p)(torch.zeros(2000, 1, 2, 2), seeded()).flatten(1)
    assert (changed == changed[:, :1]).all()
    assert low <= changed.mean() <= high


def test_weaker_multiplies_the_probability():
    assert AddOne(0.8).weaker() == AddOne(0.4)
    assert AddOne(0.8).weaker(0.25) == AddOne(0.2)
    with pytest.raises(ValueError, match=r"'factor' parameter of weaker must be a float in the range \[0.0, 1.0\]"):
        AddOne().weaker(2)


@by_name
def test_the_generator_decides_all(operation):
    images = torch.rand(32, 3, 12, 10, generator=seeded(5))
    before, state, numpy_state = images.clone(), torch.get_rng_state(), np.random.get_state()[1].copy()
    views = operation(images, seeded())
    assert torch.equal(views, operation(images, seeded()))
    assert not torch.equal(views, operation(images, seeded(1)))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()


@by_name
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_views_are_like_the_images(operation, channels, dtype):
    images = torch.rand(16, channels, 9, 14, generator=seeded(), dtype=dtype)
    views = operation(images, seeded())
    assert views.shape == images.shape
    assert views.dtype == dtype
    assert views.is_contiguous()
    assert 0 <= views.min() <= views.max() <= 1 + 1e-6


@pytest.mark.parametrize("operation", [*OPERATIONS[:-1], ImageViews(crop=0)])  # crops may lose black and white
def test_pixels_may_have_any_scale(operation):
    """Views of pixels from -3 to 5 are those of the same pixels from 0 to 1."""
    images = torch.rand(16, 3, 8, 8, generator=seeded(), dtype=torch.float64)
    images[:, :, 0, 0], images[:, :, 7, 7] = 0, 1  # black and white in every image, whichever are chosen
    torch.testing.assert_close(operation(8 * images - 3, seeded()), 8 * operation(images, seeded()) - 3)


@by_name
def test_operations_are_values(operation):
    assert pickle.loads(pickle.dumps(operation)) == operation
    assert eval(repr(operation)) == operation
    assert clone(OrthoHasher(views=operation)).views == operation


@by_name
@pytest.mark.parametrize("batch", [torch.zeros(4, 8), torch.zeros(4, 3, 8, 8, dtype=torch.uint8)])
def test_what_is_no_batch_of_images_in_floats(operation, batch):
    with pytest.raises(ValueError, match=r"views: \w+ takes images \(n, .*\) of floats, got a batch of shape"):
        operation(batch, seeded())


@pytest.mark.parametrize("operation", [AddOne, RandomFlip, RandomGrayscale, ColorJitter, GaussianBlur])
def test_probabilities_are_from_zero_to_one(operation):
    with pytest.raises(ValueError, match=r"'p' parameter of \w+ must be a float in the range \[0.0, 1.0\]. Got 1.5"):
        operation(p=1.5)
