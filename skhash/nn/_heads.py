"""Hash heads: from a feature to a continuous code."""

from torch import nn

from skhash.nn._bihalf import BiHalf
from skhash.utils import check_option

_INIT_STD = 0.01  # of the linear weights in OrthoHash and all its baselines


class HashHead(nn.Module):
    """A linear layer without bias, and what balances the bits behind it.

    Parameters
    ----------
    in_features : int
        Length of the feature.
    bits : int
        Code length.
    balance : {None, "batch_norm", "bihalf"}, default=None
        Nothing, batch normalisation with a learnt affine map, or the bi-half layer.
    """

    def __init__(self, in_features, bits, balance=None):
        super().__init__()
        check_option("balance", balance, (None, "batch_norm", "bihalf"))
        self.linear = nn.Linear(in_features, bits, bias=False)
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
