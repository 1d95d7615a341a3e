"""Exact Hamming search over packed binary codes, without torch."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._hamming": ["HammingIndex"],
        "._neighbors_transformer": ["HammingNeighborsTransformer"],
        "._sharded": ["ShardedHammingIndex"],
        "._histogram": ["DistanceCounter"],
        "._popcount": ["kernel", "popcount"],
        "._running_counts": ["tabulate_values"],
    },
)
