import colorsys

import pytest
import torch

from skhash.training import ColorJitter
from skhash.training.views._color_jitter import pixel_range, turn_hue

NOTHING = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "p": 1}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def gray(image):
    return 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]


def factors(views, images, center):
    """What every image's differences to its center were multiplied by, which must be one number for all its pixels."""
    result = []
    for view, image in zip(views, images, strict=True):
        middle = center(image)
        away = (image - middle).abs() > 0.02
        ratio = ((view - middle) / (image - middle))[away]
        assert ratio.max() - ratio.min() < 1e-3
        result.append(ratio.mean())
    return torch.stack(result)


@pytest.mark.parametrize(
    ("name", "center"),
    [
        ("brightness", torch.zeros_like),
        ("contrast", lambda image: gray(image).mean().expand_as(image)),
        ("saturation", lambda image: gray(image).expand_as(image)),
    ],
)
def test_each_change_is_a_factor_for_every_image(name, center):
    images = 0.4 + 0.2 * torch.rand(200, 3, 4, 4, generator=seeded(), dtype=torch.float64)  # nothing is cut off
    drawn = factors(ColorJitter(**{**NOTHING, name: 0.3})(images, seeded()), images, center)
    assert 0.7 <= drawn.min() < 0.72
    assert 1.28 < drawn.max() <= 1.3
    assert drawn.mean().item() == pytest.approx(1, abs=0.03)


def test_hue_like_pythons():
    images = torch.rand(40, 3, 3, 3, generator=seeded(), dtype=torch.float64)
    images[0], images[1] = 0.5, images[1, :1]  # gray
    images[2] = torch.eye(3)[:, :, None]  # pure colors
    images[3, 1] = images[3, 0]  # two channels alike
    turns = torch.linspace(-0.5, 0.5, 40, dtype=torch.float64)
    views = turn_hue(images, turns[:, None, None, None])
    for view, image, turn in zip(views, images, turns.tolist(), strict=True):
        for row in range(3):
            for column in range(3):
                hue, saturation, value = colorsys.rgb_to_hsv(*image[:, row, column].tolist())
                expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
                assert view[:, row, column].tolist() == pytest.approx(expected, abs=1e-9)


def test_hues_turn_by_up_to_the_given_share():
    red = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand(300, 1, 1, 3).permute(0, 3, 1, 2)
    views = ColorJitter(**{**NOTHING, "hue": 0.15})(red, seeded())
    hues = [colorsys.rgb_to_hsv(*view.flatten().tolist())[0] for view in views]
    turns = [(hue + 0.5) % 1 - 0.5 for hue in hues]
    assert -0.15 <= min(turns) < -0.14
    assert 0.14 < max(turns) <= 0.15


def test_the_order_is_random_and_the_same_for_a_batch():
    """Brightness before contrast leaves another mean than after it where contrast is cut off."""
    image = torch.tensor([0.05, 0.95]).view(1, 1, 1, 2)
    orders = set()
    for seed in range(20):
        generator = seeded(seed)
        generator_of_factors = seeded(seed)
        jitter = ColorJitter(brightness=0.5, contrast=3, p=1)
        torch.rand(1, generator=generator_of_factors)  # who is chosen
        order = torch.randperm(2, generator=generator_of_factors).tolist()
        expected = image
        for change in order:
            strength = (0.5, 3)[change]
            low = max(0, 1 - strength)
            factor = low + torch.rand(1, generator=generator_of_factors).item() * (1 + strength - low)
            middle = expected.mean() if change else 0
            expected = (middle + (expected - middle) * factor).clamp(0, 1)
        torch.testing.assert_close(jitter(image, generator), expected)
        orders.add(tuple(order))
    assert orders == {(0, 1), (1, 0)}


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_saturation_and_hue_need_three_channels(channels):
    images = torch.rand(8, channels, 4, 4, generator=seeded())
    views = ColorJitter(brightness=0, contrast=0, saturation=1, hue=0.5, p=1)(images, seeded())
    torch.testing.assert_close(views, images)


@pytest.mark.parametrize(
    ("pixels", "limits"),
    [([0.2, 0.7], (0, 1)), ([-1e-6, 0.5], (0, 1)), ([0, 1 + 1e-6], (0, 1)), ([-1, 1], (-1, 1)), ([3, 255], (3, 255))],
)
def test_black_and_white(pixels, limits):
    assert pixel_range(torch.tensor(pixels)) == limits


def test_nothing_is_whiter_than_white():
    images = torch.rand(16, 3, 4, 4, generator=seeded())
    for scale in (1, 2):
        views = ColorJitter(brightness=1, contrast=1, p=1)(scale * images, seeded())
        assert views.max() == (1 if scale == 1 else (2 * images).max())
        assert views.min() >= 0


def test_zero_strength_changes_nothing():
    images = torch.rand(16, 3, 4, 4, generator=seeded())
    torch.testing.assert_close(ColorJitter(**NOTHING)(images, seeded()), images)


def test_strengths_are_checked():
    with pytest.raises(ValueError, match=r"'contrast' parameter of ColorJitter must be .* \[0.0, inf\)"):
        ColorJitter(contrast=-1)
    with pytest.raises(ValueError, match=r"'hue' parameter of ColorJitter must be .* \[0.0, 0.5\]"):
        ColorJitter(hue=0.6)
