import math

import pytest
import torch

from skhash.training import GaussianBlur
from skhash.training.views._gaussian_blur import blur


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blurred(image, sigma, kernel):
    """Blur an image (c, h, w) pixel by pixel."""
    reach = kernel // 2
    _, height, width = image.shape
    weights = {offset: math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-reach, reach + 1)}
    total = sum(weights.values()) ** 2
    result = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            for down, weight_down in weights.items():
                for right, weight_right in weights.items():
                    i, j = min(max(row + down, 0), height - 1), min(max(column + right, 0), width - 1)
                    result[:, row, column] += weight_down * weight_right / total * image[:, i, j]
    return result


@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_every_pixel_is_an_average_of_its_neighbors(kernel):
    images = torch.rand(3, 2, 4, 6, generator=seeded(), dtype=torch.float64)
    sigma = torch.tensor([0.1, 1.0, 2.0], dtype=torch.float64)
    views = blur(images, sigma[:, None, None, None], kernel)
    for view, image, width in zip(views, images, sigma.tolist(), strict=True):
        torch.testing.assert_close(view, blurred(image, width, kernel))


def test_every_image_has_a_width_of_its_own_in_the_range():
    point = torch.zeros(300, 1, 9, 9, dtype=torch.float64)
    point[:, :, 4, 4] = 1
    views = GaussianBlur(kernel=9, sigma=(0.5, 1), p=1)(point, seeded())
    # Of neighbors in a row, weights fall by exp(-1 / (2 sigma^2)).
    sigma = (-0.5 / (views[:, 0, 4, 5] / views[:, 0, 4, 4]).log()).sqrt()
    assert 0.5 <= sigma.min() < 0.51
    assert 0.99 < sigma.max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": 4}, "kernel of GaussianBlur must be an odd number of pixels, got 4"),
        ({"kernel": 0}, r"'kernel' parameter of GaussianBlur must be an int in the range \[1, inf\). Got 0"),
        ({"sigma": (0, 1)}, r"sigma of GaussianBlur must be a pair \(low, high\) of a float in the range \(0.0, inf\)"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianBlur(**options)
