from ._neighbors_transformer import HammingNeighborsTransformer as HammingNeighborsTransformer
from ._sharded import ShardedHammingIndex as ShardedHammingIndex
from .hamming._hamming_index import HammingIndex as HammingIndex

__all__ = ["HammingIndex", "HammingNeighborsTransformer", "ShardedHammingIndex"]
