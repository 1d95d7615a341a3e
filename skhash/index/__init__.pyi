from ._neighbors_transformer import HammingNeighborsTransformer as HammingNeighborsTransformer
from ._sharded import ShardedHammingIndex as ShardedHammingIndex
from ._warm_up import warm_up as warm_up
from .engine._plan import SearchPlan as SearchPlan
from .hamming._hamming_index import HammingIndex as HammingIndex

__all__ = ["HammingIndex", "HammingNeighborsTransformer", "SearchPlan", "ShardedHammingIndex", "warm_up"]
