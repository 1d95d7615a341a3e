from ._hasher import DeepHasher as DeepHasher

__all__ = ["DeepHasher"]
