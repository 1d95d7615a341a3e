"""Hash heads: from a feature to a continuous code."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from skhash.nn._bihalf import BiHalf
from skhash.nn._dropout import dropout
from skhash.utils import check_option

_INIT_STD = 0.01  # of the linear weights in OrthoHash and all its baselines


class HashHead(nn.Module):
    """Linear layer followed by a layer that balances the bits.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    balance : {None, "batch_norm", "bihalf"}, default=None
        Nothing, batch normalization with a learned affine map, or the bi-half layer.
    bias : bool, default=False
        Whether the linear layer has a bias, which starts at 0.
    """

    linear: nn.Linear
    balance: nn.Module

    def __init__(
        self,
        in_features: int,
        bits: int,
        balance: Literal["batch_norm", "bihalf"] | None = None,
        *,
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_option("balance", balance, (None, "batch_norm", "bihalf"))
        self.linear = nn.Linear(in_features, bits, bias=bias)
        if balance == "batch_norm":
            self.balance = nn.BatchNorm1d(bits)
        else:
            self.balance = BiHalf() if balance == "bihalf" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Turn features (n, in_features) into continuous codes (n, bits)."""
        return self.balance(self.linear(x))

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the linear weights from N(0, 0.01^2)."""
        nn.init.normal_(self.linear.weight, std=_INIT_STD, generator=generator)
        if self.linear.bias is not None:
            nn.init.zeros_(self.linear.bias)


class DeepHead(nn.Module):
    """Two hidden layers as wide as the feature, with dropout after the first, and a linear layer: CSQ's head.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    dropout : float, default=0.5
        Share of the first hidden layer's values that is dropped in training.
    """

    first: nn.Linear
    second: nn.Linear
    linear: nn.Linear

    def __init__(self, in_features: int, bits: int, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, in_features)
        self.second = nn.Linear(in_features, in_features)
        self.linear = nn.Linear(in_features, bits)
        self.dropout = dropout

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Turn features (n, in_features) into continuous codes (n, bits); `generator` draws the dropout."""
        x = self.first(x).relu()
        if self.training:
            x = dropout(x, self.dropout, generator)
        return self.linear(self.second(x).relu())


class HiddenHead(nn.Module):
    """Hidden layer with ReLU and a linear layer, both with bias: the head of CIBHash and TBH.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    hidden_features : int, default=1024
        Width of the hidden layer.
    """

    hidden: nn.Sequential
    linear: nn.Linear

    def __init__(self, in_features: int, bits: int, *, hidden_features: int = 1024) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(in_features, hidden_features), nn.ReLU())
        self.linear = nn.Linear(hidden_features, bits)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features (n, in_features) into continuous codes (n, bits)."""
        return self.linear(self.hidden(x))
