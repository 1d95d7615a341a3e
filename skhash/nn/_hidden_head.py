"""A hash head with one hidden layer."""

from torch import nn


class HiddenHead(nn.Module):
    """A hidden layer with ReLU and a linear one, both with bias: the head of CIBHash and TBH.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    hidden_features : int, default=1024
        Width of the hidden layer.
    """

    def __init__(self, in_features, bits, *, hidden_features=1024):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(in_features, hidden_features), nn.ReLU())
        self.linear = nn.Linear(hidden_features, bits)

    def forward(self, x):
        """Turn features (n, in_features) into continuous codes (n, bits)."""
        return self.linear(self.hidden(x))
