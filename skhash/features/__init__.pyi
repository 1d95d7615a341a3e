from ._cache import FeatureCache as FeatureCache
from ._extractor import FeatureExtractor as FeatureExtractor

__all__ = ["FeatureCache", "FeatureExtractor"]
