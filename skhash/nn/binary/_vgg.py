"""A network without shortcuts: between its layers there are only bits."""

import torch
from torch import nn

from skhash.nn.binary._layers import BinaryConv2d
from skhash.nn.binary._resnet import make_stem
from skhash.nn.binary._rules import make_rule


class BinaryVGG(nn.Module):
    """Six 3 x 3 convolutions, the first on pixels and five binary ones; every second is followed by a 2 x 2 maximum.

    Its features are -1 and +1, at all positions of the last map: what stands behind may be binary, too.

    Parameters
    ----------
    channels : int
        Channels of the images.
    image_size : int or (int, int)
        Height and width of the images, at least 8.
    width : int, default=128
        Channels of the first two convolutions; the others have twice and four times as many.
    rule : str or Rule, default="bnn"
        As of `BinaryResNet`.
    pad : {"zero", "minus", "plus"}, default="zero"
        Border of the binary convolutions.
    stem : {"int8", "float"}, default="int8"
        As of `BinaryResNet`.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.
    takes_pixels : bool
        Whether inputs are to be pixels in [0, 1] as they are, rather than standardised ones.
    """

    def __init__(self, channels, image_size, *, width=128, rule="bnn", pad="zero", stem="int8"):
        super().__init__()
        rule = make_rule(rule)
        rows, columns = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(rows, columns) < 8:
            raise ValueError(f"image_size must be at least 8 pixels, got {rows} x {columns}: three maxima halve it.")
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

    def forward(self, images):
        """Turn images (n, channels, height, width) into features (n, out_features), of -1 and +1."""
        return self.layers(images.contiguous(memory_format=torch.channels_last))


def vgg_small(channels=3, image_size=32, **options):
    """Make VGG-small, all binary but for the first layer: 4.6 million binary weights.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    image_size : int or (int, int), default=32
        Height and width of the images, at least 8.
    **options
        `width`, `rule`, `pad` and `stem`, see `BinaryVGG`.

    Returns
    -------
    network : BinaryVGG
        With 8192 features, of -1 and +1, for images of 32 pixels.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import vgg_small
    >>> vgg_small(width=16)(torch.rand(2, 3, 32, 32)).unique().tolist()
    [-1.0, 1.0]
    """
    return BinaryVGG(channels, image_size, **options)
