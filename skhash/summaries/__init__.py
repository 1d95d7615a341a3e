"""Summaries of data that come in chunks: blocks of rows, moments, and a uniform sample."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
