"""Binary residual networks for images of about 224 pixels, in the layouts of their papers.

Two choices differ from the papers so that the packed runtime can compute exactly the same codes: the first layer has
eight-bit weights and the 1 x 1 convolutions of the shortcuts are binary. `stem="float"` and `shortcut="real"` are as
published.
"""

from __future__ import annotations

from typing import Any

from skhash.nn.binary._resnet import BinaryResNet
from skhash.nn.binary._seeded import seeded

_WIDTHS = (64, 128, 256, 512)


def _resnet(channels: int, depths: tuple[int, ...], options: dict[str, Any], **defaults: Any) -> BinaryResNet:
    layout = {"stem_kernel": 7, "stem_stride": 2, "stem_pool": True, "shortcut": "binary"}
    return BinaryResNet(channels, _WIDTHS, depths, **{**layout, **defaults, **options})


@seeded
def bireal18(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make Bi-Real Net with 18 layers: a shortcut around each of 16 binary convolutions.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("bireal" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 512 output features.

    References
    ----------
    Liu et al., "Bi-Real Net: enhancing the performance of 1-bit CNNs with improved representational capability and
    advanced training algorithm", ECCV 2018.

    Examples
    --------
    >>> from skhash.nn.binary import BinaryConv2d, bireal18
    >>> network = bireal18(shortcut="real")
    >>> sum(layer.n_binary for layer in network.modules() if isinstance(layer, BinaryConv2d))
    10985472
    """
    return _resnet(channels, (4, 4, 4, 4), options, rule="bireal")


@seeded
def reactnet18(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make the ResNet form of ReActNet: `bireal18` with learned thresholds and activations.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("reactnet" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 512 output features.

    References
    ----------
    Liu et al., "ReActNet: towards precise binary neural network with generalized activation functions", ECCV 2020.
    """
    return _resnet(channels, (4, 4, 4, 4), options, rule="reactnet")


@seeded
def xnor_resnet18(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make XNOR-Net's ResNet with 18 layers: a shortcut around every two binary convolutions.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("xnor" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 512 output features.

    References
    ----------
    Rastegari et al., "XNOR-Net: ImageNet classification using binary convolutional neural networks", ECCV 2016; without
    the scales of the activations, as in the released code.
    """
    return _resnet(channels, (2, 2, 2, 2), options, rule="xnor", block="basic")


@seeded
def xnor_resnet50(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make XNOR-Net's ResNet with 50 layers, the network for which ODH reports its efficiency.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("xnor" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.
        With `binarize_activations=False`, which ODH's released code trains, only weights are binary and no runtime can
        compute with single bits.

    Returns
    -------
    network : BinaryResNet
        Network with 2048 output features.

    References
    ----------
    Rastegari et al., "XNOR-Net", ECCV 2016; He et al., "One-bit deep hashing", ACM MM 2024.

    Examples
    --------
    >>> from skhash.nn.binary import BinaryConv2d, xnor_resnet50
    >>> sum(layer.n_binary for layer in xnor_resnet50().modules() if isinstance(layer, BinaryConv2d))
    23445504
    """
    return _resnet(channels, (3, 4, 6, 3), options, rule="xnor", block="bottleneck")


@seeded
def irnet18(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make IR-Net's ResNet with 18 layers: a shortcut around each convolution, weights standardized.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("irnet" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 512 output features. Its gradients sharpen during training, see `set_progress_`.

    References
    ----------
    Qin et al., "Forward and backward information retention for accurate binary neural networks", CVPR 2020.
    """
    return _resnet(channels, (4, 4, 4, 4), options, rule="irnet")


@seeded
def recu34(channels: int = 3, **options: Any) -> BinaryResNet:
    """Make ReCU's ResNet with 34 layers: a shortcut around each convolution, outlying weights clamped.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("recu" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryResNet
        Network with 512 output features. Its clamp widens during training, see `set_progress_`.

    References
    ----------
    Xu et al., "ReCU: reviving the dead weights in binary neural networks", ICCV 2021.
    """
    return _resnet(channels, (6, 8, 12, 6), options, rule="recu")
