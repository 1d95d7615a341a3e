"""Binary networks for feature vectors."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from skhash.nn.binary._blocks import ResidualBlock
from skhash.nn.binary._layers import BinaryLinear
from skhash.nn.binary._rules import Rule, make_rule
from skhash.nn.binary._seeded import seeded
from skhash.utils import check_option


class BinaryMLP(nn.Module):
    """Network of a first linear layer and binary ones, each of which has a shortcut around it.

    Parameters
    ----------
    in_features : int
        Length of the feature vectors.
    width : int
        Units of each layer.
    depth : int
        Binary layers with a shortcut.
    rule : str or Rule, default="reactnet"
        As for `BinaryResNet`.
    stem : {"real", "binary"}, default="real"
        First layer: an ordinary linear one; or a binary one on the signs of the normalized features, so that nearly all
        parameters of the network are bits.

    Attributes
    ----------
    out_features : int
        Length of the outputs.
    takes_pixels : bool
        False.
    """

    takes_pixels: bool = False
    stem: nn.Sequential
    blocks: nn.Sequential
    out_features: int

    def __init__(
        self,
        in_features: int,
        width: int,
        depth: int,
        *,
        rule: str | Rule = "reactnet",
        stem: Literal["real", "binary"] = "real",
    ) -> None:
        super().__init__()
        check_option("stem", stem, ("real", "binary"))
        rule = make_rule(rule)
        if stem == "real":
            self.stem = nn.Sequential(nn.Linear(in_features, width, bias=False), nn.BatchNorm1d(width))
        else:
            self.stem = nn.Sequential(nn.BatchNorm1d(in_features), *_layer(rule, in_features, width))
        self.blocks = nn.Sequential(
            *(ResidualBlock(_layer(rule, width, width), nn.Identity(), rule.activation(width)) for _ in range(depth))
        )
        self.out_features = width

    def forward(self, x: Tensor) -> Tensor:
        """Turn feature vectors (n, in_features) into others (n, out_features)."""
        return self.blocks(self.stem(x))


def _layer(rule: Rule, n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(rule.sign(n_in), BinaryLinear(n_in, n_out, weight_rule=rule.weights), nn.BatchNorm1d(n_out))


@seeded
def binary_mlp(in_features: int, *, width: int = 512, depth: int = 2, **options: Any) -> BinaryMLP:
    """Make a binary network for feature vectors.

    Parameters
    ----------
    in_features : int
        Length of the feature vectors.
    width : int, default=512
        Units of each layer.
    depth : int, default=2
        Binary layers with a shortcut.
    **options
        `rule` and `stem`, see `BinaryMLP`.
        `random_state` (int, RandomState instance or None) draws the weights; with None, torch's global state does.

    Returns
    -------
    network : BinaryMLP
        Network with `width` output features.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import binary_mlp
    >>> binary_mlp(20, width=64, rule="bireal", stem="binary")(torch.randn(4, 20)).shape
    torch.Size([4, 64])
    """
    return BinaryMLP(in_features, width, depth, **options)
