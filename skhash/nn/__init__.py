"""Building blocks of hashing networks, and how to run them so that a code never depends on its company."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
