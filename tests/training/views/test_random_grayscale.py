import pytest
import torch

from skhash.training import RandomGrayscale


def test_gray_images_like_those_of_pillow():
    image_module = pytest.importorskip("PIL.Image")
    pixels = torch.randint(0, 256, (20, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    views = RandomGrayscale(p=1)(pixels / 255, torch.Generator())
    assert torch.equal(views[:, 0], views[:, 1])
    assert torch.equal(views[:, 0], views[:, 2])
    for image, view in zip(pixels, views, strict=True):
        gray = image_module.fromarray(image.permute(1, 2, 0).contiguous().numpy()).convert("L")
        expected = torch.tensor(list(gray.tobytes()), dtype=torch.float32).view(4, 4)
        torch.testing.assert_close(255 * view[0], expected, atol=0.51, rtol=0)


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels_stay(channels):
    images = torch.rand(8, channels, 3, 3)
    assert torch.equal(RandomGrayscale(p=1)(images, torch.Generator()), images)
