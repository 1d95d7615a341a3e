"""The command `skhash`: duplicates in a folder, and an index of a folder that is searched with an image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
