"""Hash heads: from a feature to a continuous code."""

from torch import nn

from skhash.nn._bihalf import BiHalf
from skhash.nn._dropout import dropout
from skhash.utils import check_option

_INIT_STD = 0.01  # of the linear weights in OrthoHash and all its baselines


class HashHead(nn.Module):
    """A linear layer, and what balances the bits behind it.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    balance : {None, "batch_norm", "bihalf"}, default=None
        Nothing, batch normalisation with a learnt affine map, or the bi-half layer.
    bias : bool, default=False
        Whether the linear layer has a bias, at first 0.
    """

    def __init__(self, in_features, bits, balance=None, *, bias=False):
        super().__init__()
        check_option("balance", balance, (None, "batch_norm", "bihalf"))
        self.linear = nn.Linear(in_features, bits, bias=bias)
        if balance == "batch_norm":
            self.balance = nn.BatchNorm1d(bits)
        else:
            self.balance = BiHalf() if balance == "bihalf" else nn.Identity()

    def forward(self, x):
        """Turn features (n, in_features) into continuous codes (n, bits)."""
        return self.balance(self.linear(x))

    def initialize(self, generator):
        """Draw the linear weights from N(0, 0.01^2)."""
        nn.init.normal_(self.linear.weight, std=_INIT_STD, generator=generator)
        if self.linear.bias is not None:
            nn.init.zeros_(self.linear.bias)


class DeepHead(nn.Module):
    """Two hidden layers as wide as the feature, with dropout behind the first, and a linear one: CSQ's head.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    dropout : float, default=0.5
        Share of the first hidden layer's values that is dropped in training.
    """

    def __init__(self, in_features, bits, *, dropout=0.5):
        super().__init__()
        self.first = nn.Linear(in_features, in_features)
        self.second = nn.Linear(in_features, in_features)
        self.linear = nn.Linear(in_features, bits)
        self.dropout = dropout

    def forward(self, x, generator=None):
        """Turn features (n, in_features) into continuous codes (n, bits); `generator` draws the dropout."""
        x = self.first(x).relu()
        if self.training:
            x = dropout(x, self.dropout, generator)
        return self.linear(self.second(x).relu())


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
