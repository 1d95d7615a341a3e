"""Building blocks of hashing networks, and how to run them so that a code never depends on its company."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._backbones": ["MLP", "SmallCNN", "make_backbone"],
        "._bihalf": ["BiHalf"],
        "._dropout": ["dropout"],
        "._heads": ["DeepHead", "HashHead"],
        "._hidden_head": ["HiddenHead"],
        "._inference": ["encode"],
        "._init": ["build", "initialize"],
        "._network": ["HashNetwork", "Standardize"],
        "._reversal": ["reverse_gradient"],
        "._sign": ["sign", "sign_ste"],
    },
)
