"""The hashing methods, one file per paper."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._lsh": ["LSHHasher"],
        "._pca": ["PCAHasher"],
        "._itq": ["ITQHasher"],
        "._ortho": ["OrthoHasher"],
    },
)
