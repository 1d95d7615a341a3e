import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from skhash.training import CopyViews
from skhash.training.views import _overlays
from skhash.training.views._overlays import draw_overlays
from skhash.training.views._quality import _STEPS, lose_quality, quantize

NOTHING = dict.fromkeys(("crop", "flip", "rotate", "border", "overlay", "tone", "jitter", "grayscale", "quality"), 0.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape):
    return torch.rand(shape, generator=generator(1))


def views(**probabilities):
    return CopyViews(**{**NOTHING, **probabilities})


def test_nothing_changes_without_a_change():
    images = noise(6, 3, 20, 14)
    torch.testing.assert_close(views()(images, generator()), images, atol=1e-5, rtol=0)


def test_mirrors():
    images = noise(6, 3, 20, 14)
    torch.testing.assert_close(views(flip=1)(images, generator()), images.flip(3), atol=1e-5, rtol=0)


def test_crops_a_window():
    """A ramp becomes a flatter one whose slope is the share of the side."""
    rows, columns = torch.arange(40) / 39, torch.arange(60) / 59
    ramps = torch.stack([rows[:, None].expand(40, 60), columns.expand(40, 60)])[None].repeat(50, 1, 1, 1)
    cropped = CopyViews(**{**NOTHING, "crop": 1.0}, crop_scale=(0.25, 0.36))(ramps, generator())
    height = (cropped[:, 0, 30, 20] - cropped[:, 0, 10, 20]) / (20 / 39)
    width = (cropped[:, 1, 20, 40] - cropped[:, 1, 20, 10]) / (30 / 59)
    area = height * width
    assert ((area > 0.24) & (area < 0.37)).all()
    assert area.std() > 0.01
    assert (height / width).std() > 0.05
    assert cropped[:, 0].mean((1, 2)).std() > 0.05  # the window moves


def test_rotates_by_the_same_angle_in_both_directions_of_an_oblong_image():
    y, x = torch.meshgrid(torch.arange(40) - 19.5, torch.arange(80) - 39.5, indexing="ij")
    blob = torch.exp(-(y**2 + x**2) / 50)[None, None].repeat(20, 1, 1, 1)
    turned = CopyViews(**{**NOTHING, "rotate": 1.0}, angle=20.0)
    torch.testing.assert_close(
        turned(blob, generator())[:, :, 8:-8, 20:-20], blob[:, :, 8:-8, 20:-20], atol=0.02, rtol=0
    )
    line = torch.exp(-(x**2) / 8)[None, None].repeat(20, 1, 1, 1)
    assert (turned(line, generator()) - line).abs().mean((1, 2, 3)).max() > 0.05


def test_borders_have_one_color_and_keep_the_image():
    images = 0.3 + 0.4 * noise(200, 1, 1, 1).expand(200, 3, 32, 32)
    framed = CopyViews(**{**NOTHING, "border": 1.0}, border_width=0.2)(images, generator())
    kept = ((framed - images).abs() < 1e-5).all(1).float().mean((1, 2))
    assert kept.min() < 0.45
    assert kept.max() > 0.85  # the narrowest borders take a part of the outermost pixels
    assert (framed[:, :, 16, 16] - images[:, :, 16, 16]).abs().max() < 1e-5
    corners = framed[:, :, [0, 0, 31, 31], [0, 31, 0, 31]]
    outside = kept < 0.6
    spread = corners[outside].amax(2) - corners[outside].amin(2)
    assert (spread.amax(1) < 1e-5).float().mean() > 0.5  # others have no border on some side


@pytest.mark.parametrize("kind", range(3))
def test_overlays_cover_a_part(monkeypatch, kind):
    monkeypatch.setattr(_overlays, "_DRAW", (_overlays._DRAW[kind],) * 3)
    images = noise(100, 3, 48, 36)
    drawn = draw_overlays(images, 1.0, generator())
    covered = ((drawn - images).abs() > 1e-6).any(1).float().mean((1, 2))
    assert ((covered > 0.003) & (covered < 0.7)).all()
    assert covered.std() > 0.02
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_bars_lie_along_the_edges():
    image = torch.full((3, 40, 30), 0.5)
    _overlays.draw_bar(image, generator(3))
    changed = (image != 0.5).any(0)
    assert changed.any()
    assert changed.all(0).any() or changed.all(1).any()
    assert changed[0].all() or changed[-1].all() or changed[:, 0].all() or changed[:, -1].all()
    assert len(image[:, changed].unique(dim=1).T) == 1


def test_only_the_chosen_share_is_overlaid():
    images = noise(400, 1, 16, 16)
    same = (draw_overlays(images, 0.25, generator()) == images).flatten(1).all(1).float().mean()
    assert 0.68 < same < 0.82


@pytest.mark.parametrize("quality", [8, 30, 50, 75, 95])
def test_quantization_equals_a_loop_over_blocks(quality):
    images = noise(2, 2, 19, 13).double()
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = np.clip(np.array(_STEPS) * percent / 100, 1, 255) / 255
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (0, 5), (0, 3)), mode="edge")
    for image in padded:
        for channel in image:
            for y in range(0, 24, 8):
                for x in range(0, 16, 8):
                    block = dctn(channel[y : y + 8, x : x + 8] - 0.5, norm="ortho")
                    channel[y : y + 8, x : x + 8] = idctn(np.round(block / steps) * steps, norm="ortho") + 0.5
    found = quantize(images, torch.full((2, 1, 1, 1), float(quality), dtype=torch.float64))
    np.testing.assert_allclose(found, padded[:, :, :19, :13], atol=1e-9)


def test_quality_is_lost_at_about_the_given_share():
    images = noise(400, 1, 16, 16)
    same = (lose_quality(images, 0.5, generator()) == images).flatten(1).all(1).float().mean()
    assert 0.42 < same < 0.6  # noise and quantization may be too weak to change anything


def test_tone_changes_brightness_and_keeps_the_order_of_pixels():
    images = 0.4 + 0.2 * noise(50, 1, 8, 8)
    toned = views(tone=1.0)(images, generator())
    inner = ((toned > 0) & (toned < 1)).flatten(1)
    assert (toned.mean((1, 2, 3)) - images.mean((1, 2, 3))).std() > 0.05
    for before, after, free in zip(images.flatten(1), toned.flatten(1), inner, strict=True):
        assert (after[free][before[free].argsort()].diff() >= -1e-6).all()


def test_the_same_generator_draws_the_same_views_and_leaves_global_state():
    images, before = noise(8, 3, 24, 24), torch.get_rng_state()
    first, second = CopyViews()(images, generator(5)), CopyViews()(images, generator(5))
    assert torch.equal(first, second)
    assert not torch.equal(first, CopyViews()(images, generator(6)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 1, 8, 8), (2, 4, 5, 9), (0, 3, 8, 8)])
def test_any_size(shape):
    assert CopyViews(overlay=1, quality=1)(noise(*shape), generator()).shape == shape


def test_pixels_of_any_range():
    """Views of pixels from 0 to 16, as digits have, stay in this range and are those of pixels from 0 to 1."""
    images = noise(8, 1, 12, 12)
    images[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    small, large = CopyViews()(images, generator()), CopyViews()(16 * images, generator())
    torch.testing.assert_close(16 * small, large, atol=1e-3, rtol=0)


def test_weaker_views_have_lower_probabilities():
    weak = CopyViews().weaker(0.5)
    assert (weak.crop, weak.overlay, weak.quality) == (0.25, 0.2, 0.25)
    assert weak.crop_scale == CopyViews().crop_scale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 1.5}, "crop"),
        ({"angle": -1.0}, "angle"),
        ({"border_width": 2.0}, "border_width"),
        ({"crop_scale": (0.5, 0.2)}, "crop_scale of CopyViews must be a pair"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(ValueError, match=message):
        CopyViews(**options)


def test_features_are_refused():
    with pytest.raises(ValueError, match="CopyViews takes images"):
        CopyViews()(torch.rand(4, 10), generator())
