from ._neighbors_transformer import HammingNeighborsTransformer as HammingNeighborsTransformer
from ._pipeline import SearchPipeline as SearchPipeline
from ._pipeline import make_search_pipeline as make_search_pipeline
from ._sharded import ShardedHammingIndex as ShardedHammingIndex
from ._warm_up import warm_up as warm_up
from .embedding._embedding_index import EmbeddingIndex as EmbeddingIndex
from .embedding._search import EmbeddingPlan as EmbeddingPlan
from .embedding._sharded import ShardedEmbeddingIndex as ShardedEmbeddingIndex
from .engine._plan import SearchPlan as SearchPlan
from .hamming._hamming_index import HammingIndex as HammingIndex

__all__ = [
    "EmbeddingIndex",
    "EmbeddingPlan",
    "HammingIndex",
    "HammingNeighborsTransformer",
    "SearchPipeline",
    "SearchPlan",
    "ShardedEmbeddingIndex",
    "ShardedHammingIndex",
    "make_search_pipeline",
    "warm_up",
]
