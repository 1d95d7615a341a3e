import pytest
import torch

from skhash import OrthoHasher
from skhash.training import ColorJitter, GaussianBlur, ImageViews, RandomFlip, RandomGrayscale, RandomResizedCrop

NOTHING = {"crop": 0, "flip": 0, "jitter": 0, "grayscale": 0, "blur": 0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_operations_one_after_the_other():
    images = torch.rand(16, 3, 8, 8, generator=seeded())
    options = {"crop_scale": (0.2, 0.9), "jitter_strength": (0.4, 0.8, 0.6, 0.2), "blur_kernel": 5}
    views = ImageViews(0.9, 0.4, 0.6, 0.3, 0.7, blur_sigma=(1, 2), **options)
    generator = seeded()
    expected = RandomResizedCrop((0.2, 0.9), p=0.9)(images, generator)
    expected = RandomFlip(0.4)(expected, generator)
    expected = ColorJitter(brightness=0.4, contrast=0.8, saturation=0.6, hue=0.2, p=0.6)(expected, generator)
    expected = RandomGrayscale(0.3)(expected, generator)
    expected = GaussianBlur(5, (1, 2), p=0.7)(expected, generator)
    assert torch.equal(views(images, seeded()), expected)


@pytest.mark.parametrize("name", NOTHING)
def test_each_probability_switches_one_operation(name):
    images = torch.rand(4, 3, 8, 8, generator=seeded())
    assert torch.equal(ImageViews(**NOTHING)(images, seeded()), images)
    views = ImageViews(**{**NOTHING, name: 1})(images, seeded())
    assert not torch.isclose(views, images).flatten(1).all(1).any()


def test_weaker_multiplies_all_probabilities_and_keeps_the_rest():
    views = ImageViews(jitter=0.8, jitter_strength=(0.4, 0.8, 0.8, 0.2), crop_scale=(0.08, 1), blur_kernel=25)
    weak = views.weaker()
    assert [weak.crop, weak.flip, weak.jitter, weak.grayscale, weak.blur] == [0.5, 0.25, 0.4, 0.1, 0.25]
    assert weak.crop_scale == (0.08, 1)
    assert weak.jitter_strength == (0.4, 0.8, 0.8, 0.2)
    assert weak.blur_kernel == 25
    assert ImageViews().weaker(0) == ImageViews(**NOTHING)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 2}, r"'flip' parameter of ImageViews must be a float in the range \[0.0, 1.0\]. Got 2"),
        ({"jitter_strength": 0.4}, r"jitter_strength of ImageViews must be a tuple \(brightness, .*, hue\), got 0.4"),
        ({"jitter_strength": (1, 1, 1, 1)}, r"'hue' parameter of ColorJitter must be .*\[0.0, 0.5\]. Got 1"),
        ({"crop_scale": (0.5, 2)}, r"scale of RandomResizedCrop must be a pair"),
        ({"blur_kernel": 2}, r"kernel of GaussianBlur must be an odd number"),
    ],
)
def test_options_are_checked_when_they_are_given(options, message):
    with pytest.raises(ValueError, match=message):
        ImageViews(**options)


def test_a_hasher_trains_on_them(digits):
    def hasher(views):
        return OrthoHasher(bits=16, max_epochs=2, views=views, random_state=0).fit(digits.images[:300], digits.y[:300])

    codes = hasher(ImageViews(flip=0)).transform(digits.images[:300])
    assert (codes == hasher(ImageViews(flip=0)).transform(digits.images[:300])).all()
    assert (codes != hasher(None).transform(digits.images[:300])).any()
