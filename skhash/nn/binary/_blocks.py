"""Blocks of binary residual networks."""

import torch
import torch.nn.functional as F
from torch import nn

from skhash.nn.binary._layers import BinaryConv2d
from skhash.utils import check_option

SHORTCUTS = ("dup", "binary", "real")


def binary_layer(rule, in_channels, out_channels, kernel_size=3, stride=1, *, pad="zero", binarize_activations=True):
    """Make the sequence that binary networks repeat: sign, binary convolution, batch normalisation.

    Parameters
    ----------
    rule : Rule
        How weights and activations become binary.
    in_channels, out_channels, kernel_size, stride : int
        Geometry; the border keeps the size at stride 1.
    pad : {"zero", "minus", "plus"}, default="zero"
        Value of the border.
    binarize_activations : bool, default=True
        Whether there is a sign at all.

    Returns
    -------
    layer : nn.Sequential
        Three modules.
    """
    return nn.Sequential(
        rule.sign(in_channels) if binarize_activations else nn.Identity(),
        BinaryConv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2, pad_mode=pad, weight_rule=rule.weights
        ),
        nn.BatchNorm2d(out_channels),
    )


class Duplicate(nn.Module):
    """Repeat the channels.

    Parameters
    ----------
    times : int
        How often.
    """

    def __init__(self, times):
        super().__init__()
        self.times = times

    def forward(self, x):
        """Turn (n, channels, height, width) into (n, times * channels, height, width)."""
        return torch.cat([x] * self.times, dim=1)


class AveragePool(nn.Module):
    """Average squares of 2 x 2; at an odd border what is left of them."""

    def forward(self, x):
        """Halve height and width, rounding up."""
        return F.avg_pool2d(x, 2, ceil_mode=True)


def make_shortcut(kind, rule, in_channels, out_channels, stride, **options):
    """Make the way round a block.

    Parameters
    ----------
    kind : {"dup", "binary", "real"}
        How channels become more: each is repeated; or through a 1 x 1 convolution, binary or real, and a batch
        normalisation.
    rule : Rule
        How a binary convolution is made.
    in_channels, out_channels, stride : int
        Geometry of the block. At stride 2 squares of 2 x 2 are averaged first.
    **options
        More for `binary_layer`.

    Returns
    -------
    shortcut : nn.Module
        The identity, if the block changes no shape.
    """
    check_option("shortcut", kind, SHORTCUTS)
    pool = [AveragePool()] if stride > 1 else []
    if in_channels == out_channels:
        return nn.Sequential(*pool) if pool else nn.Identity()
    if kind == "binary":
        return nn.Sequential(*pool, binary_layer(rule, in_channels, out_channels, 1, **options))
    if kind == "real":
        return nn.Sequential(*pool, nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
    if out_channels % in_channels:
        raise ValueError(
            f"shortcut='dup' repeats channels, but {out_channels} is no multiple of {in_channels}; use 'binary'."
        )
    return nn.Sequential(*pool, Duplicate(out_channels // in_channels))


class ResidualBlock(nn.Module):
    """Layers, a way round them, and an activation behind the sum.

    Parameters
    ----------
    body : nn.Module
        The layers.
    shortcut : nn.Module
        From the block's inputs to what is added to the body's outputs.
    activation : nn.Module
        Applied to the sum.
    """

    def __init__(self, body, shortcut, activation):
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x):
        """Transform activations."""
        return self.activation(self.body(x).add_(self.shortcut(x)))
