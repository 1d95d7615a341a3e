"""Residual networks in full precision: the reference to which binary networks are compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal

from torch import Tensor, nn

from skhash.utils import check_option

_STAGES: dict[Literal[18, 34, 50], tuple[int, ...]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class ResNet(nn.Module):
    """Residual network without its classifier.

    Submodules are named as in torchvision, so that its saved weights can be loaded, except those of the classifier.

    Parameters
    ----------
    depth : {18, 34, 50}, default=50
        Number of layers with weights, including the classifier. With 50, a block is a bottleneck of three convolutions,
        the second of which has the stride.
    channels : int, default=3
        Channels of the images.
    width : int, default=64
        Channels of the first stage; each following one has twice as many, a bottleneck's output four times.
    small_images : bool, default=False
        Whether the network is for images of about 32 pixels: it begins with a 3x3 convolution of stride 1 instead of a
        7x7 one of stride 2 and a max pooling.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import ResNet
    >>> network = ResNet(18, width=8, small_images=True)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 64])
    """

    out_features: int
    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d
    maxpool: nn.Module
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self, depth: Literal[18, 34, 50] = 50, channels: int = 3, *, width: int = 64, small_images: bool = False
    ) -> None:
        super().__init__()
        check_option("depth", depth, _STAGES)
        block = _Bottleneck if depth >= 50 else _BasicBlock
        if small_images:
            self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = width
        for stage, n_blocks in enumerate(_STAGES[depth]):
            blocks = []
            for i in range(n_blocks):
                blocks.append(block(in_channels, width * 2**stage, stride=2 if stage and not i else 1))
                in_channels = width * 2**stage * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.out_features = in_channels

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, channels, height, width) into features (n, out_features)."""
        x = self.maxpool(self.bn1(self.conv1(images)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


class _Block(nn.Module):
    """Shortcut around some convolutions; where the shape changes, the shortcut has a 1x1 convolution."""

    expansion: ClassVar[int]

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.residual(x) + shortcut).relu()

    def residual(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class _BasicBlock(_Block):
    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(in_channels, channels, stride)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def residual(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))


class _Bottleneck(_Block):
    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__(in_channels, channels * self.expansion, stride)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)

    def residual(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        return self.bn3(self.conv3(self.bn2(self.conv2(x)).relu()))


RESNETS: dict[str, Callable[..., ResNet]] = {
    f"resnet{depth}{suffix}": partial(ResNet, depth, small_images=bool(suffix))
    for suffix in ("", "_32")
    for depth in _STAGES
}
