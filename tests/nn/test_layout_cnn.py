"""The network that keeps places."""

import pytest
import torch

from skhash.nn import LayoutCNN


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (12, 30), (28, 28), (32, 32), (48, 48), (64, 96), (224, 224)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size(size, channels):
    network = LayoutCNN(channels, *size).eval()
    out = network(torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (2, network.out_features)
    assert out.isfinite().all()


def test_brightness_and_contrast_of_an_image_do_not_matter():
    network = LayoutCNN(3, 32, 32).eval()
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(0.3 + 0.4 * images), network(images), atol=1e-4, rtol=1e-3)
    assert network(torch.full((1, 3, 32, 32), 0.5)).isfinite().all()  # one color


def test_places_are_kept():
    """The mean over the image would be the same."""
    network = LayoutCNN(1, 48, 48).eval()
    image = torch.zeros(1, 1, 48, 48)
    image[:, :, 8:16, 8:16] = 1
    moved = image.roll((16, 16), (2, 3))
    assert (network(image) - network(moved)).abs().max() > 0.05
