"""Exact Hamming search over packed binary codes, without torch."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        ".hamming._hamming_index": ["HammingIndex"],
        "._neighbors_transformer": ["HammingNeighborsTransformer"],
        "._sharded": ["ShardedHammingIndex"],
    },
)
