"""The template of all deep methods."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"._hasher": ["DeepHasher"]})
