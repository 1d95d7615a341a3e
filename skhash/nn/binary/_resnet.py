"""Binary residual networks."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from skhash.nn.binary._blocks import ResidualBlock, Shortcut, binary_layer, make_shortcut
from skhash.nn.binary._layers import Pad
from skhash.nn.binary._rules import Rule, make_rule
from skhash.nn.binary._stem import Int8Stem
from skhash.utils import check_option

Stem: TypeAlias = Literal["int8", "float"]
STEMS = ("int8", "float")


def make_stem(
    stem: Stem, channels: int, width: int, kernel_size: int = 3, stride: int = 1, *, pool: bool = False
) -> nn.Sequential:
    """Make the first layer of an image network, which is never binary, and its batch normalization.

    Parameters
    ----------
    stem : {"int8", "float"}
        Eight-bit weights on integer pixels, see `Int8Stem`; or an ordinary convolution.
    channels : int
        Channels of the images.
    width : int
        Number of filters.
    kernel_size, stride : int, default=3 and 1
        Geometry; the border keeps the size at stride 1.
    pool : bool, default=False
        Whether a 3 x 3 max pooling of stride 2 follows.

    Returns
    -------
    stem : nn.Sequential
        The layers.
    """
    check_option("stem", stem, STEMS)
    if stem == "int8":
        convolution = Int8Stem(channels, width, kernel_size, stride, kernel_size // 2)
    else:
        convolution = nn.Conv2d(channels, width, kernel_size, stride, kernel_size // 2, bias=False)
    layers = [convolution, nn.BatchNorm2d(width)]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, 1)) if pool else nn.Sequential(*layers)


class BinaryResNet(nn.Module):
    """Network of a stem, stages of binary residual blocks, and the mean over all positions.

    From stage to stage height and width are halved. Functions such as `bireal_small` make published layouts.

    Parameters
    ----------
    channels : int
        Channels of the images.
    widths : tuple of int
        Channels of each stage's blocks; "bottleneck" blocks have four times as many outputs.
    depths : tuple of int
        Number of blocks of each stage.
    block : {"unit", "basic", "bottleneck"}, default="unit"
        Convolutions that share a shortcut: one of 3 x 3; two of 3 x 3; or 1 x 1, 3 x 3 and 1 x 1.
    rule : str or Rule, default="reactnet"
        How weights and activations become binary: "bnn", "xnor", "bireal", "reactnet", "irnet", "recu", "rbonn" or
        "rebnn", or a `Rule`.
    pad : {"zero", "minus", "plus"}, default="zero"
        Border of the binary convolutions.
    shortcut : {"dup", "binary", "real"}, default="dup"
        Shortcut of a block with more outputs than inputs: channels are repeated, or pass a binary or a real 1 x 1
        convolution.
    stem : {"int8", "float"}, default="int8"
        First layer: eight-bit weights on integer pixels, or an ordinary convolution on standardized ones.
    stem_kernel, stem_stride : int, default=3 and 1
        Geometry of the first layer.
    stem_pool : bool, default=False
        Whether a 3 x 3 max pooling of stride 2 follows the first layer.
    binarize_activations : bool, default=True
        Whether the inputs of binary convolutions are signs; False leaves only the weights binary.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.
    takes_pixels : bool
        Whether inputs must be pixels in [0, 1] as they are, not standardized ones.
    """

    stem: nn.Sequential
    blocks: nn.Sequential
    out_features: int
    takes_pixels: bool

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        *,
        block: Literal["unit", "basic", "bottleneck"] = "unit",
        rule: str | Rule = "reactnet",
        pad: Pad = "zero",
        shortcut: Shortcut = "dup",
        stem: Stem = "int8",
        stem_kernel: int = 3,
        stem_stride: int = 1,
        stem_pool: bool = False,
        binarize_activations: bool = True,
    ) -> None:
        super().__init__()
        check_option("block", block, _BODIES)
        rule = make_rule(rule)
        options = {"pad": pad, "binarize_activations": binarize_activations}
        self.takes_pixels = stem == "int8"
        self.stem = make_stem(stem, channels, widths[0], stem_kernel, stem_stride, pool=stem_pool)
        body, expansion = _BODIES[block]
        blocks, n_in = [], widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for i in range(depth):
                stride = 2 if stage and i == 0 else 1
                n_out = expansion * width
                layers = body(rule, n_in, width, n_out, stride, options)
                around = make_shortcut(shortcut, rule, n_in, n_out, stride, **options)
                blocks.append(ResidualBlock(layers, around, rule.activation(n_out)))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.out_features = n_in

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, channels, height, width) into features (n, out_features)."""
        # Channels last is the fastest layout on a CPU.
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        return self.blocks(x).mean(dim=(2, 3))


def _unit(rule: Rule, n_in: int, width: int, n_out: int, stride: int, options: dict[str, Any]) -> nn.Module:
    return binary_layer(rule, n_in, n_out, 3, stride, **options)


def _basic(rule: Rule, n_in: int, width: int, n_out: int, stride: int, options: dict[str, Any]) -> nn.Module:
    return nn.Sequential(
        binary_layer(rule, n_in, width, 3, stride, **options), binary_layer(rule, width, n_out, 3, **options)
    )


def _bottleneck(rule: Rule, n_in: int, width: int, n_out: int, stride: int, options: dict[str, Any]) -> nn.Module:
    return nn.Sequential(
        binary_layer(rule, n_in, width, 1, **options),
        binary_layer(rule, width, width, 3, stride, **options),
        binary_layer(rule, width, n_out, 1, **options),
    )


_BODIES = {"unit": (_unit, 1), "basic": (_basic, 1), "bottleneck": (_bottleneck, 4)}
