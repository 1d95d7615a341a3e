import math

import pytest
import torch
import torch.nn.functional as F

from skhash.training import RandomResizedCrop
from skhash.training.views._random_resized_crop import crop_and_resize


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def read(image, row, column):
    """Interpolate between the pixels of an image (c, h, w) at a position in pixels; the outermost ones go on."""
    _, height, width = image.shape
    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = min(int(row), height - 2), min(int(column), width - 2)
    down, right = row - top, column - left
    upper = (1 - right) * image[:, top, left] + right * image[:, top, left + 1]
    lower = (1 - right) * image[:, top + 1, left] + right * image[:, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def test_views_are_rectangles_pixel_by_pixel():
    images = torch.rand(6, 2, 5, 7, generator=seeded(), dtype=torch.float64)
    crop = RandomResizedCrop(scale=(0.1, 1))
    boxes = [values.flatten().tolist() for values in crop._draw(images, seeded())]
    views = crop._apply(images, seeded())
    for image, view, left, top, width, height in zip(images, views, *boxes, strict=True):
        expected = torch.empty_like(view)
        for i in range(5):
            for j in range(7):
                row = (top + height * (i + 0.5) / 5) * 5 - 0.5
                column = (left + width * (j + 0.5) / 7) * 7 - 0.5
                expected[:, i, j] = read(image, row, column)
        torch.testing.assert_close(view, expected)


def test_like_torchs_interpolation_of_the_sliced_image():
    images = torch.rand(1, 3, 16, 16, generator=seeded(), dtype=torch.float64)
    box = [torch.full((1, 1, 1, 1), share, dtype=torch.float64) for share in (4 / 16, 2 / 16, 8 / 16, 10 / 16)]
    view = crop_and_resize(images, *box)
    reference = F.interpolate(images[:, :, 2:12, 4:12], size=(16, 16), mode="bilinear", align_corners=False)
    # At its edges, ours looks at the pixels that lie beyond the rectangle, but in the image.
    torch.testing.assert_close(view[:, :, 1:-1, 1:-1], reference[:, :, 1:-1, 1:-1])


def test_the_whole_image_is_itself():
    images = torch.rand(4, 3, 9, 6, generator=seeded())
    torch.testing.assert_close(RandomResizedCrop(scale=(1, 1))(images, seeded()), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(1, 20, 20), (1, 10, 40)])
def test_area_ratio_and_position_are_as_wanted(shape):
    images = torch.zeros(4000, *shape, dtype=torch.float64)
    scale, ratio = (0.3, 0.6), (0.5, 2)
    left, top, width, height = RandomResizedCrop(scale, ratio)._draw(images, seeded())
    area = width * height
    assert 0.3 <= area.min() < 0.31
    assert 0.59 < area.max() <= 0.6
    assert area.mean().item() == pytest.approx(0.45, abs=0.01)
    assert (left >= 0).all()
    assert (left + width <= 1 + 1e-9).all()
    assert (top >= 0).all()
    assert (top + height <= 1 + 1e-9).all()
    assert (left / (1 - width).clamp(min=1e-9)).mean().item() == pytest.approx(0.5, abs=0.03)
    log_ratio = (width * shape[2] / (height * shape[1])).log()
    fits = (width < 1 - 1e-9) & (height < 1 - 1e-9)
    assert fits.double().mean() > 0.05
    assert (log_ratio[fits].abs() <= math.log(2) + 1e-9).all()
    if shape[1] == shape[2]:
        assert log_ratio.mean().item() == pytest.approx(0, abs=0.03)
        assert log_ratio.std().item() > 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (0, 1)}, r"scale of RandomResizedCrop must be .* \(0.0, 1.0\], got \(0, 1\)"),
        ({"scale": (0.8, 0.5)}, r"scale of RandomResizedCrop must be .* low <= high, got \(0.8, 0.5\)"),
        ({"scale": 0.5}, r"scale of RandomResizedCrop must be a pair .* got 0.5"),
        ({"ratio": (-1, 1)}, r"ratio of RandomResizedCrop must be a pair .* \(0.0, inf\), got \(-1, 1\)"),
    ],
)
def test_ranges_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        RandomResizedCrop(**options)
