from ._build import build_index as build_index
from ._build import saved_parts as saved_parts
from ._encode import encode as encode
from ._index import DistributedHammingIndex as DistributedHammingIndex

__all__ = ["DistributedHammingIndex", "build_index", "encode", "saved_parts"]
