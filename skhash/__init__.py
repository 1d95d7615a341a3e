"""Deep hashing with scikit-learn's grammar: learn binary codes for images and features, and search them.

Importing the package loads neither torch nor numba: every public name is resolved on first use.
"""

from skhash.utils import lazy_exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        ".methods": [
            "LSHHasher",
            "PCAHasher",
            "ITQHasher",
            "SpectralHasher",
            "SDCHasher",
            "BiHalfHasher",
            "OrthoHasher",
            "OneBitDeepHasher",
            "HashNetHasher",
            "DBDHHasher",
            "DSDHHasher",
            "DCHHasher",
            "DTSHHasher",
            "LowerBoundHasher",
            "CSQHasher",
            "DPNHasher",
            "CEHasher",
            "GreedyHasher",
            "JMLHHasher",
            "SDHCHasher",
            "CIBHasher",
            "SSDHHasher",
            "TBHHasher",
        ],
        ".index": ["HammingIndex", "HammingNeighborsTransformer", "ShardedHammingIndex"],
        ".runtime": ["load_packed"],
    },
)
