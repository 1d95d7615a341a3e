"""Blocks of binary residual networks."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.nn.binary._layers import BinaryConv2d, Pad
from skhash.nn.binary._rules import Rule
from skhash.utils import check_option

Shortcut: TypeAlias = Literal["dup", "binary", "real"]
SHORTCUTS = ("dup", "binary", "real")


def binary_layer(
    rule: Rule,
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    *,
    pad: Pad = "zero",
    binarize_activations: bool = True,
) -> nn.Sequential:
    """Make the sequence that binary networks repeat: sign, binary convolution, batch normalization.

    Parameters
    ----------
    rule : Rule
        How weights and activations become binary.
    in_channels, out_channels, kernel_size, stride : int
        Geometry; the border keeps the size at stride 1.
    pad : {"zero", "minus", "plus"}, default="zero"
        Value of the border.
    binarize_activations : bool, default=True
        Whether the first module is a sign, or the identity.

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
    """Layer that repeats the channels.

    Parameters
    ----------
    times : int
        Number of repetitions.
    """

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """Turn (n, channels, height, width) into (n, times * channels, height, width)."""
        return torch.cat([x] * self.times, dim=1)


class AveragePool(nn.Module):
    """Layer that averages squares of 2 x 2; at an odd border, the part of a square that lies inside."""

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width, rounding up."""
        return F.avg_pool2d(x, 2, ceil_mode=True)


def make_shortcut(
    kind: Shortcut, rule: Rule, in_channels: int, out_channels: int, stride: int, **options: Any
) -> nn.Module:
    """Make the shortcut around a block.

    Parameters
    ----------
    kind : {"dup", "binary", "real"}
        How the number of channels grows: each channel is repeated; or a 1 x 1 convolution, binary or real, and a batch
        normalization.
    rule : Rule
        How a binary convolution is made.
    in_channels, out_channels, stride : int
        Geometry of the block. At stride 2 squares of 2 x 2 are averaged first.
    **options
        Further arguments of `binary_layer`.

    Returns
    -------
    shortcut : nn.Module
        The shortcut; the identity if the block does not change the shape.

    Raises
    ------
    ValueError
        If `kind` is unknown, or if it is "dup" and `out_channels` is not a multiple of `in_channels`.
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
            f"shortcut='dup' repeats channels: out_channels must be a multiple of in_channels = {in_channels}, got "
            f"{out_channels}; use 'binary'."
        )
    return nn.Sequential(*pool, Duplicate(out_channels // in_channels))


class ResidualBlock(nn.Module):
    """Layers, a shortcut around them, and an activation after the sum.

    Parameters
    ----------
    body : nn.Module
        The layers.
    shortcut : nn.Module
        Layer whose outputs, for the block's inputs, are added to the body's outputs.
    activation : nn.Module
        Layer that is applied to the sum.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Transform activations."""
        return self.activation(self.body(x).add_(self.shortcut(x)))
