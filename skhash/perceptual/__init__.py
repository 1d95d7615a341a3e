"""Perceptual hashes: codes that a few lines of arithmetic make from the gray values of a reduced image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
