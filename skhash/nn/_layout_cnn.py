"""A convolutional network that tells apart images by what is where, for the detection of copies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SIDE = 48
_PLACES = 6
_FLATTEST = 0.02  # standard deviation below which an image counts as one color, of pixels from 0 to 1


class LayoutCNN(nn.Module):
    """Convolutional network whose features keep the places of what it sees: no mean over the whole image.

    Every image is standardized by itself, so that brightness and contrast do not matter, and larger ones are reduced to
    48 x 48 pixels by averages. Features are those of the last layer at up to 6 x 6 places.

    Parameters
    ----------
    channels : int
        Channels of the images.
    height, width : int
        Size of the images.
    filters : int, default=24
        Filters of the first layer; the next ones have twice to four times as many.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.
    """

    layers: nn.Sequential
    out_features: int

    def __init__(self, channels: int, height: int, width: int, filters: int = 24) -> None:
        super().__init__()
        self.size = min(height, _SIDE), min(width, _SIDE)
        # Small images are not reduced further by the stem, and pools leave some places of any image.
        small = min(self.size) < _SIDE // 2
        wide = 2 * filters, 8 * filters // 3, 4 * filters
        self.layers = nn.Sequential(
            _conv(channels, filters, 3 if small else 5, 1 if small else 2),
            _conv(filters, wide[0], 3, 2),
            _conv(wide[0], wide[1]),
            _conv(wide[1], wide[2], 3, 1 if min(self.size) < _SIDE // 4 else 2),
            _conv(wide[2], wide[2]),
        )
        places = [min(side, _PLACES) for side in self.size]
        self.pool = nn.AdaptiveAvgPool2d((places[0], places[1]))
        self.out_features = wide[2] * places[0] * places[1]

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, channels, height, width) into features (n, out_features)."""
        x = images
        if tuple(x.shape[2:]) != self.size:
            x = F.interpolate(x, self.size, mode="area")
        x = x - x.mean((1, 2, 3), keepdim=True)
        x = x / x.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=_FLATTEST)
        # Channels last takes a quarter less time on a CPU than channels first.
        return self.pool(self.layers(x.contiguous(memory_format=torch.channels_last))).flatten(1)


def _conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )
