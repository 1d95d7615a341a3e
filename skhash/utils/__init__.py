"""Helpers that every room may use: parameter validation, optional imports, labels, discovery."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
