"""The hashing methods, one file per paper."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._lsh": ["LSHHasher"],
        "._pca": ["PCAHasher"],
        "._itq": ["ITQHasher"],
        "._one_bit": ["OneBitDeepHasher"],
        "._spectral": ["SpectralHasher"],
        "._sdc": ["SDCHasher"],
        "._bihalf": ["BiHalfHasher"],
        "._ortho": ["OrthoHasher"],
        "._hashnet": ["HashNetHasher"],
        "._dbdh": ["DBDHHasher"],
        "._dsdh": ["DSDHHasher"],
        "._dch": ["DCHHasher"],
        "._dtsh": ["DTSHHasher"],
        "._lower_bound": ["LowerBoundHasher"],
        "._csq": ["CSQHasher"],
        "._dpn": ["DPNHasher"],
        "._ce": ["CEHasher"],
        "._greedy": ["GreedyHasher"],
        "._jmlh": ["JMLHHasher"],
        "._sdhc": ["SDHCHasher"],
        "._cib": ["CIBHasher"],
        "._ssdh": ["SSDHHasher"],
        "._tbh": ["TBHHasher"],
    },
)
