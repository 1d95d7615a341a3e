"""Convolution and linear layer with one-bit weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skhash.nn.binary._rules import RULES
from skhash.nn.binary._weight_rules import WeightRule
from skhash.utils import check_option

Pad: TypeAlias = Literal["zero", "minus", "plus"]
PAD_VALUES: dict[Pad, float] = {"zero": 0.0, "minus": -1.0, "plus": 1.0}


class _BinaryLayer(nn.Module):
    """Base class of the binary layers: latent weights, the rule that makes them binary, and counts."""

    # Whether training uses the binary weights or, as in the first of two steps, the latent ones: `binarize_weights_`.
    binarize_weights: bool = True
    rule: WeightRule
    weight: nn.Parameter

    def __init__(self, weight_rule: str | Callable[[int], WeightRule], *shape: int) -> None:
        super().__init__()
        if isinstance(weight_rule, str):
            check_option("weight_rule", weight_rule, RULES)
            weight_rule = RULES[weight_rule].weights
        self.rule = weight_rule(shape[0])
        self.weight = nn.Parameter(torch.empty(shape))
        self.initialize()

    def initialize(self, generator: torch.Generator | None = None) -> None:
        """Draw the latent weights and the rule's learned parameters."""
        if self.rule.init_std is None:
            nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        else:
            nn.init.normal_(self.weight, std=self.rule.init_std, generator=generator)
        if hasattr(self.rule, "initialize"):
            cast(Any, self.rule).initialize(generator)

    def _training_weight(self) -> Tensor:
        return self.rule(self.weight) if self.binarize_weights else self.weight

    @property
    def n_binary(self) -> int:
        """Number of one-bit weights."""
        return self.weight.numel()

    def macs(self, positions: int = 1) -> int:
        """Count the binary multiplications of one sample for a number of output positions (height times width)."""
        return self.weight.numel() * positions


class BinaryConv2d(_BinaryLayer):
    """Convolution with weights that are signs, times one scale per filter.

    It does not binarize its inputs: put `Sign` or `RSign` before it. In training it convolves with signs times scales;
    in evaluation it first convolves with the signs, so that with inputs of -1 and +1 all sums are exact integers, and
    then multiplies by the scales: any other way to sum gives the same values. The latent weights receive no gradient in
    evaluation.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of inputs and outputs.
    kernel_size : int
        Height and width of the filters.
    stride : int, default=1
        Step between positions.
    padding : int, default=0
        Width of the border.
    pad_mode : {"zero", "minus", "plus"}, default="zero"
        Value of the border: 0, -1 or +1. Inputs do not contain zeros, so only the last two can be stored as bits; the
        runtime corrects its counts for the first.
    weight_rule : str or callable, default="bireal"
        How binary weights and their gradient follow from the latent ones: a name in `RULES`, or a function of the
        number of filters that makes a `WeightRule`.

    Attributes
    ----------
    n_binary : int
        Number of one-bit weights.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryConv2d, Sign
    >>> layer = torch.nn.Sequential(Sign(), BinaryConv2d(8, 16, 3, padding=1)).eval()
    >>> layer(torch.randn(2, 8, 6, 6)).shape
    torch.Size([2, 16, 6, 6])
    >>> layer[1].n_binary, layer[1].macs(36)
    (1152, 41472)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        pad_mode: Pad = "zero",
        weight_rule: str | Callable[[int], WeightRule] = "bireal",
    ) -> None:
        check_option("pad_mode", pad_mode, PAD_VALUES)
        super().__init__(weight_rule, out_channels, in_channels, kernel_size, kernel_size)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.pad_mode: Pad = pad_mode

    def forward(self, x: Tensor) -> Tensor:
        """Convolve activations (n, in_channels, height, width)."""
        padding = self.padding
        if self.pad_mode != "zero" and padding:
            x = F.pad(x, (padding,) * 4, value=PAD_VALUES[self.pad_mode])
            padding = 0
        if self.training:
            # Autocast returns bfloat16, which is too coarse for sums on whose signs everything after depends.
            return F.conv2d(x, self._training_weight(), stride=self.stride, padding=padding).to(x.dtype)
        signs, scale = self.rule.parts(self.weight)
        # Scales after the sum: a sum of scaled signs would depend on the order of summation.
        return F.conv2d(x, signs, stride=self.stride, padding=padding) * scale.view(-1, 1, 1)

    def extra_repr(self) -> str:
        """Show the geometry in the module's repr."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, pad_mode={self.pad_mode!r}"
        )


class BinaryLinear(_BinaryLayer):
    """Linear layer without bias, with weights that are signs, times one scale per output.

    Parameters
    ----------
    in_features, out_features : int
        Length of inputs and outputs.
    weight_rule : str or callable, default="bireal"
        As for `BinaryConv2d`, which also describes how training and evaluation differ.

    Attributes
    ----------
    n_binary : int
        Number of one-bit weights.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn.binary import BinaryLinear
    >>> layer = BinaryLinear(4, 1, weight_rule="bnn").eval()
    >>> layer(torch.tensor([[1.0, -1.0, 1.0, 1.0]])).item() in (-4, -2, 0, 2, 4)
    True
    """

    def __init__(
        self, in_features: int, out_features: int, *, weight_rule: str | Callable[[int], WeightRule] = "bireal"
    ) -> None:
        super().__init__(weight_rule, out_features, in_features)
        self.in_features = in_features
        self.out_features = out_features

    def forward(self, x: Tensor) -> Tensor:
        """Multiply activations (n, in_features)."""
        if self.training:
            return F.linear(x, self._training_weight())
        signs, scale = self.rule.parts(self.weight)
        return F.linear(x, signs) * scale

    def extra_repr(self) -> str:
        """Show the sizes in the module's repr."""
        return f"{self.in_features}, {self.out_features}"
