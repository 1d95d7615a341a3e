"""Binary residual networks for images of about 28 or 32 pixels.

They are named after Bi-Real Net for its shortcut around every convolution. By default signs and activations are those
of ReActNet, which trained best in few epochs, and all convolutions except the first are binary.
"""

from __future__ import annotations

from typing import Any

from skhash.nn.binary._resnet import BinaryResNet
from skhash.nn.binary._seeded import seeded


@seeded
def bireal_tiny(channels: int = 1, *, width: int = 32, stem_stride: int = 2, **options: Any) -> BinaryResNet:
    """Make the smallest network: three stages of two binary convolutions, 0.3 million binary weights.

    Parameters
    ----------
    channels : int, default=1
        Channels of the images.
    width : int, default=32
        Channels of the first stage; the others have twice and four times as many.
    stem_stride : int, default=2
        Stride of the first layer. At 1 the resolution is twice as high and the network takes three times as long.
    **options
        `rule`, `pad`, `shortcut`, `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 4 * width output features.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import bireal_tiny
    >>> network = bireal_tiny(channels=1, rule="bireal")
    >>> network(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 128])
    """
    return BinaryResNet(channels, (width, 2 * width, 4 * width), (2, 2, 2), stem_stride=stem_stride, **options)


@seeded
def bireal_small(channels: int = 3, *, width: int = 64, stem_stride: int = 2, **options: Any) -> BinaryResNet:
    """Make a network twice as wide as `bireal_tiny`: 1.2 million binary weights.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    width : int, default=64
        Channels of the first stage; the others have twice and four times as many.
    stem_stride : int, default=2
        Stride of the first layer.
    **options
        `rule`, `pad`, `shortcut`, `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 4 * width output features.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import bireal_small
    >>> bireal_small(pad="minus")(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 256])
    """
    return bireal_tiny(channels, width=width, stem_stride=stem_stride, **options)


@seeded
def bireal18_32(channels: int = 3, *, width: int = 64, stem_stride: int = 1, **options: Any) -> BinaryResNet:
    """Make the 18-layer network for small images: 11 million binary weights, hours of training on a CPU.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    width : int, default=64
        Channels of the first of four stages, each of which has twice as many as the one before. Half the width trains
        four times as fast.
    stem_stride : int, default=1
        Stride of the first layer.
    **options
        `rule`, `pad`, `shortcut`, `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 8 * width output features.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import bireal18_32
    >>> bireal18_32(width=16)(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 128])
    """
    widths = (width, 2 * width, 4 * width, 8 * width)
    return BinaryResNet(channels, widths, (4, 4, 4, 4), stem_stride=stem_stride, **options)
