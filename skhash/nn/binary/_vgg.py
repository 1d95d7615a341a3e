"""A network without shortcuts: between its layers there are only bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skhash.nn.binary._layers import BinaryConv2d, Pad
from skhash.nn.binary._resnet import Stem, make_stem
from skhash.nn.binary._rules import Rule, make_rule
from skhash.nn.binary._seeded import seeded


class BinaryVGG(nn.Module):
    """Network of six 3 x 3 convolutions, the first on pixels and five binary; 2 x 2 max pooling after every second.

    Its features are -1 and +1, at all positions of the last map, so that a binary layer may follow.

    Parameters
    ----------
    channels : int
        Channels of the images.
    image_size : int or (int, int)
        Height and width of the images, at least 8.
    width : int, default=128
        Channels of the first two convolutions; the others have twice and four times as many.
    rule : str or Rule, default="bnn"
        As for `BinaryResNet`.
    pad : {"zero", "minus", "plus"}, default="zero"
        Border of the binary convolutions.
    stem : {"int8", "float"}, default="int8"
        As for `BinaryResNet`.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.
    takes_pixels : bool
        Whether inputs must be pixels in [0, 1] as they are, not standardized ones.
    """

    layers: nn.Sequential
    out_features: int
    takes_pixels: bool

    def __init__(
        self,
        channels: int,
        image_size: int | tuple[int, int],
        *,
        width: int = 128,
        rule: str | Rule = "bnn",
        pad: Pad = "zero",
        stem: Stem = "int8",
    ) -> None:
        super().__init__()
        rule = make_rule(rule)
        rows, columns = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(rows, columns) < 8:
            raise ValueError(f"image_size must be at least 8 pixels, got {rows} x {columns}: three poolings halve it.")
        self.takes_pixels = stem == "int8"
        layers = [make_stem(stem, channels, width), rule.activation(width)]
        n_in = width
        for i, n_out in enumerate((width, 2 * width, 2 * width, 4 * width, 4 * width)):
            layers += [
                rule.sign(n_in),
                BinaryConv2d(n_in, n_out, 3, padding=1, pad_mode=pad, weight_rule=rule.weights),
                nn.MaxPool2d(2) if i % 2 == 0 else nn.Identity(),
                nn.BatchNorm2d(n_out),
                rule.activation(n_out),
            ]
            n_in = n_out
        self.layers = nn.Sequential(*layers, rule.sign(n_in), nn.Flatten())
        self.out_features = n_in * (rows // 8) * (columns // 8)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, channels, height, width) into features (n, out_features), of -1 and +1."""
        return self.layers(images.contiguous(memory_format=torch.channels_last))


@seeded
def vgg_small(channels: int = 3, image_size: int | tuple[int, int] = 32, **options: Any) -> BinaryVGG:
    """Make VGG-small, all binary except the first layer: 4.6 million binary weights.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    image_size : int or (int, int), default=32
        Height and width of the images, at least 8.
    **options
        `width`, `rule`, `pad` and `stem`, see `BinaryVGG`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryVGG
        Network with 8192 output features, of -1 and +1, for images of 32 pixels.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import vgg_small
    >>> vgg_small(width=16)(torch.rand(2, 3, 32, 32)).unique().tolist()
    [-1.0, 1.0]
    """
    return BinaryVGG(channels, image_size, **options)
