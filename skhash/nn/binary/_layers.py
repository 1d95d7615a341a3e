"""Convolution and linear layer with one-bit weights."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from skhash.nn.binary._rules import RULES
from skhash.utils import check_option

PAD_VALUES = {"zero": 0.0, "minus": -1.0, "plus": 1.0}


class _BinaryLayer(nn.Module):
    """Latent weights and the rule that makes them binary; what is counted is the same for both kinds of layer."""

    def __init__(self, weight_rule, *shape):
        super().__init__()
        if isinstance(weight_rule, str):
            check_option("weight_rule", weight_rule, RULES)
            weight_rule = RULES[weight_rule].weights
        self.rule = weight_rule(shape[0])
        self.weight = nn.Parameter(torch.empty(shape))
        self.initialize()

    def initialize(self, generator=None):
        """Draw the latent weights, and what the rule learns."""
        if self.rule.init_std is None:
            nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        else:
            nn.init.normal_(self.weight, std=self.rule.init_std, generator=generator)
        if hasattr(self.rule, "initialize"):
            self.rule.initialize(generator)

    @property
    def n_binary(self):
        """Number of one-bit weights."""
        return self.weight.numel()

    def macs(self, positions=1):
        """Count the binary multiplications of one sample for a number of output positions (height times width)."""
        return self.weight.numel() * positions


class BinaryConv2d(_BinaryLayer):
    """Convolution with weights that are signs, times one scale per filter.

    It does not binarise its inputs: put `Sign` or `RSign` before it. In training it convolves with signs times scales;
    in evaluation it first convolves with the signs, so that with inputs of -1 and +1 all sums are exact integers, and
    then multiplies by the scales: any other way to count gives the same numbers. The latent weights receive no gradient
    in evaluation.

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
        Value of the border: 0, -1 or +1. Inputs have no zeros, so only the last two can be stored as bits; a
        runtime corrects its counts for the first.
    weight_rule : str or callable, default="bireal"
        How binary weights and their gradient come of latent ones: a name of `RULES`, or a function of the number of
        filters that makes a `WeightRule`.

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
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, *, pad_mode="zero", weight_rule="bireal"
    ):
        check_option("pad_mode", pad_mode, PAD_VALUES)
        super().__init__(weight_rule, out_channels, in_channels, kernel_size, kernel_size)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.pad_mode = pad_mode

    def forward(self, x):
        """Convolve activations (n, in_channels, height, width)."""
        padding = self.padding
        if self.pad_mode != "zero" and padding:
            x = F.pad(x, (padding,) * 4, value=PAD_VALUES[self.pad_mode])
            padding = 0
        if self.training:
            return F.conv2d(x, self.rule(self.weight), stride=self.stride, padding=padding)
        signs, scale = self.rule.parts(self.weight)
        return F.conv2d(x, signs, stride=self.stride, padding=padding) * scale.view(-1, 1, 1)

    def extra_repr(self):
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
        As of `BinaryConv2d`, which also tells how training and evaluation differ.

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

    def __init__(self, in_features, out_features, *, weight_rule="bireal"):
        super().__init__(weight_rule, out_features, in_features)
        self.in_features = in_features
        self.out_features = out_features

    def forward(self, x):
        """Multiply activations (n, in_features)."""
        if self.training:
            return F.linear(x, self.rule(self.weight))
        signs, scale = self.rule.parts(self.weight)
        return F.linear(x, signs) * scale

    def extra_repr(self):
        """Show the sizes in the module's repr."""
        return f"{self.in_features}, {self.out_features}"
