"""Binary residual networks for images of about 224 pixels, in the layouts of their papers.

Two choices differ from the papers so that a packed runtime can give the very same codes: the first layer has eight-bit
weights and the 1 x 1 convolutions of the shortcuts are binary. `stem="float"` and `shortcut="real"` are as published.
"""

from skhash.nn.binary._resnet import BinaryResNet

_WIDTHS = (64, 128, 256, 512)


def _resnet(channels, depths, options, **defaults):
    layout = {"stem_kernel": 7, "stem_stride": 2, "stem_pool": True, "shortcut": "binary"}
    return BinaryResNet(channels, _WIDTHS, depths, **{**layout, **defaults, **options})


def bireal18(channels=3, **options):
    """Make Bi-Real Net with 18 layers: a shortcut round each of 16 binary convolutions.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("bireal" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.

    Returns
    -------
    network : BinaryResNet
        With 512 features.

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


def reactnet18(channels=3, **options):
    """Make the ResNet form of ReActNet: `bireal18` with learnt thresholds and activations.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("reactnet" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.

    Returns
    -------
    network : BinaryResNet
        With 512 features.

    References
    ----------
    Liu et al., "ReActNet: towards precise binary neural network with generalized activation functions", ECCV 2020.
    """
    return _resnet(channels, (4, 4, 4, 4), options, rule="reactnet")


def xnor_resnet18(channels=3, **options):
    """Make XNOR-Net's ResNet with 18 layers: a shortcut round every two binary convolutions.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("xnor" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.

    Returns
    -------
    network : BinaryResNet
        With 512 features.

    References
    ----------
    Rastegari et al., "XNOR-Net: ImageNet classification using binary convolutional neural networks", ECCV 2016; without
    the scales of the activations, which the released code does not have either.
    """
    return _resnet(channels, (2, 2, 2, 2), options, rule="xnor", block="basic")


def xnor_resnet50(channels=3, **options):
    """Make XNOR-Net's ResNet with 50 layers, the network of ODH's efficiency figures.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("xnor" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.
        `binarize_activations=False` is what ODH's released code trains: only weights are binary, and no runtime could
        use that.

    Returns
    -------
    network : BinaryResNet
        With 2048 features.

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


def irnet18(channels=3, **options):
    """Make IR-Net's ResNet with 18 layers: a shortcut round each convolution, weights standardised.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("irnet" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.

    Returns
    -------
    network : BinaryResNet
        With 512 features. Its gradients sharpen with the training, see `set_progress_`.

    References
    ----------
    Qin et al., "Forward and backward information retention for accurate binary neural networks", CVPR 2020.
    """
    return _resnet(channels, (4, 4, 4, 4), options, rule="irnet")


def recu34(channels=3, **options):
    """Make ReCU's ResNet with 34 layers: a shortcut round each convolution, outlying weights drawn in.

    Parameters
    ----------
    channels : int, default=3
        Channels of the images.
    **options
        `rule` ("recu" by default), `pad`, `shortcut` ("binary" by default), `stem` and more, see `BinaryResNet`.

    Returns
    -------
    network : BinaryResNet
        With 512 features. Its clamp widens with the training, see `set_progress_`.

    References
    ----------
    Xu et al., "ReCU: reviving the dead weights in binary neural networks", ICCV 2021.
    """
    return _resnet(channels, (6, 8, 12, 6), options, rule="recu")
