"""Folders of pictures: find them, check them before they are used, and name their classes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
